#include "bigquery/internal/append_request.h"

#include <map>

#include "bigquery/internal/errors.h"
#include "bigquery/internal/row_text.h"
#include "wire/row_decoder.h"

namespace flytt::bigquery {
namespace {

RefusedRow refused_row(const AppendRequest& request, std::string_view row, const std::string& message) {
  RefusedRow out;
  out.batch = request.batch;
  out.schema = request.schema;
  out.rejection.reason = "the destination refuses the row: " + without_quoted(message);
  auto text = text_of_row(request.encoder->encoder.descriptor(), request.schema->table, row);
  if (!text) {
    out.rejection.reason += " (" + text.error().sentence() + ")";
    return out;
  }
  out.rejection.key = std::move(text->key);
  out.rejection.raw = std::move(text->json);
  out.rejection.position = std::move(text->position);
  out.rejection.sequence = text->sequence;
  return out;
}

}  // namespace

Result<RowSplit> split_rows(const AppendRequest& request, const std::vector<wire::RowFault>& faults) {
  std::map<std::size_t, const std::string*> by_index;
  for (const wire::RowFault& fault : faults) {
    if (fault.index >= 0) by_index.emplace(static_cast<std::size_t>(fault.index), &fault.message);
  }
  TRY(wire::SerializedRows rows, wire::SerializedRows::make(request.rows.bytes));
  RowSplit out;
  wire::RowBuffer kept;
  const char* entry = request.rows.bytes.data();  // tag and length stand before each row
  std::string_view row;
  for (std::size_t index = 0; rows.next(row); ++index) {
    const char* const end = row.data() + row.size();
    const auto fault = by_index.find(index);
    if (fault == by_index.end())
      kept.append({entry, static_cast<std::size_t>(end - entry)});
    else
      out.refused.push_back(refused_row(request, row, *fault->second));
    entry = end;
  }
  out.kept = wire::share(std::move(kept));
  return out;
}

}  // namespace flytt::bigquery
