#include "postgres/internal/copy_decoder.h"

#include <algorithm>

#include "postgres/internal/client.h"
#include "postgres/internal/wire.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
constexpr std::string_view kEndMark("\xFF\xFF", 2);
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
  places_.resize(forms_.size() * kCopyBlockRows);
}

Error CopyDecoder::malformed() const {
  return Error(ErrorCode::kCorrupt,
               "the copy of " + builder_.plan().schema->source_table + " is not in PostgreSQL's binary format")
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterBackoff);
}

bool CopyDecoder::consume_header(std::string_view& message) {
  WireReader in(message);
  const std::string_view signature = in.bytes(kSignature.size());
  const auto flags = in.number<std::uint32_t>();
  const auto extension = in.number<std::uint32_t>();
  in.bytes(extension);
  if (in.failed() || signature != kSignature || (flags & kCriticalFlags) != 0) return false;
  message.remove_prefix(message.size() - in.left());
  header_seen_ = true;
  return true;
}

// Where the cells of one message lie; it is one whole row.
bool CopyDecoder::locate(std::string_view message, std::size_t row) {
  const char* at = message.data();
  const char* const end = at + message.size();
  if (end - at < 2 || static_cast<std::size_t>(read_big_endian<std::uint16_t>(at)) != forms_.size()) return false;
  at += 2;
  Place* place = places_.data() + row;
  for (std::size_t i = 0; i < forms_.size(); ++i, place += kCopyBlockRows) {
    if (end - at < 4) return false;
    const auto length = read_big_endian<std::int32_t>(at);
    at += 4;
    if (length < -1 || end - at < length) return false;
    *place = {at, length};
    at += std::max(length, 0);
  }
  return at == end;
}

Status CopyDecoder::consume(const std::string_view* messages, std::size_t count) {
  std::size_t rows = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::string_view message = messages[i];
    bytes_ += message.size();
    if (!header_seen_ && !consume_header(message)) return malformed();
    if (message.empty()) continue;  // the header came alone
    if (ended_) return malformed();
    if (message == kEndMark) {
      ended_ = true;
      continue;
    }
    if (!locate(message, rows)) return malformed();
    if (++rows < kCopyBlockRows) continue;
    TRY_STATUS(fill(rows));
    rows = 0;
  }
  return rows == 0 ? ok() : fill(rows);
}

Status CopyDecoder::fill(std::size_t rows) {
  const std::size_t before = builder_.rows();
  for (std::size_t i = 0; i < forms_.size(); ++i) {
    if (fill_column(i, rows) == Verdict::kOk) continue;
    for (data::Column& column : builder_.slice().columns)
      while (column.size() > before) column.pop_back();
    return fill_by_rows(rows);
  }
  return ok();
}

Verdict CopyDecoder::fill_column(std::size_t index, std::size_t rows) {
  data::Column& out = builder_.slice().columns[index];
  const Codec& codec = builder_.plan().codecs[index];
  const Place* const first = places_.data() + index * kCopyBlockRows;
  const Place* const last = first + rows;
  const bool binary = forms_[index] == 'b';
  if (codec.kind == ValueKind::kInt4 || codec.kind == ValueKind::kInt8) {
    const std::int32_t width = codec.kind == ValueKind::kInt4 ? 4 : 8;
    for (const Place* place = first; place != last; ++place) {
      if (place->length == width)
        out.append_int64(width == 4 ? read_big_endian<std::int32_t>(place->at)
                                    : read_big_endian<std::int64_t>(place->at));
      else if (place->length == -1)
        out.append_null();
      else
        return Verdict::kMalformed;
    }
    return Verdict::kOk;
  }
  if ((codec.kind == ValueKind::kText && !codec.check_utf8) || codec.kind == ValueKind::kBytea) {
    for (const Place* place = first; place != last; ++place) {
      if (place->length >= 0)
        out.append_bytes({place->at, static_cast<std::size_t>(place->length)});
      else
        out.append_null();
    }
    return Verdict::kOk;
  }
  for (const Place* place = first; place != last; ++place) {
    if (place->length == -1) {
      builder_.append_missing(index);
      continue;
    }
    const std::string_view bytes(place->at, static_cast<std::size_t>(place->length));
    const Verdict verdict = binary ? decode_binary(codec, bytes, out) : decode_text(codec, bytes, out);
    if (verdict != Verdict::kOk) return verdict;
  }
  return Verdict::kOk;
}

Status CopyDecoder::fill_by_rows(std::size_t rows) {
  std::vector<Cell> cells(forms_.size());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const Place& place = places_[i * kCopyBlockRows + row];
      cells[i] = place.length < 0 ? Cell{} : Cell{forms_[i], {place.at, static_cast<std::size_t>(place.length)}};
    }
    TRY(const bool ignored, builder_.append(cells, sequence_));
    static_cast<void>(ignored);
  }
  return ok();
}

data::TableSlice CopyDecoder::take() {
  data::TableSlice slice = builder_.take();
  slice.sequences.assign(1, sequence_);
  bytes_ = 0;
  return slice;
}

}  // namespace flytt::postgres
