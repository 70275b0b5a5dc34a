#pragma once
// Decoded rows as DuckDB data chunks of up to 2,048 rows. String cells still point into the request: see `RowBatch::owner`.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/sequence.h"
#include "warehouse/append.h"
#include "warehouse/internal/duck.h"
#include "warehouse/internal/stream_state.h"
#include "warehouse/internal/table_state.h"
#include "wire/column_target.h"
#include "wire/row_decoder.h"

namespace flytt::warehouse::internal {

LogicalType logical_type(const data::Type& type);
// Column order of chunks: base tables have (_seq, _ing, c…) or plain (c…), the log has (_seq, _ing, _kind, c…), rows of a
// write stream that wait have (_offset, c…).
enum class ChunkLayout { kPlain, kBase, kLog, kStaged };
constexpr idx_t hidden_columns(ChunkLayout layout) {
  switch (layout) {
    case ChunkLayout::kPlain: return 0;
    case ChunkLayout::kStaged: return 1;
    case ChunkLayout::kBase: return 2;
    case ChunkLayout::kLog: return 3;
  }
  return 0;
}
constexpr bool has_rank(ChunkLayout layout) { return layout == ChunkLayout::kBase || layout == ChunkLayout::kLog; }
std::vector<LogicalType> chunk_types(const TableVersion& version, ChunkLayout layout);
std::vector<std::string> chunk_columns(const TableVersion& version, ChunkLayout layout);
Chunk make_chunk(const std::vector<LogicalType>& types);

// The same rows in another layout of the same table: user columns are shared, not copied. `deletes` may be empty.
Chunk with_layout(const Chunk& chunk, const TableVersion& version, ChunkLayout from, ChunkLayout to);
// The rows of a narrow table's chunk with the sequences of a wide one.
Chunk with_wide_sequences(const Chunk& chunk, const TableVersion& version, ChunkLayout layout);
// Cuts the chunk to its first `at` rows and returns the others, with _ing to be filled.
Chunk split(Chunk& chunk, const TableVersion& version, ChunkLayout layout, idx_t at);
// Fills `column`, which is BIGINT, with first, first + 1, …
void number_rows(const Chunk& chunk, idx_t column, std::int64_t first);

// wire's view of one column of a chunk, and of everything below it.
class VectorTarget final : public wire::ColumnTarget {
 public:
  VectorTarget(duckdb_vector vector, const data::Type& type);
  void reserve_elements(std::size_t capacity) override;
  // Tells DuckDB how long the lists below became; after the last row was decoded.
  void finish();

 private:
  void renew();

  duckdb_vector vector_;
  data::TypeKind kind_;
  std::vector<std::unique_ptr<VectorTarget>> below_;
};

// The rows of one append, decoded.
struct RowBatch {
  std::shared_ptr<TableState> table;
  std::shared_ptr<const TableVersion> version;  // whose columns the chunks have
  ChunkLayout layout = ChunkLayout::kPlain;     // of `chunks`; kLog has _kind filled
  bool is_change = false;                       // UPSERT and DELETE rows of a mirror; else plain rows
  bool has_deletes = false;
  std::vector<Chunk> chunks;
  std::int64_t rows = 0;
  std::size_t bytes = 0;  // of request and chunks, for the queue's bound
  std::size_t request_bytes = 0;
  data::Sequence least, newest;  // of a narrow mirror: bounds of the sequences
  std::shared_ptr<const void> owner;
  std::unique_ptr<wire::CellArena> arena;
  AppendDone done;
  std::shared_ptr<StreamState> stream;  // null = the default stream
  std::optional<std::int64_t> wanted_offset;
  std::int64_t offset = 0;  // of the first row in the stream, once it is taken
  bool is_staged() const { return stream && stream->is_staged(); }
};

}  // namespace flytt::warehouse::internal
