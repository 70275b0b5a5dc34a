#pragma once
// Names of write streams: projects/P/datasets/D/tables/T/streams/ID, and the older projects/P/datasets/D/tables/T/_default.

#include <optional>
#include <string>
#include <string_view>

#include "data/schema.h"

namespace flytt::gateway::internal {

struct StreamName {
  data::TablePath table;
  std::string id;  // "_default" or what CreateWriteStream made
  bool is_default() const { return id == "_default"; }
  std::string text() const;  // in the newer form
};
// nullopt when the text has neither form.
std::optional<StreamName> parse_stream_name(std::string_view text);
// projects/P/datasets/D/tables/T, the parent of streams.
std::optional<data::TablePath> parse_table_name(std::string_view text);

}  // namespace flytt::gateway::internal
