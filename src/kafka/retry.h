#pragma once
// Messages that were set aside, read again with the settings as they are now: after a mended schema they become rows.
// Pure over values; any thread.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/table_slice.h"
#include "kafka/config.h"

namespace flytt::kafka {

struct SetAsideMessage {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;  // -1: none
  std::optional<std::string> key;
  std::string value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  data::Sequence sequence = {};  // that it had
};

// Slices of rows, and of rejections for what cannot be a row yet either. `known`: the table as the destination has it; a
// later slice may have more columns.
Result<std::vector<data::TableSlice>> read_again(const PayloadSettings& settings, const std::string& topic,
                                                 const data::SliceSchema& known,
                                                 const std::vector<SetAsideMessage>& messages);

}  // namespace flytt::kafka
