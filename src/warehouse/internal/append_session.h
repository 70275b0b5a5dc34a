#pragma once
// AppendSession over a RowDecoder: decode, check, hand to the writer. See append.h for the contract.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "warehouse/append.h"
#include "warehouse/internal/row_chunks.h"
#include "warehouse/internal/writer.h"
#include "wire/row_decoder.h"

namespace flytt::warehouse::internal {

class TableAppendSession final : public AppendSession {
 public:
  // Makes `table` wide; called when a sequence arrives that 128 bits cannot hold.
  using Widen = std::function<Status(TableState& table)>;

  // `stream` is null for the default stream.
  static Result<std::unique_ptr<AppendSession>> make(std::shared_ptr<TableState> table,
                                                     std::shared_ptr<StreamState> stream, std::string descriptor,
                                                     Writer& writer, Widen widen);

  void append(std::string_view proto_rows, std::shared_ptr<const void> owner, std::optional<std::int64_t> offset,
              AppendDone done, base::Deadline deadline) override;
  data::TableSchema schema() const override { return version_->info.schema; }
  std::string schema_etag() const override { return version_->info.etag; }

 private:
  TableAppendSession(std::shared_ptr<TableState> table, std::shared_ptr<StreamState> stream, std::string descriptor,
                     Writer& writer, Widen widen)
      : table_(std::move(table)),
        stream_(std::move(stream)),
        descriptor_(std::move(descriptor)),
        writer_(writer),
        widen_(std::move(widen)) {}
  enum class Mode { kUnknown, kPlain, kChange };

  Status renew();  // the decoder, after the table changed
  ChunkLayout next_layout() const;
  Result<std::unique_ptr<RowBatch>> decode(std::string_view proto_rows, std::vector<RefusedRow>& refused);
  Status decode_chunks(wire::SerializedRows& rows, RowBatch& batch, std::vector<RefusedRow>& refused);
  Status check_changes(RowBatch& batch, std::size_t first_row, std::vector<RefusedRow>& refused);
  void check_keys(const RowBatch& batch, std::size_t first_row, std::vector<RefusedRow>& refused) const;
  void fill_hidden(RowBatch& batch);

  std::shared_ptr<TableState> table_;
  const std::shared_ptr<StreamState> stream_;
  const std::string descriptor_;
  Writer& writer_;
  Widen widen_;
  std::shared_ptr<const TableVersion> version_;
  std::optional<wire::RowDecoder> decoder_;
  std::vector<LogicalType> types_;  // of chunks in layout_
  ChunkLayout layout_ = ChunkLayout::kPlain;
  Mode mode_ = Mode::kUnknown;  // rows of one session are changes, or plain rows, never both
  wire::RowChanges changes_;    // of one chunk
  bool needs_wide_ = false;
};

}  // namespace flytt::warehouse::internal
