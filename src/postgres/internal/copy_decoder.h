#pragma once
// CopyDecoder: COPY … (FORMAT binary) into columns (PostgreSQL manual, COPY, "Binary Format").
//
// The stream is a header (signature, flags, extension), then per row an int16 column count and per column an int32
// length (−1: NULL) with that many bytes, then the count −1. Each message of the server holds whole parts of it.

#include <memory>
#include <string_view>
#include <vector>

#include "postgres/internal/row_builder.h"

namespace flytt::postgres {

class CopyDecoder {
 public:
  CopyDecoder(std::shared_ptr<const RowPlan> plan, data::Sequence sequence);

  // One CopyData message. kCorrupt when it contradicts the format or the plan.
  Status consume(std::string_view message);
  std::size_t rows() const { return builder_.rows(); }
  // Rough bytes of what was consumed since the last take.
  std::size_t bytes() const { return bytes_; }
  std::size_t rejections() { return builder_.slice().rejections.size(); }
  // The rows so far, all of the one sequence.
  data::TableSlice take();
  bool ended() const { return ended_; }

 private:
  Status consume_header(std::string_view& message);
  // Appends one row. Nothing of it stays when it is refused or malformed.
  Status consume_row(const char*& at, const char* end);
  Status refuse_cell(std::size_t column, Verdict verdict, const char* row, const char* end, bool& kept);
  Error malformed() const;

  RowBuilder builder_;
  std::vector<char> forms_;  // per column: 'b' or 't'
  data::Sequence sequence_;
  std::size_t bytes_ = 0;
  bool header_seen_ = false, ended_ = false;
};

// What COPY selects for a column so that its bytes have the form that its codec reads: the column itself, or the text
// of its output function.
std::string copy_expression(const std::string& column, const Codec& codec);

}  // namespace flytt::postgres
