#pragma once
// Why a message or a part of it is no row. The sentence never holds the value.

#include <string>
#include <string_view>

#include "data/type.h"

namespace flytt::kafka {

enum class Verdict : unsigned char {
  kOk,
  kUnknownField,  // not a refusal: a member has no column, and the table may grow one
  kMalformed,
  kNotUtf8,
  kEmpty,
  kNotAnObject,
  kTooDeep,
  kWrongForm,  // another JSON type than the column takes
  kOutOfRange,
  kTooManyDecimals,
  kNotTheText,  // a text that does not have the form of its type
  kTooLong,
  kNull,  // or missing, where a value is required
  kNullElement,
  kJsonNumber,
  kJsonCharacter,
  kTooManyColumns,
  kNoKey,
};

// "the value is not …", with the declared type where it matters.
std::string sentence(Verdict verdict, const data::Type& type);

// The verdict with the place that it is about: a column, with members of STRUCTs behind dots; empty: the message.
struct Refusal {
  Verdict verdict = Verdict::kOk;
  std::string column;
  std::string reason;
};

}  // namespace flytt::kafka
