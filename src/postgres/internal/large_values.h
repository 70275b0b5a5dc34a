#pragma once
// Unchanged large values: what an update did not carry is filled in before its slice is handed out.
//
// PostgreSQL stores large values out of line (TOAST). An update that leaves such a value alone sends the mark 'u'
// instead of it, under every replica identity; only the old row of identity FULL has it. An upsert replaces the whole
// row at the destination, so the hole must be filled:
//   1. by the assembler, from the old row, when there is one;
//   2. from an earlier row of the same key in the same slice (for a changed key: of the key before the change);
//   3. from the source's row as it is now, one SELECT for all rows of the slice.
// A value of step 3 is never older than the change, and where it is newer, the change that made it follows and wins by
// its sequence. When the row is gone, the update is left out: its delete follows. No hole ever becomes NULL.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "postgres/internal/row_builder.h"

namespace flytt::postgres {

struct WaitingRow {
  std::uint32_t row = 0;                    // in the slice
  std::vector<std::uint32_t> columns;       // that wait for their value
  std::optional<std::uint32_t> moved_from;  // the delete of the old key, when the key changed
  std::vector<std::string> key;             // text form, one per key column
};

struct SliceInMaking {
  data::TableSlice slice;
  std::shared_ptr<const SourceTable> table;
  std::shared_ptr<const RowPlan> plan;
  std::vector<WaitingRow> waiting;  // ascending by row
};

// What a SELECT of `columns` for some keys brought: cells[i] has one entry per column, or is empty when the row of keys[i]
// is gone. `owner` keeps alive what the cells point to.
struct FoundValues {
  std::vector<std::vector<Cell>> cells;
  std::shared_ptr<const void> owner;
  std::size_t bytes = 0;
};
using ValueLookup = std::function<Result<FoundValues>(const SourceTable& table, const RowPlan& plan,
                                                      const std::vector<std::uint32_t>& columns,
                                                      const std::vector<const std::vector<std::string>*>& keys)>;

struct FillOutcome {
  std::size_t looked_up_keys = 0, looked_up_bytes = 0, rows_gone = 0;
};
// Fills every hole of the slice. On an error the slice is of no further use.
Result<FillOutcome> fill_large_values(SliceInMaking& making, const ValueLookup& lookup);

// The SELECT of step 3 and its parameters: one array literal per key column.
std::string lookup_sql(const SourceTable& table, const RowPlan& plan, const std::vector<std::uint32_t>& columns);
std::vector<std::optional<std::string>> lookup_parameters(const SourceTable& table,
                                                          const std::vector<const std::vector<std::string>*>& keys);

}  // namespace flytt::postgres
