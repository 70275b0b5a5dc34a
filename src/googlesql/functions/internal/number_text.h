#pragma once
// Numbers as GoogleSQL writes them.

#include <cstdint>
#include <string>

namespace flytt::googlesql::internal {

// CAST(FLOAT64 AS STRING) and error sentences: the shorter of %.15g and %.17g that reads back as the same value, "nan",
// "inf", "-inf"; 1 for 1.0.
std::string double_text(double value);

// "1.0" instead of "1": the form of JSON and of %T for values that look like integers.
std::string double_text_with_point(double value);

}  // namespace flytt::googlesql::internal
