#pragma once
// Looking at and cutting a slice by the sequences of its rows.

#include <functional>
#include <optional>

#include "data/table_slice.h"

namespace flytt::pipeline::internal {

// The greatest sequence of rows and rejections; nullopt for a slice without either.
std::optional<data::Sequence> newest_sequence(const data::TableSlice& slice);

// Leaves only rows and rejections whose sequence is greater than `after`.
void keep_after(data::TableSlice& slice, data::Sequence after);

// Leaves only rows of which `keeps(row)` is true; rejections stay.
void keep_rows(data::TableSlice& slice, const std::function<bool(std::size_t row)>& keeps);

}  // namespace flytt::pipeline::internal
