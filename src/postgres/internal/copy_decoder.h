#pragma once
// CopyDecoder: COPY … (FORMAT binary) into columns (PostgreSQL manual, COPY, "Binary Format").
//
// The stream is a header (signature, flags, extension), then per row an int16 column count and per column an int32
// length (−1: NULL) with that many bytes, then the count −1. Each message of the server is one row, the first one behind
// the header.
//
// This is the hot path of a first load, so it works on many rows at once: one pass finds where the cells lie, then each
// column is filled by a loop of its own kind. When a value in such a block cannot be represented, the block is taken
// back and goes cell by cell through RowBuilder, which notes what it refuses.

#include <memory>
#include <string_view>
#include <vector>

#include "postgres/internal/row_builder.h"

namespace flytt::postgres {

class CopyDecoder {
 public:
  CopyDecoder(std::shared_ptr<const RowPlan> plan, data::Sequence sequence);

  // CopyData contents in their order. kCorrupt when they contradict the format or the plan, or a value its type.
  Status consume(const std::string_view* messages, std::size_t count);
  Status consume(std::string_view message) { return consume(&message, 1); }
  std::size_t rows() const { return builder_.rows(); }
  // Of the messages since the last take.
  std::size_t bytes() const { return bytes_; }
  std::size_t rejections() { return builder_.slice().rejections.size(); }
  // The rows so far, all of the one sequence.
  data::TableSlice take();
  bool ended() const { return ended_; }

 private:
  struct Place {
    const char* at;
    std::int32_t length;  // −1: NULL
  };
  bool consume_header(std::string_view& message);
  bool locate(std::string_view message, std::size_t row);
  Verdict fill_column(std::size_t column, std::size_t rows);
  Status fill(std::size_t rows);
  Status fill_by_rows(std::size_t rows);
  Error malformed() const;

  RowBuilder builder_;
  std::vector<char> forms_;    // per column: 'b' or 't'
  std::vector<Place> places_;  // of a block, column by column
  data::Sequence sequence_;
  std::size_t bytes_ = 0;
  bool header_seen_ = false, ended_ = false;
};

// What COPY selects for a column so that its bytes have the form that its codec reads: the column itself, or the text
// of its output function.
std::string copy_expression(const std::string& column, const Codec& codec);

}  // namespace flytt::postgres
