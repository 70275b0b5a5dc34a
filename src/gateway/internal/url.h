#pragma once
// Pieces of a request target (RFC 3986, and application/x-www-form-urlencoded for the query string).

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flytt::gateway::internal {

// nullopt when a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
// Everything but unreserved characters becomes %XX.
std::string percent_encode(std::string_view text);

// The path's segments, decoded, empty ones left out: "/a//b%20c" → {"a", "b c"}.
std::optional<std::vector<std::string>> path_segments(std::string_view path);

class QueryParameters {
 public:
  static std::optional<QueryParameters> parse(std::string_view query);
  // The last value of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  std::string_view get(std::string_view name) const { return find(name).value_or(std::string_view{}); }
  std::vector<std::string_view> all(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

}  // namespace flytt::gateway::internal
