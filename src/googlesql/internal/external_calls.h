#pragma once
// Where a statement calls EXTERNAL_QUERY, and with which texts: its columns must be known before the analyzer sees it.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flytt::googlesql::internal {

inline constexpr std::string_view kExternalFunction = "EXTERNAL_QUERY";

struct ExternalSite {
  std::size_t begin = 0;               // of the function's name; byte in the whole text
  std::string place;                   // "[1:15]": line and column, from 1
  std::vector<std::string> arguments;  // two or three, as values
};

// The calls of the statement that begins at byte `begin`, in their order. kBadData when an argument is not a string
// literal. The lexical rules are GoogleSQL's (lexical.md); comments, strings and quoted names are skipped.
Result<std::vector<ExternalSite>> find_external_calls(std::string_view sql, std::size_t begin);

// As long as EXTERNAL_QUERY, so that no position moves: every call is declared as a function of its own.
std::string external_name(std::size_t index);

}  // namespace flytt::googlesql::internal
