#pragma once
// Looking at and cutting a slice by the sequences of its rows.

#include <optional>

#include "data/table_slice.h"

namespace flytt::pipeline::internal {

// The greatest sequence of rows and rejections; nullopt for a slice without either.
std::optional<data::Sequence> newest_sequence(const data::TableSlice& slice);

// Leaves only rows and rejections whose sequence is greater than `after`.
void keep_after(data::TableSlice& slice, data::Sequence after);

}  // namespace flytt::pipeline::internal
