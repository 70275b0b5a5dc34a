#include "kafka/internal/json_rows.h"

#include <simdjson.h>

#include "base/log.h"
#include "data/civil.h"
#include "data/json_text.h"
#include "kafka/internal/names.h"
#include "kafka/internal/plain_json.h"
#include "kafka/internal/times.h"
#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

using data::TypeKind;
namespace od = simdjson::ondemand;

Verdict verdict_of(simdjson::error_code code) {
  if (code == simdjson::SUCCESS) return Verdict::kOk;
  if (code == simdjson::UTF8_ERROR) return Verdict::kNotUtf8;
  if (code == simdjson::INCORRECT_TYPE) return Verdict::kWrongForm;
  if (code == simdjson::DEPTH_ERROR) return Verdict::kTooDeep;
  return Verdict::kMalformed;
}

Verdict verdict_of(data::JsonVerdict verdict) {
  switch (verdict) {
    case data::JsonVerdict::kOk: return Verdict::kOk;
    case data::JsonVerdict::kTooDeep: return Verdict::kTooDeep;
    case data::JsonVerdict::kNumber: return Verdict::kJsonNumber;
    case data::JsonVerdict::kCharacter: return Verdict::kJsonCharacter;
    case data::JsonVerdict::kMalformed: break;
  }
  return Verdict::kMalformed;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

// Behind the last token there is no location.
bool is_at_end(od::document& document) { return document.current_location().error() == simdjson::OUT_OF_BOUNDS; }

bool is_time(const data::Type& type) {
  return type.is(TypeKind::kDate) || type.is(TypeKind::kTime) || type.is(TypeKind::kDatetime) ||
         type.is(TypeKind::kTimestamp);
}

}  // namespace

FieldPlan plan_field(std::string key, std::string path, const data::Type& type, std::uint32_t column) {
  FieldPlan plan{std::move(key), std::move(path), type, false, column, {}};
  if (type.is(TypeKind::kArray)) plan.children.push_back(plan_field("", plan.path, type.element.front(), 0));
  for (std::uint32_t i = 0; i < type.fields.size(); ++i)
    plan.children.push_back(
        plan_field(type.fields[i].name, plan.path + "." + type.fields[i].name, type.fields[i].type, i));
  return plan;
}

void roll_back(data::Column& column, std::size_t rows) {
  while (column.size() > rows) column.pop_back();
  for (data::Column& child : column.children()) {
    if (column.layout() == data::Layout::kList)
      roll_back(child, rows == 0 ? 0 : column.list_end(rows - 1));
    else
      roll_back(child, rows);
  }
}

struct JsonRows::Parser {
  od::parser parser;
  std::vector<char> padded;
  // Members that were looked up before: by their name, unescaped, the field's place or -1. Of every object plan.
  std::unordered_map<const void*, std::unordered_map<std::string, int>> lookups;
};

// One message.
struct JsonRows::Pass {
  const JsonRows& owner;
  Parser& parser;
  const FieldPlan* blamed = nullptr;
  bool unknown_seen = false;
  std::vector<std::pair<std::string, std::string>> rest;  // members without a column, as JSON text

  Verdict object(od::object object, const std::vector<FieldPlan>& fields, std::vector<data::Column>& columns,
                 std::size_t rows, bool is_top);
  Verdict member(od::value value, const FieldPlan& plan, data::Column& column, std::size_t rows);
  Verdict cell(od::value value, const FieldPlan& plan, data::Column& column);
  Verdict number(od::value value, const FieldPlan& plan, data::Column& column);
  Verdict list(od::value value, const FieldPlan& plan, data::Column& column);
  Verdict parts(od::value value, const FieldPlan& plan, data::Column& column);
  Verdict json(od::value value, std::string_view& text);
  Verdict unknown(od::value value, std::string_view key, bool is_top);
  int find(const std::vector<FieldPlan>& fields, std::string_view key);
  Verdict blame(Verdict verdict, const FieldPlan& plan) {
    if (verdict != Verdict::kOk && verdict != Verdict::kMalformed && verdict != Verdict::kUnknownField && !blamed)
      blamed = &plan;
    return verdict;
  }
};

