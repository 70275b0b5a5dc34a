#include "kafka/internal/message_rows.h"

#include "base/log.h"
#include "data/civil.h"
#include "data/json_text.h"
#include "data/utf8.h"
#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

using data::Column;
using data::TypeKind;

Refusal refuse(Verdict verdict, const std::string& column, const data::Type& type = {}) {
  return {verdict, column, sentence(verdict, type)};
}

bool is_text_type(const data::Type& type) { return !type.is(TypeKind::kBytes); }

void append_headers(const Message& message, Column& column) {
  Column& pairs = column.children().front();
  if (message.headers)
    for (const Header& header : message.headers->read()) {
      pairs.children()[0].append_bytes(header.key);
      if (header.value)
        pairs.children()[1].append_bytes(*header.value);
      else
        pairs.children()[1].append_null();
      pairs.close_struct();
    }
  column.close_list();
}

std::optional<std::int64_t> micros_of(std::int64_t milliseconds) {
  const bool is_known = milliseconds >= 0 && milliseconds <= data::kTimestampMax / 1'000;
  return is_known ? std::optional(milliseconds * 1'000) : std::nullopt;
}

void append_timestamp(std::int64_t milliseconds, Column& column) {
  const auto micros = micros_of(milliseconds);
  micros ? column.append_int64(*micros) : column.append_null();
}

std::string registry_sentence(std::uint32_t id) {
  return "the message is framed for a schema registry (schema id " + std::to_string(id) +
         "), and only plain JSON, text and bytes are understood: let its producer write plain JSON, or read the topic "
         "in "
         "format bytes";
}

constexpr std::string_view kSchemaIdHeader = "__value_schema_id";

bool has_schema_id_header(const Message& message) {
  if (!message.headers) return false;
  for (const Header& header : message.headers->read())
    if (header.key == kSchemaIdHeader) return true;
  return false;
}

}  // namespace

std::optional<std::uint32_t> registry_schema_id(std::string_view payload) {
  if (payload.size() < 5 || payload.front() != '\0') return std::nullopt;
  std::uint32_t id = 0;
  for (int i = 1; i < 5; ++i) id = id << 8 | static_cast<unsigned char>(payload[static_cast<std::size_t>(i)]);
  return id;
}

MessageRows::MessageRows(PayloadSettings settings) : settings_(std::move(settings)), rules_(settings_) {}

data::TableSlice MessageRows::make_slice(const TableShape& shape, std::uint32_t lane, std::int64_t first_offset) const {
  data::TableSlice slice(shape.schema());
  slice.lane = lane;
  if (!settings_.is_upsert)
    slice.sequences.push_back(data::Sequence::of(1, static_cast<std::uint64_t>(first_offset), 0));
  return slice;
}

std::optional<MessageRows::Outcome> MessageRows::append(const Message& message, TableShape& shape,
                                                        data::TableSlice& slice) {
  CHECK(slice.schema == shape.schema());
  const std::size_t rows = slice.row_count();
  bool grew = false;
  Refusal refusal = fill(message, shape, slice, grew);
  if (grew) return std::nullopt;
  if (refusal.verdict != Verdict::kOk) {
    for (Column& column : slice.columns) roll_back(column, rows);
    reject(message, std::move(refusal), slice);
    return Outcome::kRejected;
  }
  if (settings_.is_upsert) {
    slice.kinds.push_back(message.value ? data::ChangeKind::kUpsert : data::ChangeKind::kDelete);
    slice.sequences.push_back(message.sequence);
  }
  return Outcome::kRow;
}

Refusal MessageRows::fill(const Message& message, TableShape& shape, data::TableSlice& slice, bool& grew) {
  const std::size_t rows = slice.row_count();
  if (settings_.is_upsert && !message.key) return refuse(Verdict::kNoKey, {});
  if (Refusal r = fill_payload(message, shape, slice, grew); r.verdict != Verdict::kOk || grew) return r;
  if (Refusal r = fill_extras(message, shape, slice); r.verdict != Verdict::kOk) return r;
  if (settings_.is_upsert && !settings_.key_fields.empty()) return fill_key(message, shape, slice, rows);
  return {};
}

Refusal MessageRows::fill_payload(const Message& message, TableShape& shape, data::TableSlice& slice, bool& grew) {
  if (!message.value && settings_.is_upsert) {
    for (std::size_t i = 0; i < slice.columns.size(); ++i)
      if (shape.role(i) == ColumnRole::kPayload || shape.role(i) == ColumnRole::kRest) slice.columns[i].append_null();
    return {};
  }
  if (settings_.format != Format::kJson) {
    const FieldPlan& plan = shape.payload().front();
    Column& column = slice.columns[plan.column];
    if (!message.value) {
      if (plan.is_required) return refuse(Verdict::kNull, plan.path);
      column.append_null();
      return {};
    }
    if (is_text_type(plan.type) && !data::is_valid_utf8(*message.value)) return refuse(Verdict::kNotUtf8, plan.path);
    const Verdict verdict = append_text(plan.type, *message.value, rules_, column);
    return verdict == Verdict::kOk ? Refusal{} : refuse(verdict, plan.path, plan.type);
  }
  // A message without a value says as much as one without fields.
  const std::string_view payload = message.value ? *message.value : std::string_view("{}");
  if (const auto id = registry_schema_id(payload)) return {Verdict::kMalformed, {}, registry_sentence(*id)};
  Refusal refusal = shape.rows().decode(payload, slice.columns);
  if (refusal.verdict == Verdict::kUnknownField) {
    grew = shape.grow(settings_, payload);
    // A member that got no column although one is wanted: the table is full.
    return grew ? Refusal{} : refuse(Verdict::kTooManyColumns, {});
  }
  if (refusal.verdict == Verdict::kMalformed && has_schema_id_header(message))
    refusal.reason =
        "the message is not JSON, and its header __value_schema_id names a schema registry, which is not understood: "
        "let "
        "its producer write plain JSON, or read the topic in format bytes";
  return refusal;
}

