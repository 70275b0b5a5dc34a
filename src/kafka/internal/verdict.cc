#include "kafka/internal/verdict.h"

namespace flytt::kafka {

std::string sentence(Verdict verdict, const data::Type& type) {
  const std::string name = type.sql_name();
  switch (verdict) {
    case Verdict::kOk:
    case Verdict::kUnknownField: break;
    case Verdict::kMalformed: return "the message is not JSON: it is cut off or breaks the grammar";
    case Verdict::kNotUtf8: return "the bytes are not UTF-8";
    case Verdict::kEmpty: return "the message is empty";
    case Verdict::kNotAnObject: return "the message is JSON, but not an object with fields";
    case Verdict::kTooDeep: return "the value is nested more than 500 levels deep";
    case Verdict::kWrongForm: return "the value has another JSON type than " + name + " takes";
    case Verdict::kOutOfRange: return "the value is outside the range of " + name;
    case Verdict::kTooManyDecimals: return "the value has more decimals than " + name + " keeps";
    case Verdict::kNotTheText: return "the text does not have the form of " + name;
    case Verdict::kTooLong: return "the value is longer than " + name + " allows";
    case Verdict::kNull: return "the field is required, but null or missing";
    case Verdict::kNullElement: return "an element is null, which an ARRAY cannot hold";
    case Verdict::kJsonNumber: return "a number in the value would not keep its digits in BigQuery's JSON";
    case Verdict::kJsonCharacter:
      return "the value holds U+0000 or half of a surrogate pair, which BigQuery's JSON refuses";
    case Verdict::kTooManyColumns: return "the field is new, and the table may not have more columns";
    case Verdict::kNoKey: return "the message has no key, which an upsert needs";
  }
  return {};
}

}  // namespace flytt::kafka