// A member's own name first; else the marked one, when a column has it.
int JsonRows::Pass::find(const std::vector<FieldPlan>& fields, std::string_view key) {
  constexpr std::size_t kLookupsMax = 10'000;  // names come from outside
  auto& known = parser.lookups[&fields];
  const auto found = known.find(std::string(key));
  if (found != known.end()) return found->second;
  int place = -1;
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].key == key) place = static_cast<int>(i);
  if (place < 0) {
    const std::string marked = marked_name(key);
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (fields[i].key == marked) place = static_cast<int>(i);
  }
  if (known.size() < kLookupsMax && key.size() <= kColumnNameMax) known.emplace(key, place);
  return place;
}

Verdict JsonRows::Pass::object(od::object object, const std::vector<FieldPlan>& fields,
                               std::vector<data::Column>& columns, std::size_t rows, bool is_top) {
  std::size_t expected = 0;
  for (auto entry : object) {
    od::field field;
    if (const auto error = std::move(entry).get(field)) return verdict_of(error);
    int place = -1;
    if (expected < fields.size() && field.key().unsafe_is_equal(fields[expected].key)) {
      place = static_cast<int>(expected);
    } else {
      std::string_view key;
      if (const auto error = field.unescaped_key().get(key)) return verdict_of(error);
      place = find(fields, key);
      if (place < 0) {
        if (const Verdict v = unknown(field.value(), key, is_top); v != Verdict::kOk) return v;
        continue;
      }
    }
    const FieldPlan& plan = fields[static_cast<std::size_t>(place)];
    if (const Verdict v = member(field.value(), plan, columns[plan.column], rows); v != Verdict::kOk) return v;
    expected = static_cast<std::size_t>(place) + 1;
  }
  for (const FieldPlan& plan : fields) {
    data::Column& column = columns[plan.column];
    if (column.size() > rows) continue;
    if (plan.is_required) return blame(Verdict::kNull, plan);
    column.append_null();
  }
  return Verdict::kOk;
}

Verdict JsonRows::Pass::member(od::value value, const FieldPlan& plan, data::Column& column, std::size_t rows) {
  if (column.size() > rows) roll_back(column, rows);
  bool is_null = false;
  if (const auto error = value.is_null().get(is_null)) return verdict_of(error);
  if (!is_null) return blame(cell(value, plan, column), plan);
  if (plan.is_required) return blame(Verdict::kNull, plan);
  column.append_null();
  return Verdict::kOk;
}

Verdict JsonRows::Pass::cell(od::value value, const FieldPlan& plan, data::Column& column) {
  od::json_type form;
  if (const auto error = value.type().get(form)) return verdict_of(error);
  if (plan.type.is(TypeKind::kJson)) {
    std::string_view text;
    const Verdict verdict = json(value, text);
    if (verdict == Verdict::kOk) column.append_bytes(text);
    return verdict;
  }
  if (form == od::json_type::string) {
    if (plan.type.is(TypeKind::kBool)) return Verdict::kWrongForm;
    std::string_view text;
    if (const auto error = value.get_string().get(text)) return verdict_of(error);
    return append_string(plan.type, text, owner.rules_, column);
  }
  if (plan.type.is(TypeKind::kString) && owner.rules_.scalars_as_strings) {
    std::string_view text;
    const Verdict verdict = json(value, text);
    if (verdict != Verdict::kOk) return verdict;
    if (!fits(plan.type, text)) return Verdict::kTooLong;
    column.append_bytes(text);
    return Verdict::kOk;
  }
  switch (form) {
    case od::json_type::number: return number(value, plan, column);
    case od::json_type::boolean: {
      bool truth;
      if (value.get_bool().get(truth)) return Verdict::kMalformed;
      if (!plan.type.is(TypeKind::kBool)) return Verdict::kWrongForm;
      column.append_bool(truth);
      return Verdict::kOk;
    }
    case od::json_type::array:
      if (is_time(plan.type) && !owner.rules_.strict_times) return parts(value, plan, column);
      return plan.type.is(TypeKind::kArray) ? list(value, plan, column) : Verdict::kWrongForm;
    case od::json_type::object: {
      if (!plan.type.is(TypeKind::kStruct)) return Verdict::kWrongForm;
      od::object inner;
      if (const auto error = value.get_object().get(inner)) return verdict_of(error);
      const Verdict verdict = object(inner, plan.children, column.children(), column.size(), false);
      if (verdict == Verdict::kOk) column.close_struct();
      return verdict;
    }
    case od::json_type::string:
    case od::json_type::null: break;
  }
  return Verdict::kWrongForm;
}

