#pragma once
// DecodedColumns: memory for decoded rows when there is no database to decode into. Owns everything that it hands out.

#include <memory>
#include <vector>

#include "data/column.h"
#include "data/schema.h"
#include "wire/column_target.h"

namespace flytt::wire {

class DecodedColumns {
 public:
  DecodedColumns(const data::TableSchema& table, std::size_t rows_max);
  ~DecodedColumns();
  DecodedColumns(DecodedColumns&&) noexcept;
  DecodedColumns& operator=(DecodedColumns&&) noexcept;

  // One per column of the table. Elements of arrays add up until `clear`.
  const std::vector<ColumnTarget*>& targets() const { return targets_; }
  // Makes the memory ready to be decoded into again.
  void clear();
  // Appends cells [0, rows) of column `index` to `out`, a column of the same type.
  void copy_to(std::size_t index, std::size_t rows, data::Column& out) const;

 private:
  struct Node;
  std::vector<std::unique_ptr<Node>> roots_;
  std::vector<ColumnTarget*> targets_;
};

}  // namespace flytt::wire
