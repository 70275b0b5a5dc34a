#include "pipeline/quarantine.h"

#include "data/utf8.h"
#include "pipeline/internal/schema_diff.h"
#include "pipeline/internal/sha256.h"
#include "pipeline/limits.h"

namespace flytt::pipeline {

namespace {

enum QuarantineColumn : std::size_t {
  kSource,
  kTable,
  kPosition,
  kColumn,
  kKey,
  kReason,
  kErrorCode,
  kTime,
  kRaw,
  kRawSize,
  kRawSha256,
  kAttempts,
  kSequence,
  kMessageTime,
  kMessageHeaders
};

// The head must not end inside a UTF-8 character: the column is a STRING.
std::string_view head_of(std::string_view raw) {
  std::size_t size = kQuarantineRawHead;
  while (size > 0 && (static_cast<unsigned char>(raw[size]) & 0xC0) == 0x80) --size;
  return raw.substr(0, size);
}

// Broken text is what brings some rows here; in a STRING column its odd bytes are spelled out.
std::string readable(std::string_view text) {
  if (data::is_valid_utf8(text)) return std::string(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80)
      out += c;
    else
      (out += "\\x") += {"0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
  }
  return out;
}

void append_message(const data::Rejection& rejection, data::TableSlice& slice) {
  data::Column& time = slice.columns[kMessageTime];
  rejection.message_micros ? time.append_int64(*rejection.message_micros) : time.append_null();
  data::Column& headers = slice.columns[kMessageHeaders];
  data::Column& pairs = headers.children().front();
  for (const auto& [key, value] : rejection.message_headers) {
    pairs.children()[0].append_bytes(readable(key));
    value ? pairs.children()[1].append_bytes(*value) : pairs.children()[1].append_null();
    pairs.close_struct();
  }
  headers.close_list();
}

std::string_view error_code(const QuarantineEntry& entry) {
  if (entry.is_refused_by_destination) return "refused_by_destination";
  return entry.rejection.column.empty() ? "row_not_representable" : "value_not_representable";
}

}  // namespace

data::TableSchema Quarantine::table_schema() {
  using data::TypeKind;
  const auto field = [](const char* name, TypeKind kind, bool required, const char* description) {
    return data::Field{name, data::Type(kind), required, description};
  };
  data::TableSchema schema;
  schema.fields = {
      field("source", TypeKind::kString, true, "source that the row came from"),
      field("table", TypeKind::kString, true, "its table there"),
      field("position", TypeKind::kString, true,
            "topic/partition/offset, or the sequence of the change: epoch/position/ordinal, hexadecimal"),
      field("column", TypeKind::kString, true, "column that is NULL in the row; empty: the whole row is missing"),
      field("key", TypeKind::kString, true, "key of the row"),
      field("reason", TypeKind::kString, false, "why it could not be written"),
      field("error_code", TypeKind::kString, false,
            "value_not_representable, row_not_representable or refused_by_destination"),
      field("time", TypeKind::kTimestamp, false, "when it was set aside"),
      field("raw", TypeKind::kString, false, "the source's text form; beyond 8 MiB only its head"),
      field("raw_size", TypeKind::kInt64, false, "bytes of the source's text form"),
      field("raw_sha256", TypeKind::kString, false,
            "of the whole text form, when raw is only its head or not its bytes"),
      field("attempts", TypeKind::kInt64, false, "how often it was retried"),
      field("sequence", TypeKind::kString, false,
            "of a message: its place in the order of the rows of its key, hexadecimal sections"),
      field("message_time", TypeKind::kTimestamp, false, "when the message was made"),
      // Last: the embedded warehouse adds no column behind an ARRAY that it adds at the same time.
      {"message_headers",
       data::Type::array(data::Type::structure({{"key", TypeKind::kString}, {"value", TypeKind::kBytes}})), false,
       "headers of the message"},
  };
  schema.key = {kSource, kTable, kPosition, kColumn, kKey};
  return schema;
}

Result<std::shared_ptr<const data::SliceSchema>> Quarantine::beside(const data::TablePath& table) {
  const data::TablePath path{table.project, table.dataset, std::string(kQuarantineTable)};
  std::lock_guard lock(mutex_);
  if (const auto found = ready_.find(path); found != ready_.end()) return found->second;
  auto schema = std::make_shared<const data::SliceSchema>(
      data::SliceSchema{std::string(kQuarantineTable), data::SchemaVersion(1), table_schema(), path});
  TRY(auto there, destination_.table(path));
  if (!there) {
    auto made = destination_.create_table(*schema);
    if (!made && made.error().code() != ErrorCode::kConflict) return std::move(made).error();
    if (!made) {  // another pipeline made it at the same moment
      TRY(there, destination_.table(path));
      if (!there)
        return Error(ErrorCode::kUnavailable, "table " + path.text() + " comes and goes").side(base::Side::kSink);
    }
  }
  if (there) {
    const internal::SchemaDiff diff = internal::compare_schemas(there->schema, schema->table);
    if (diff.is_refused())
      return Error(ErrorCode::kSchema,
                   "table " + path.text() + " cannot be used as quarantine: " + diff.refusal + "; drop or rename it")
          .side(base::Side::kSink);
    if (!diff.additions.empty()) TRY_STATUS(destination_.add_columns(path, diff.additions));
  }
  ready_.emplace(path, schema);
  return std::shared_ptr<const data::SliceSchema>(std::move(schema));
}

data::TableSlice Quarantine::slice(std::shared_ptr<const data::SliceSchema> schema,
                                   const std::vector<QuarantineEntry>& entries) const {
  data::TableSlice slice(std::move(schema));
  for (const QuarantineEntry& entry : entries) {
    const data::Rejection& rejection = entry.rejection;
    // What is no text is spelled out, and so is not kept whole either.
    const bool is_small = rejection.raw.size() <= kQuarantineRawMax;
    const bool is_whole = is_small && data::is_valid_utf8(rejection.raw);
    slice.columns[kSource].append_bytes(source_);
    slice.columns[kTable].append_bytes(entry.source_table);
    slice.columns[kPosition].append_bytes(rejection.position.empty() ? rejection.sequence.sections()
                                                                     : rejection.position);
    slice.columns[kColumn].append_bytes(rejection.column);
    slice.columns[kKey].append_bytes(readable(rejection.key));
    slice.columns[kReason].append_bytes(readable(rejection.reason));
    slice.columns[kErrorCode].append_bytes(error_code(entry));
    slice.columns[kTime].append_int64(clock_.wall_micros());
    slice.columns[kRaw].append_bytes(readable(is_small ? std::string_view(rejection.raw) : head_of(rejection.raw)));
    slice.columns[kRawSize].append_int64(static_cast<std::int64_t>(rejection.raw.size()));
    if (is_whole)
      slice.columns[kRawSha256].append_null();
    else
      slice.columns[kRawSha256].append_bytes(internal::sha256_hex(rejection.raw));
    slice.columns[kAttempts].append_int64(0);
    append_message(rejection, slice);
    if (rejection.position.empty())
      slice.columns[kSequence].append_null();
    else
      slice.columns[kSequence].append_bytes(rejection.sequence.sections());
    slice.sequences.push_back(rejection.sequence);
  }
  return slice;
}

}  // namespace flytt::pipeline