Verdict JsonRows::Pass::number(od::value value, const FieldPlan& plan, data::Column& column) {
  if (plan.type.is(TypeKind::kInt64)) {
    std::int64_t whole;
    if (value.get_int64().get(whole) == simdjson::SUCCESS) {
      column.append_int64(whole);
      return Verdict::kOk;
    }
  } else if (plan.type.is(TypeKind::kFloat64)) {
    double real;
    if (value.get_double().get(real) == simdjson::SUCCESS) {
      column.append_double(real);
      return Verdict::kOk;
    }
  }
  const std::string_view token = trimmed(value.raw_json_token());
  if (!data::is_json_number(token)) return Verdict::kMalformed;
  return append_number(plan.type, token, owner.rules_, column);
}

Verdict JsonRows::Pass::list(od::value value, const FieldPlan& plan, data::Column& column) {
  od::array array;
  if (const auto error = value.get_array().get(array)) return verdict_of(error);
  data::Column& elements = column.children().front();
  for (auto entry : array) {
    od::value element;
    if (const auto error = std::move(entry).get(element)) return verdict_of(error);
    bool is_null = false;
    if (const auto error = element.is_null().get(is_null)) return verdict_of(error);
    if (is_null) return Verdict::kNullElement;
    if (const Verdict v = cell(element, plan.children.front(), elements); v != Verdict::kOk) return v;
  }
  column.close_list();
  return Verdict::kOk;
}

// [2024, 1, 31, 12, 30] as Java's mappers write local dates and times.
Verdict JsonRows::Pass::parts(od::value value, const FieldPlan& plan, data::Column& column) {
  od::array array;
  if (const auto error = value.get_array().get(array)) return verdict_of(error);
  std::int64_t parts[7];
  std::size_t count = 0;
  for (auto entry : array) {
    std::int64_t part;
    if (const auto error = entry.get_int64().get(part)) return verdict_of(error);
    if (count == std::size(parts)) return Verdict::kNotTheText;
    parts[count++] = part;
  }
  const bool is_date = plan.type.is(TypeKind::kDate);
  if (is_date && count != 3) return Verdict::kNotTheText;
  const auto micros = plan.type.is(TypeKind::kTime) ? time_of_parts(parts, count) : datetime_of_parts(parts, count);
  if (!micros) return Verdict::kNotTheText;
  column.append_int64(is_date ? *micros / data::kMicrosPerDay - (*micros % data::kMicrosPerDay < 0 ? 1 : 0) : *micros);
  return Verdict::kOk;
}

// The value's own text, checked in full: On-Demand itself looks only at what it is asked for.
Verdict JsonRows::Pass::json(od::value value, std::string_view& text) {
  od::json_type form;
  if (const auto error = value.type().get(form)) return verdict_of(error);
  if (form == od::json_type::object) {
    od::object inner;
    if (const auto error = value.get_object().get(inner)) return verdict_of(error);
    if (const auto error = inner.raw_json().get(text)) return verdict_of(error);
  } else if (form == od::json_type::array) {
    od::array inner;
    if (const auto error = value.get_array().get(inner)) return verdict_of(error);
    if (const auto error = inner.raw_json().get(text)) return verdict_of(error);
  } else {
    text = value.raw_json_token();
  }
  text = trimmed(text);
  return verdict_of(data::check_json(text));
}