Refusal MessageRows::fill_extras(const Message& message, const TableShape& shape, data::TableSlice& slice) {
  const auto& fields = shape.schema()->table.fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    Column& column = slice.columns[i];
    switch (shape.role(i)) {
      case ColumnRole::kPayload:
      case ColumnRole::kRest: break;
      case ColumnRole::kTopic: column.append_bytes(message.topic); break;
      case ColumnRole::kPartition: column.append_int64(message.partition); break;
      case ColumnRole::kOffset: column.append_int64(message.offset); break;
      case ColumnRole::kTimestamp: append_timestamp(message.timestamp_ms, column); break;
      case ColumnRole::kHeaders: append_headers(message, column); break;
      case ColumnRole::kOther: column.append_null(); break;
      case ColumnRole::kKey:
        if (!message.key) {
          column.append_null();
        } else if (is_text_type(fields[i].type) && !data::is_valid_utf8(*message.key)) {
          return refuse(Verdict::kNotUtf8, fields[i].name);
        } else {
          column.append_bytes(*message.key);
        }
    }
  }
  return {};
}

// The key as a JSON object with the key fields, or, for one field, as its bare value: a JSON scalar or a text.
Refusal MessageRows::fill_key(const Message& message, const TableShape& shape, data::TableSlice& slice,
                              std::size_t rows) {
  const data::TableSchema& table = shape.schema()->table;
  if (key_schema_ != shape.schema()) {
    std::vector<FieldPlan> plans;
    for (const FieldPlan& payload : shape.payload())
      if (table.is_key(payload.column)) {
        plans.push_back(payload);
        plans.back().is_required = true;
      }
    key_rows_ = std::make_unique<JsonRows>(std::move(plans), rules_, UnknownMember::kPassOver, 0);
    key_schema_ = shape.schema();
  }
  const std::vector<FieldPlan>& plans = key_rows_->fields();
  std::vector<Column> cells;
  for (const data::Field& field : table.fields) cells.emplace_back(field.type);
  const std::string_view key = *message.key;
  const bool is_quoted = !key.empty() && key.front() == '"' && data::check_json(key) == data::JsonVerdict::kOk;
  Refusal refusal;
  if (plans.size() > 1 || (!key.empty() && key.front() == '{')) {
    refusal = key_rows_->decode(key, cells);
  } else if (is_quoted) {
    refusal = key_rows_->decode("{" + base::json_quote(plans.front().key) + ":" + std::string(key) + "}", cells);
  } else {
    const FieldPlan& plan = plans.front();
    Verdict verdict = data::is_valid_utf8(key) || !is_text_type(plan.type) ? Verdict::kOk : Verdict::kNotUtf8;
    if (verdict == Verdict::kOk) verdict = append_text(plan.type, key, rules_, cells[plan.column]);
    if (verdict != Verdict::kOk) refusal = refuse(verdict, plan.path, plan.type);
  }
  if (refusal.verdict != Verdict::kOk) {
    refusal.reason = "in the message's key: " + refusal.reason;
    return refusal;
  }
  for (const FieldPlan& plan : plans) {
    Column& column = slice.columns[plan.column];
    roll_back(column, rows);
    column.append_from(cells[plan.column], 0);
  }
  return {};
}

void MessageRows::reject(const Message& message, Refusal refusal, data::TableSlice& slice) {
  data::Rejection rejection;
  rejection.column = std::move(refusal.column);
  rejection.reason = std::move(refusal.reason);
  rejection.position =
      std::string(message.topic) + "/" + std::to_string(message.partition) + "/" + std::to_string(message.offset);
  rejection.sequence = message.sequence;
  if (settings_.keeps_raw) {
    if (message.key && message.key->size() <= kRejectedKeyMax && data::is_valid_utf8(*message.key))
      rejection.key = *message.key;
    if (message.value) rejection.raw = message.value->substr(0, kRejectedRawMax);
    if (message.headers)
      for (const Header& header : message.headers->read())
        rejection.message_headers.emplace_back(header.key, header.value);
  }
  rejection.message_micros = micros_of(message.timestamp_ms);
  slice.rejections.push_back(std::move(rejection));
}

}  // namespace flytt::kafka
