#include "pipeline/internal/slice_filter.h"

#include <algorithm>

namespace flytt::pipeline::internal {

std::optional<data::Sequence> newest_sequence(const data::TableSlice& slice) {
  std::optional<data::Sequence> newest;
  const auto take = [&](data::Sequence sequence) {
    if (!newest || *newest < sequence) newest = sequence;
  };
  if (slice.row_count() != 0)
    for (const data::Sequence sequence : slice.sequences) take(sequence);
  for (const data::Rejection& rejection : slice.rejections) take(rejection.sequence);
  return newest;
}

void keep_after(data::TableSlice& slice, data::Sequence after) {
  if (after == data::Sequence{}) return;
  std::erase_if(slice.rejections, [&](const data::Rejection& rejection) { return !(after < rejection.sequence); });
  const auto is_old = [&](data::Sequence sequence) { return !(after < sequence); };
  if (slice.row_count() == 0 || std::none_of(slice.sequences.begin(), slice.sequences.end(), is_old)) return;
  keep_rows(slice, [&](std::size_t row) { return !is_old(slice.sequence(row)); });
}

void keep_rows(data::TableSlice& slice, const std::function<bool(std::size_t row)>& keeps) {
  data::TableSlice kept(slice.schema);
  kept.lane = slice.lane;
  kept.rejections = std::move(slice.rejections);
  for (std::size_t row = 0; row < slice.row_count(); ++row) {
    if (!keeps(row)) continue;
    for (std::size_t column = 0; column < slice.columns.size(); ++column)
      kept.columns[column].append_from(slice.columns[column], row);
    if (slice.sequences.size() != 1) kept.sequences.push_back(slice.sequences[row]);
    if (!slice.kinds.empty()) kept.kinds.push_back(slice.kinds[row]);
  }
  if (slice.sequences.size() == 1) kept.sequences = slice.sequences;
  slice = std::move(kept);
}

}  // namespace flytt::pipeline::internal
