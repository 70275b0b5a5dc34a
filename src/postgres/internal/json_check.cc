// What BigQuery's JSON refuses although PostgreSQL accepts it.

#include "data/json_text.h"
#include "postgres/internal/codec.h"

namespace flytt::postgres {

Verdict check_json(std::string_view text) {
  switch (data::check_json(text)) {
    case data::JsonVerdict::kOk: return Verdict::kOk;
    case data::JsonVerdict::kTooDeep: return Verdict::kJsonDepth;
    case data::JsonVerdict::kNumber: return Verdict::kJsonNumber;
    case data::JsonVerdict::kCharacter: return Verdict::kJsonCharacter;
    case data::JsonVerdict::kMalformed: break;
  }
  return Verdict::kMalformed;
}

}  // namespace flytt::postgres