Verdict JsonRows::Pass::unknown(od::value value, std::string_view key, bool is_top) {
  const std::string name(key);  // `key` may lie in a buffer that is used again
  std::string_view text;
  const Verdict verdict = json(value, text);
  if (verdict == Verdict::kMalformed) return verdict;
  if (owner.unknown_ == UnknownMember::kCollect && is_top) {
    if (verdict != Verdict::kOk) return verdict;
    for (auto& [known, old] : rest)
      if (known == name) return old = std::string(text), Verdict::kOk;
    rest.emplace_back(name, text);
  } else if (owner.unknown_ == UnknownMember::kReport && text != "null" && text != "[]") {
    unknown_seen = true;
  }
  return Verdict::kOk;
}

JsonRows::JsonRows(std::vector<FieldPlan> fields, ValueRules rules, UnknownMember unknown, std::uint32_t rest_column)
    : fields_(std::move(fields)),
      rules_(rules),
      unknown_(unknown),
      rest_column_(rest_column),
      has_plain_names_(has_plain_names(fields_)),
      parser_(std::make_unique<Parser>()) {}

JsonRows::~JsonRows() = default;

Refusal JsonRows::decode(std::string_view payload, std::vector<data::Column>& columns) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (payload.substr(0, 3) == kByteOrderMark) payload.remove_prefix(3);
  if (payload.empty()) return {Verdict::kEmpty, {}, sentence(Verdict::kEmpty, {})};
  return decode_plain(payload, columns) ? Refusal{} : decode_long(payload, columns);
}

bool JsonRows::decode_plain(std::string_view payload, std::vector<data::Column>& columns) {
  if (!has_plain_names_) return false;
  if (plain_pause_ > 0) {
    --plain_pause_;
    return false;
  }
  const std::size_t rows = columns.front().size();
  if (append_plain(payload, fields_, rules_, columns)) {
    if (unknown_ == UnknownMember::kCollect) columns[rest_column_].append_null();
    return true;
  }
  for (const FieldPlan& plan : fields_) roll_back(columns[plan.column], rows);
  plain_pause_ = kPlainPause;
  return false;
}

Refusal JsonRows::decode_long(std::string_view payload, std::vector<data::Column>& columns) {
  std::vector<char>& padded = parser_->padded;
  const std::size_t needed = payload.size() + simdjson::SIMDJSON_PADDING;
  if (padded.size() < needed) padded.resize(needed * 2);
  std::copy(payload.begin(), payload.end(), padded.begin());
  std::fill_n(padded.begin() + static_cast<std::ptrdiff_t>(payload.size()), simdjson::SIMDJSON_PADDING, ' ');

  const std::size_t rows = columns.front().size();
  Pass pass{*this, *parser_, nullptr, false, {}};
  od::document document;
  Verdict verdict = verdict_of(parser_->parser.iterate(padded.data(), payload.size(), padded.size()).get(document));
  if (verdict == Verdict::kOk) {
    od::object object;
    if (const auto error = document.get_object().get(object)) {
      const bool is_json = data::check_json(payload) != data::JsonVerdict::kMalformed;
      verdict = error == simdjson::INCORRECT_TYPE && is_json ? Verdict::kNotAnObject : Verdict::kMalformed;
    } else {
      verdict = pass.object(object, fields_, columns, rows, true);
      if (verdict == Verdict::kOk && !is_at_end(document)) verdict = Verdict::kMalformed;
    }
  }
  if (verdict == Verdict::kOk && pass.unknown_seen) verdict = Verdict::kUnknownField;
  if (verdict == Verdict::kOk && unknown_ == UnknownMember::kCollect) {
    std::string rest;
    for (const auto& [key, value] : pass.rest) rest += (rest.empty() ? "{" : ",") + base::json_quote(key) + ":" + value;
    if (rest.empty())
      columns[rest_column_].append_null();
    else
      columns[rest_column_].append_bytes(rest + "}");
  }
  if (verdict == Verdict::kOk) return {};
  for (const FieldPlan& plan : fields_) roll_back(columns[plan.column], rows);
  if (verdict == Verdict::kUnknownField) return {verdict, {}, {}};
  if (!pass.blamed && verdict == Verdict::kWrongForm) verdict = Verdict::kMalformed;  // "nul"
  if (!pass.blamed) return {verdict, {}, sentence(verdict, {})};
  return {verdict, pass.blamed->path, sentence(verdict, pass.blamed->type)};
}

}  // namespace flytt::kafka
