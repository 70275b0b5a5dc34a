#include "kafka/internal/shape.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "kafka/internal/names.h"
#include "kafka/internal/times.h"
#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

using data::Type;
using data::TypeKind;
namespace od = simdjson::ondemand;

Shape& member(Shape& shape, std::string_view key) {
  for (ShapeMember& known : shape.members)
    if (known.key == key) return known.shape;
  shape.members.push_back({std::string(key), {}});
  return shape.members.back().shape;
}

void observe_number(std::string_view token, Shape& shape) {
  ++shape.numbers;
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
  std::int64_t whole;
  const char* end = token.data() + token.size();
  if (const auto [at, failure] = std::from_chars(token.data(), end, whole); failure == std::errc() && at == end) return;
  if (token.find_first_of(".eE") != token.npos) {
    shape.has_fraction = true;
    return;
  }
  shape.digits_max = std::max(shape.digits_max, token.size() - (token.front() == '-' ? 1 : 0));
}

void observe_string(std::string_view text, Shape& shape) {
  ++shape.strings;
  if (text.size() < 10 || text[4] != '-') return;
  if (read_date(text, true))
    ++shape.dates;
  else if (read_datetime(text, true))
    ++shape.datetimes;
  else if (read_timestamp(text, true))
    ++shape.timestamps;
}

bool observe_value(od::value value, Shape& shape, std::size_t depth);

bool observe_object(od::object object, Shape& shape, std::size_t depth) {
  ++shape.objects;
  for (auto entry : object) {
    od::field field;
    std::string_view key;
    if (std::move(entry).get(field) || field.unescaped_key().get(key)) return false;
    // The reference is taken anew for each member: the list grows.
    if (!observe_value(field.value(), member(shape, key), depth + 1)) return false;
  }
  return true;
}

bool observe_array(od::array array, Shape& shape, std::size_t depth) {
  ++shape.arrays;
  for (auto entry : array) {
    od::value value;
    if (std::move(entry).get(value)) return false;
    bool is_null = false;
    if (value.is_null().get(is_null)) return false;
    if (is_null) {
      shape.has_null_element = true;
      continue;
    }
    if (shape.element.empty()) shape.element.emplace_back();
    if (!observe_value(value, shape.element.front(), depth + 1)) return false;
  }
  return true;
}

bool observe_value(od::value value, Shape& shape, std::size_t depth) {
  od::json_type form;
  if (value.type().get(form)) return false;
  switch (form) {
    case od::json_type::null: return true;
    case od::json_type::boolean: ++shape.bools; return true;
    case od::json_type::number: observe_number(value.raw_json_token(), shape); return true;
    case od::json_type::string: {
      std::string_view text;
      if (value.get_string().get(text)) return false;
      observe_string(text, shape);
      return true;
    }
    case od::json_type::object: {
      od::object object;
      if (value.get_object().get(object)) return false;
      // Deeper than a column may be nested it is JSON in any case, so its members do not matter.
      if (depth >= kStructDepthMax) {
        ++shape.objects;
        return true;
      }
      return observe_object(object, shape, depth);
    }
    case od::json_type::array: {
      od::array array;
      if (value.get_array().get(array)) return false;
      if (depth >= kStructDepthMax) {
        ++shape.arrays;
        shape.has_null_element = true;  // no ARRAY: JSON
        return true;
      }
      return observe_array(array, shape, depth);
    }
  }
  return false;
}

Type number_type(const Shape& shape) {
  if (shape.has_fraction) return TypeKind::kFloat64;
  if (shape.digits_max == 0) return TypeKind::kInt64;
  if (shape.digits_max <= 29) return TypeKind::kNumeric;
  return shape.digits_max <= 38 ? TypeKind::kBigNumeric : TypeKind::kFloat64;
}

Type string_type(const Shape& shape, const PayloadSettings& settings) {
  if (!settings.detects_times) return TypeKind::kString;
  if (shape.timestamps == shape.strings) return TypeKind::kTimestamp;
  if (shape.datetimes == shape.strings) return TypeKind::kDatetime;
  return shape.dates == shape.strings ? TypeKind::kDate : TypeKind::kString;
}

std::optional<Type> nested_type(const Shape& shape, const PayloadSettings& settings, std::size_t depth);

