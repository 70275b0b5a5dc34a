#include "gateway/bigquery/internal/json.h"

#include <algorithm>
#include <charconv>

#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

// The parser is iterative, but what reads its tree is not, so depth is bounded before parsing.
bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kJsonDepthMax) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

}  // namespace

Error invalid(std::string sentence) { return Error(ErrorCode::kBadData, std::move(sentence)).cause("invalid"); }

Error wrong_type(const char* name, const char* expected) {
  return invalid(std::string("Invalid value for '") + name + "': " + expected + " is expected.");
}

Result<Json> parse_body(std::string_view body) {
  if (std::all_of(body.begin(), body.end(), [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }))
    return Json::object();
  if (is_too_deep(body))
    return Error(ErrorCode::kBadData, "Invalid JSON payload received: it is nested deeper than " +
                                          std::to_string(kJsonDepthMax) + " levels.")
        .cause("parseError");
  Json value = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded())
    return Error(ErrorCode::kBadData, "Invalid JSON payload received: the body is not valid JSON.").cause("parseError");
  if (!value.is_object())
    return Error(ErrorCode::kBadData, "Invalid JSON payload received: the body must be a JSON object.")
        .cause("parseError");
  return value;
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<std::optional<std::string>> optional_string(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return wrong_type(name, "a string");
  return std::optional<std::string>(value->get_ref<const std::string&>());
}

Result<std::optional<std::int64_t>> optional_int64(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value == nullptr) return std::optional<std::int64_t>();
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    return wrong_type(name, "an int64");
  if (value->is_number_integer()) return std::optional<std::int64_t>(value->get<std::int64_t>());
  if (value->is_string()) {
    const std::string& text = value->get_ref<const std::string&>();
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure == std::errc() && end == text.data() + text.size() && !text.empty())
      return std::optional<std::int64_t>(number);
  }
  return wrong_type(name, "an integer");
}

Result<std::optional<bool>> optional_bool(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value == nullptr) return std::optional<bool>();
  if (value->is_boolean()) return std::optional<bool>(value->get<bool>());
  if (value->is_string() && (*value == "true" || *value == "false")) return std::optional<bool>(*value == "true");
  return wrong_type(name, "true or false");
}

Result<const Json*> optional_object(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value != nullptr && !value->is_object()) return wrong_type(name, "an object");
  return value;
}

Result<const Json*> optional_array(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value != nullptr && !value->is_array()) return wrong_type(name, "a list");
  return value;
}

Result<std::string> required_string(const Json& object, const char* name) {
  TRY(auto value, optional_string(object, name));
  if (!value || value->empty())
    return Error(ErrorCode::kBadData, std::string("Required parameter is missing: ") + name).cause("required");
  return std::move(*value);
}

std::string dump(const OrderedJson& value) { return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }
std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json parse_kept(const std::string& text) {
  if (text.empty()) return Json::object();
  Json value = Json::parse(text, nullptr, false);
  return value.is_object() ? value : Json::object();
}

}  // namespace flytt::gateway::internal
