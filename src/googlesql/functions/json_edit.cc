// Changing JSON: JSON_SET, JSON_REMOVE, JSON_ARRAY_APPEND, JSON_ARRAY_INSERT, JSON_STRIP_NULLS, JSON_KEYS, JSON_OBJECT.

#include <algorithm>
#include <string>

#include "googlesql/functions/internal/json_value.h"
#include "googlesql/functions/internal/registry.h"

namespace flytt::googlesql::internal {
namespace {

using View = std::string_view;
using Kind = JsonValue::Kind;
using Path = std::vector<PathStep>;
constexpr std::size_t kArrayMax = 1'000'000;

// Where a path leads, made on the way when `create` allows it. nullptr: a part of the path does not fit.
JsonValue* reach(JsonValue& root, const Path& path, bool create) {
  JsonValue* at = &root;
  for (const PathStep& step : path) {
    if (at->kind == Kind::kNull && create) at->kind = step.is_index ? Kind::kArray : Kind::kObject;
    if (at->kind == Kind::kObject && !step.is_index) {
      const auto found = at->members.find(step.name);
      if (found == at->members.end() && !create) return nullptr;
      at = &at->members[step.name];
    } else if (at->kind == Kind::kArray && step.is_index) {
      const auto index = step.index();
      if (!index || *index >= kArrayMax || (*index >= at->elements.size() && !create)) return nullptr;
      if (*index >= at->elements.size()) at->elements.resize(*index + 1);
      at = &at->elements[*index];
    } else {
      return nullptr;
    }
  }
  return at;
}
// Whether `reach` with `create` would succeed, so that nothing is half made.
bool fits(const JsonValue& root, const Path& path) {
  const JsonValue* at = &root;
  for (const PathStep& step : path) {
    if (at->kind == Kind::kNull) return true;
    if (at->kind == Kind::kObject && !step.is_index) {
      const auto found = at->members.find(step.name);
      if (found == at->members.end()) return true;
      at = &found->second;
    } else if (at->kind == Kind::kArray && step.is_index) {
      const auto index = step.index();
      if (!index || *index >= kArrayMax) return false;
      if (*index >= at->elements.size()) return true;
      at = &at->elements[*index];
    } else {
      return false;
    }
  }
  return true;
}

Answer<std::string> set(View json, View path_text, View value, bool create) {
  std::string problem;
  const auto path = parse_json_path(path_text, false, problem);
  if (!path) return Failure{problem};
  JsonValue root = read_json(json);
  if (create ? fits(root, *path) : reach(root, *path, false) != nullptr) *reach(root, *path, create) = read_json(value);
  return root.dump();
}

Answer<std::string> remove(View json, View path_text) {
  std::string problem;
  auto path = parse_json_path(path_text, false, problem);
  if (!path) return Failure{problem};
  if (path->empty()) return Failure{"The JSONPath cannot be '$'"};
  JsonValue root = read_json(json);
  const PathStep last = path->back();
  path->pop_back();
  if (JsonValue* parent = reach(root, *path, false)) {
    const auto index = last.index();
    if (parent->kind == Kind::kObject && !last.is_index) parent->members.erase(last.name);
    if (parent->kind == Kind::kArray && last.is_index && index && *index < parent->elements.size()) {
      parent->elements.erase(parent->elements.begin() + static_cast<std::ptrdiff_t>(*index));
    }
  }
  return root.dump();
}

std::vector<JsonValue> values_of(View json, bool each_element) {
  JsonValue value = read_json(json);
  if (each_element && value.kind == Kind::kArray) return std::move(value.elements);
  std::vector<JsonValue> one;
  one.push_back(std::move(value));
  return one;
}
Answer<std::string> append(View json, View path_text, View value, bool each_element) {
  std::string problem;
  const auto path = parse_json_path(path_text, false, problem);
  if (!path) return Failure{problem};
  JsonValue root = read_json(json);
  JsonValue* array = reach(root, *path, false);
  if (array != nullptr && array->kind == Kind::kNull) array->kind = Kind::kArray;
  if (array != nullptr && array->kind == Kind::kArray) {
    for (JsonValue& each : values_of(value, each_element)) array->elements.push_back(std::move(each));
  }
  return root.dump();
}
Answer<std::string> insert(View json, View path_text, View value, bool each_element) {
  std::string problem;
  auto path = parse_json_path(path_text, false, problem);
  if (!path) return Failure{problem};
  JsonValue root = read_json(json);
  if (path->empty() || !path->back().is_index) return root.dump();
  const auto index = path->back().index();
  path->pop_back();
  JsonValue* array = reach(root, *path, false);
  if (array != nullptr && array->kind == Kind::kNull) array->kind = Kind::kArray;
  if (array != nullptr && array->kind == Kind::kArray && index && *index < kArrayMax) {
    if (*index > array->elements.size()) array->elements.resize(*index);
    auto at = array->elements.begin() + static_cast<std::ptrdiff_t>(*index);
    for (JsonValue& each : values_of(value, each_element)) at = array->elements.insert(at, std::move(each)) + 1;
  }
  return root.dump();
}

void strip(JsonValue& value, bool arrays, bool empties) {
  const auto gone = [&](const JsonValue& v, bool drop_null) {
    if (v.kind == Kind::kNull) return drop_null;
    return empties &&
           ((v.kind == Kind::kObject && v.members.empty()) || (arrays && v.kind == Kind::kArray && v.elements.empty()));
  };
  if (value.kind == Kind::kObject) {
    for (auto each = value.members.begin(); each != value.members.end();) {
      strip(each->second, arrays, empties);
      each = gone(each->second, true) ? value.members.erase(each) : std::next(each);
    }
  } else if (value.kind == Kind::kArray) {
    std::vector<JsonValue> kept;
    for (JsonValue& each : value.elements) {
      strip(each, arrays, empties);
      if (!arrays || !gone(each, true)) kept.push_back(std::move(each));
    }
    value.elements = std::move(kept);
  }
}
Answer<std::string> strip_nulls(View json, View path_text, bool arrays, bool empties) {
  std::string problem;
  const auto path = parse_json_path(path_text, false, problem);
  if (!path) return Failure{problem};
  JsonValue root = read_json(json);
  if (JsonValue* at = reach(root, *path, false)) {
    strip(*at, arrays, empties);
    const bool is_empty = (at->kind == Kind::kObject && at->members.empty()) ||
                          (arrays && at->kind == Kind::kArray && at->elements.empty());
    if (empties && is_empty) *at = JsonValue();
  }
  return root.dump();
}

std::string key_text(const std::string& name) {
  const bool is_plain = !name.empty() && name.find_first_of(".[]\"'$*@ ") == std::string::npos;
  if (is_plain) return name;
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}
enum class KeyMode { kStrict, kLax, kLaxRecursive };
void collect_keys(const JsonValue& value, const std::string& prefix, std::int64_t depth, KeyMode mode, bool in_array,
                  List<std::string>& out) {
  if (value.kind == Kind::kArray && mode != KeyMode::kStrict && (!in_array || mode == KeyMode::kLaxRecursive)) {
    for (const JsonValue& each : value.elements) collect_keys(each, prefix, depth, mode, true, out);
    return;
  }
  if (value.kind != Kind::kObject || depth <= 0) return;
  for (const auto& [name, child] : value.members) {
    const std::string path = prefix.empty() ? key_text(name) : prefix + "." + key_text(name);
    bool is_known = false;
    for (const auto& each : out) is_known = is_known || *each == path;
    if (!is_known) out.emplace_back(path);
    collect_keys(child, path, depth - 1, mode, false, out);
  }
}
Answer<List<std::string>> keys(View json, std::optional<std::int64_t> depth, View mode) {
  if (depth && *depth <= 0) return Failure{"max_depth must be positive."};
  KeyMode key_mode = KeyMode::kStrict;
  if (mode == "lax")
    key_mode = KeyMode::kLax;
  else if (mode == "lax recursive")
    key_mode = KeyMode::kLaxRecursive;
  else if (mode != "strict")
    return Failure{"Invalid JSON mode specified"};
  List<std::string> out;
  collect_keys(read_json(json), "", depth.value_or(kJsonDepthMax + 1), key_mode, false, out);
  std::sort(out.begin(), out.end());
  return out;
}

// Names and JSON texts side by side; the first of equal names stays.
Answer<std::string> object_of(const List<View>& names, const List<View>& values) {
  if (names.size() != values.size()) return Failure{"The number of keys and values must match"};
  JsonValue object;
  object.kind = Kind::kObject;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i]) return Failure{"A key cannot be NULL in a JSON object"};
    object.members.emplace(std::string(*names[i]), read_json(values[i].value_or("null")));
  }
  return object.dump();
}
std::string array_of(const List<View>& values) {
  std::string out = "[";
  for (std::size_t i = 0; i < values.size(); ++i) out += (i > 0 ? "," : "") + std::string(values[i].value_or("null"));
  return out + "]";
}

}  // namespace

void add_json_edit_functions(Functions& list) {
  list.push_back(native<&set>("gs_json_set"));
  list.push_back(native<&remove>("gs_json_remove"));
  list.push_back(native<&append>("gs_json_array_append"));
  list.push_back(native<&insert>("gs_json_array_insert"));
  list.push_back(native<&strip_nulls>("gs_json_strip_nulls"));
  list.push_back(native<&keys>("gs_json_keys"));
  list.push_back(native<&object_of>("gs_json_object"));
  list.push_back(native<&array_of>("gs_json_array"));
}

}  // namespace flytt::googlesql::internal