std::optional<Type> type_at(const Shape& shape, const PayloadSettings& settings, std::size_t depth) {
  const int forms =
      (shape.bools != 0) + (shape.numbers != 0) + (shape.strings != 0) + (shape.objects != 0) + (shape.arrays != 0);
  if (forms == 0) return std::nullopt;
  if (forms > 1) return Type(TypeKind::kJson);
  if (shape.bools != 0) return Type(TypeKind::kBool);
  if (shape.numbers != 0) return number_type(shape);
  if (shape.strings != 0) return string_type(shape, settings);
  return nested_type(shape, settings, depth);
}

std::optional<Type> nested_type(const Shape& shape, const PayloadSettings& settings, std::size_t depth) {
  if (shape.arrays != 0) {
    if (shape.has_null_element) return Type(TypeKind::kJson);
    if (shape.element.empty()) return std::nullopt;
    if (settings.nested == NestedForm::kJson && shape.element.front().objects != 0) return Type(TypeKind::kJson);
    const auto element = type_at(shape.element.front(), settings, depth + 1);
    if (!element || element->is(TypeKind::kArray) || element->is(TypeKind::kJson)) return Type(TypeKind::kJson);
    return Type::array(*element);
  }
  if (settings.nested == NestedForm::kJson || depth >= kStructDepthMax) return Type(TypeKind::kJson);
  std::vector<std::string> taken;
  auto fields = fields_of(shape, settings, taken, depth + 1);
  if (fields.empty()) return Type(TypeKind::kJson);
  return Type::structure(std::move(fields));
}

}  // namespace

bool observe(std::string_view payload, Shape& shape) {
  od::parser parser;
  simdjson::padded_string padded(payload.data(), payload.size());
  od::document document;
  od::object object;
  if (parser.iterate(padded).get(document) || document.get_object().get(object)) return false;
  Shape more = shape;
  if (!observe_object(object, more, 0) || document.current_location().error() != simdjson::OUT_OF_BOUNDS) return false;
  shape = std::move(more);
  return true;
}

std::optional<Type> type_of(const Shape& shape, const PayloadSettings& settings) { return type_at(shape, settings, 0); }

std::vector<data::StructField> fields_of(const Shape& shape, const PayloadSettings& settings,
                                         std::vector<std::string>& taken, std::size_t depth) {
  std::vector<data::StructField> fields;
  for (const ShapeMember& member : shape.members) {
    auto type = type_at(member.shape, settings, depth);
    if (!type) continue;
    std::string name = member.key;
    const auto is_taken = [&taken](const std::string& candidate) {
      return std::find(taken.begin(), taken.end(), folded(candidate)) != taken.end();
    };
    if (!is_plain_name(name) || is_taken(name)) name = marked_name(name);
    if (is_taken(name)) continue;  // two members with the same marked name: the first keeps it
    taken.push_back(folded(name));
    fields.push_back({std::move(name), std::move(*type)});
  }
  return fields;
}

std::size_t grow(Type& known, const Shape& shape, const PayloadSettings& settings, std::size_t fields_left,
                 std::size_t depth) {
  if (known.is(TypeKind::kArray)) {
    if (shape.element.empty()) return 0;
    return grow(known.element.front(), shape.element.front(), settings, fields_left, depth);
  }
  if (!known.is(TypeKind::kStruct)) return 0;
  std::size_t added = 0;
  Shape fresh;  // members without a field
  std::vector<std::string> taken;
  for (const data::StructField& field : known.fields) taken.push_back(folded(field.name));
  for (const ShapeMember& member : shape.members) {
    const auto field = std::find_if(known.fields.begin(), known.fields.end(), [&member](const data::StructField& f) {
      return f.name == member.key || f.name == marked_name(member.key);
    });
    if (field == known.fields.end())
      fresh.members.push_back(member);
    else
      added += grow(field->type, member.shape, settings, fields_left - std::min(fields_left, added), depth + 1);
  }
  for (data::StructField& field : fields_of(fresh, settings, taken, depth + 1)) {
    const std::size_t size = count_fields(field.type);
    if (added + size > fields_left) continue;
    added += size;
    known.fields.push_back(std::move(field));
  }
  return added;
}

std::size_t count_fields(const Type& type) {
  std::size_t count = 1;
  for (const Type& element : type.element) count += count_fields(element) - 1;
  for (const data::StructField& field : type.fields) count += count_fields(field.type);
  return count;
}

}  // namespace flytt::kafka
