#pragma once
// A text → one cell, by the column's type. Appends one cell, or nothing when the verdict is not kOk.

#include <string_view>

#include "data/column.h"
#include "kafka/config.h"
#include "kafka/internal/verdict.h"

namespace flytt::kafka {

struct ValueRules {
  bool numbers_in_strings = true;
  bool scalars_as_strings = false;
  bool strict_times = false;
  EpochUnit epoch_unit = EpochUnit::kRefused;
  explicit ValueRules(const PayloadSettings& settings = {})
      : numbers_in_strings(settings.numbers_in_strings),
        scalars_as_strings(settings.scalars_as_strings),
        strict_times(settings.strict_times),
        epoch_unit(settings.epoch_unit) {}
};

// A JSON number as it is written, for INT64, FLOAT64, NUMERIC, BIGNUMERIC and, by epoch_unit, TIMESTAMP and DATETIME.
Verdict append_number(const data::Type& type, std::string_view number, const ValueRules& rules, data::Column& out);

// A JSON string, unescaped, valid UTF-8. BYTES are base64 (RFC 4648, standard or URL alphabet, padding optional).
Verdict append_string(const data::Type& type, std::string_view text, const ValueRules& rules, data::Column& out);

// A whole message of plain text, valid UTF-8: numbers, true and false are taken as well as what append_string takes;
// a STRING is the text itself, BYTES its bytes.
Verdict append_text(const data::Type& type, std::string_view text, const ValueRules& rules, data::Column& out);

// Whether values of this type can be read from a text at all.
bool has_text_form(const data::Type& type);

// Checks STRING(L) in characters and BYTES(L) in bytes.
bool fits(const data::Type& type, std::string_view bytes);

}  // namespace flytt::kafka
