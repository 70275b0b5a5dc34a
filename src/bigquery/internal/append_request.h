#pragma once
// One AppendRows request on its way: its rows as bytes, and where they came from.

#include <memory>

#include "base/clock.h"
#include "bigquery/storage_write_sink.h"
#include "wire/append_frames.h"
#include "wire/row_encoder.h"

namespace flytt::bigquery {

struct TableEncoder {
  std::shared_ptr<const data::SliceSchema> schema;
  wire::RowEncoder encoder;
};

struct AppendRequest {
  flow::BatchSequence batch;
  std::shared_ptr<const data::SliceSchema> schema;
  std::shared_ptr<const TableEncoder> encoder;
  wire::SharedBytes rows;  // content of ProtoRows
  std::size_t row_count = 0;
  base::SteadyTime sent_at{};
};

// Rows taken out of a request.
struct RowSplit {
  std::vector<RefusedRow> refused;
  wire::SharedBytes kept;  // empty when no row is left
};
// Takes the named rows out; indexes outside the request are passed over. kCorrupt when the rows cannot be read.
Result<RowSplit> split_rows(const AppendRequest& request, const std::vector<wire::RowFault>& faults);

}  // namespace flytt::bigquery
