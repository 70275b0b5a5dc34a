#include "postgres/internal/copy_decoder.h"

#include "postgres/internal/client.h"
#include "postgres/internal/wire.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
constexpr std::uint32_t kCriticalFlags = 0xFFFF0000;

}  // namespace

std::string copy_expression(const std::string& column, const Codec& codec) {
  const std::string name = quote_identifier(column);
  if (codec.binary) return name;
  // format('%s') calls the output function; a cast to text does not for every type (inet), and IS NOT NULL is not the
  // same for a row of NULLs.
  return "CASE WHEN " + name + " IS DISTINCT FROM NULL THEN pg_catalog.format('%s', " + name + ") END";
}

CopyDecoder::CopyDecoder(std::shared_ptr<const RowPlan> plan, data::Sequence sequence)
    : builder_(std::move(plan)), sequence_(sequence) {
  for (const Codec& codec : builder_.plan().codecs) forms_.push_back(codec.binary ? 'b' : 't');
}

Error CopyDecoder::malformed() const {
  return Error(ErrorCode::kCorrupt,
               "the copy of " + builder_.plan().schema->source_table + " is not in PostgreSQL's binary format")
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterBackoff);
}

Status CopyDecoder::consume_header(std::string_view& message) {
  WireReader in(message);
  const std::string_view signature = in.bytes(kSignature.size());
  const auto flags = in.number<std::uint32_t>();
  const auto extension = in.number<std::uint32_t>();
  in.bytes(extension);
  if (in.failed() || signature != kSignature || (flags & kCriticalFlags) != 0) return malformed();
  message.remove_prefix(message.size() - in.left());
  header_seen_ = true;
  return ok();
}

Status CopyDecoder::consume(std::string_view message) {
  if (!header_seen_) TRY_STATUS(consume_header(message));
  bytes_ += message.size();
  const char* at = message.data();
  const char* const end = at + message.size();
  while (at < end) {
    if (end - at < 2 || ended_) return malformed();
    const auto count = read_big_endian<std::int16_t>(at);
    if (count == -1) {
      ended_ = true;
      at += 2;
      continue;
    }
    if (static_cast<std::size_t>(count) != forms_.size()) return malformed();
    at += 2;
    TRY_STATUS(consume_row(at, end));
  }
  return ok();
}

Status CopyDecoder::consume_row(const char*& at, const char* const end) {
  const char* const row = at;
  const std::size_t columns = forms_.size();
  for (std::size_t i = 0; i < columns; ++i) {
    if (end - at < 4) return malformed();
    const auto length = read_big_endian<std::int32_t>(at);
    at += 4;
    if (length < 0) {
      if (length != -1) return malformed();
      builder_.append_missing(i);
      continue;
    }
    if (end - at < length) return malformed();
    const Verdict verdict = builder_.append_cell(i, Cell{forms_[i], {at, static_cast<std::size_t>(length)}});
    at += length;
    if (verdict == Verdict::kOk) continue;
    bool kept = false;
    TRY_STATUS(refuse_cell(i, verdict, row, end, kept));
    if (kept) continue;
    // The row is left out: go over what remains of it.
    for (std::size_t rest = i + 1; rest < columns; ++rest) {
      const auto skipped = end - at < 4 ? INT32_MIN : read_big_endian<std::int32_t>(at);
      if (skipped < -1 || end - at - 4 < skipped) return malformed();
      at += 4 + std::max(skipped, 0);
    }
    return ok();
  }
  return ok();
}

Status CopyDecoder::refuse_cell(std::size_t column, Verdict verdict, const char* row, const char* end, bool& kept) {
  WireReader in({row, static_cast<std::size_t>(end - row)});
  std::vector<Cell> cells(forms_.size());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto length = in.number<std::int32_t>();
    if (length >= 0) cells[i] = Cell{forms_[i], in.bytes(static_cast<std::size_t>(length))};
  }
  if (in.failed()) return malformed();
  TRY(kept, builder_.refuse(column, verdict, cells, sequence_));
  return ok();
}

data::TableSlice CopyDecoder::take() {
  data::TableSlice slice = builder_.take();
  slice.sequences.assign(1, sequence_);
  bytes_ = 0;
  return slice;
}

}  // namespace flytt::postgres
