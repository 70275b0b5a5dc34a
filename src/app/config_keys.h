#pragma once
// Every configuration key, declared once: the parser, its errors and docs/reference/configuration.md are made from
// this table.

#include <string>
#include <string_view>
#include <vector>

namespace flytt::app {

enum class KeyKind { kMap, kString, kStringList, kFieldList, kDuration, kBytes, kNumber, kBool, kReference };

struct ConfigKey {
  std::string_view path;  // "streams.*.tables.include"; * stands for a name that the user chooses
  KeyKind kind;
  bool works;                 // false: part of the design, "not in this version"
  std::string_view standard;  // default, as text; empty = none
  std::string_view sentence;
};

const std::vector<ConfigKey>& config_keys();

// The key declared for `path` (with user-chosen names in it), or nullptr.
const ConfigKey* find_config_key(const std::vector<std::string>& path);
// Names that may stand below `path`, without `*`.
std::vector<std::string> known_names_below(const std::vector<std::string>& path);
// The candidate with the smallest edit distance to `name`, if that is at most a third of its length (at least 1).
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);
// docs/reference/configuration.md.
std::string config_reference_markdown();

}  // namespace flytt::app
