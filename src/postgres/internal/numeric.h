#pragma once
// Binary numeric (utils/adt/numeric.c, numeric_send): int16 digit count, int16 weight, uint16 sign, uint16 display
// scale, then base-10000 digits; digit i stands for digit × 10000^(weight − i).

#include <string>
#include <string_view>

#include "postgres/internal/codec.h"

namespace flytt::postgres {

Verdict read_numeric(std::string_view bytes, data::Int128& scaled);     // × 10^9
Verdict read_bignumeric(std::string_view bytes, data::Int256& scaled);  // × 10^38
std::string render_numeric(std::string_view bytes);                     // as numeric_out

}  // namespace flytt::postgres
