// Arithmetic and mathematical functions of INT64, FLOAT64, NUMERIC and BIGNUMERIC.

#include "googlesql/functions/internal/rules.h"

namespace flytt::googlesql::internal {

namespace {

constexpr Rule kArithmetic[] = {
    {"$add", "ii", "gs_add_int$s($1, $2)"},
    {"$add", "dd", "gs_add_float$s($1, $2)"},
    {"$add", "nn", "gs_add_numeric$s($1, $2)"},
    {"$add", "NN", "gs_add_bignumeric$s($1, $2)"},
    {"$subtract", "ii", "gs_subtract_int$s($1, $2)"},
    {"$subtract", "dd", "gs_subtract_float$s($1, $2)"},
    {"$subtract", "nn", "gs_subtract_numeric$s($1, $2)"},
    {"$subtract", "NN", "gs_subtract_bignumeric$s($1, $2)"},
    {"$multiply", "ii", "gs_multiply_int$s($1, $2)"},
    {"$multiply", "dd", "gs_multiply_float$s($1, $2)"},
    {"$multiply", "nn", "gs_multiply_numeric$s($1, $2)"},
    {"$multiply", "NN", "gs_multiply_bignumeric$s($1, $2)"},
    {"$divide", "dd", "gs_divide_float$s($1, $2)"},
    {"$divide", "nn", "gs_divide_numeric$s($1, $2)"},
    {"$divide", "NN", "gs_divide_bignumeric$s($1, $2)"},
    {"$unary_minus", "i", "gs_negate_int$s($1)"},
    {"$unary_minus", "d", "gs_negate_float($1)"},
    {"$unary_minus", "n", "gs_negate_numeric$s($1)"},
    {"$unary_minus", "N", "gs_negate_bignumeric$s($1)"},
    {"safe_add", "ii", "gs_add_int_safe($1, $2)"},
    {"safe_add", "dd", "gs_add_float_safe($1, $2)"},
    {"safe_add", "nn", "gs_add_numeric_safe($1, $2)"},
    {"safe_add", "NN", "gs_add_bignumeric_safe($1, $2)"},
    {"safe_subtract", "ii", "gs_subtract_int_safe($1, $2)"},
    {"safe_subtract", "dd", "gs_subtract_float_safe($1, $2)"},
    {"safe_subtract", "nn", "gs_subtract_numeric_safe($1, $2)"},
    {"safe_subtract", "NN", "gs_subtract_bignumeric_safe($1, $2)"},
    {"safe_multiply", "ii", "gs_multiply_int_safe($1, $2)"},
    {"safe_multiply", "dd", "gs_multiply_float_safe($1, $2)"},
    {"safe_multiply", "nn", "gs_multiply_numeric_safe($1, $2)"},
    {"safe_multiply", "NN", "gs_multiply_bignumeric_safe($1, $2)"},
    {"safe_divide", "dd", "gs_divide_float_safe($1, $2)"},
    {"safe_divide", "nn", "gs_divide_numeric_safe($1, $2)"},
    {"safe_divide", "NN", "gs_divide_bignumeric_safe($1, $2)"},
    {"safe_negate", "i", "gs_negate_int_safe($1)"},
    {"safe_negate", "d", "gs_negate_float($1)"},
    {"safe_negate", "n", "gs_negate_numeric_safe($1)"},
    {"safe_negate", "N", "gs_negate_bignumeric_safe($1)"},
    {"ieee_divide", "dd", "gs_ieee_divide($1, $2)"},
    {"div", "ii", "gs_div_int$s($1, $2)"},
    {"div", "nn", "gs_div_numeric$s($1, $2)"},
    {"div", "NN", "gs_div_bignumeric$s($1, $2)"},
    {"mod", "ii", "gs_mod_int$s($1, $2)"},
    {"mod", "nn", "gs_mod_numeric$s($1, $2)"},
    {"mod", "NN", "gs_mod_bignumeric$s($1, $2)"},
    {"abs", "i", "gs_abs_int$s($1)"},
    {"abs", "d", "gs_abs_float($1)"},
    {"abs", "n", "gs_abs_numeric$s($1)"},
    {"abs", "N", "gs_abs_bignumeric$s($1)"},
    {"sign", "i", "gs_sign_int($1)"},
    {"sign", "d", "gs_sign_float($1)"},
    {"sign", "n", "gs_sign_numeric($1)"},
    {"sign", "N", "gs_sign_bignumeric($1)"},
    {"$bitwise_and", "ii", "gs_bit_and_int($1, $2)"},
    {"$bitwise_or", "ii", "gs_bit_or_int($1, $2)"},
    {"$bitwise_xor", "ii", "gs_bit_xor_int($1, $2)"},
    {"$bitwise_not", "i", "gs_bit_not_int($1)"},
    {"$bitwise_left_shift", "ii", "gs_shift_left_int$s($1, $2)"},
    {"$bitwise_right_shift", "ii", "gs_shift_right_int$s($1, $2)"},
    {"$bitwise_and", "yy", "gs_bit_and_bytes$s($1, $2)"},
    {"$bitwise_or", "yy", "gs_bit_or_bytes$s($1, $2)"},
    {"$bitwise_xor", "yy", "gs_bit_xor_bytes$s($1, $2)"},
    {"$bitwise_not", "y", "gs_bit_not_bytes($1)"},
    {"$bitwise_left_shift", "yi", "gs_shift_left_bytes$s($1, $2)"},
    {"$bitwise_right_shift", "yi", "gs_shift_right_bytes$s($1, $2)"},
    {"bit_count", "i", "gs_bit_count_int($1)"},
    {"bit_count", "y", "gs_bit_count_bytes($1)"},
};

constexpr Rule kFunctions[] = {
    {"is_nan", "d", "gs_is_nan($1)"},
    {"is_inf", "d", "gs_is_inf($1)"},
    {"round", "d", "gs_round_float($1)"},
    {"round", "di", "gs_round_float_to$s($1, $2)"},
    {"round", "n", "gs_round_numeric$s($1)"},
    {"round", "ni", "gs_round_numeric_to$s($1, $2)"},
    {"round", "N", "gs_round_bignumeric$s($1)"},
    {"round", "Ni", "gs_round_bignumeric_to$s($1, $2)"},
    {"trunc", "d", "gs_trunc_float($1)"},
    {"trunc", "di", "gs_trunc_float_to($1, $2)"},
    {"trunc", "n", "gs_trunc_numeric$s($1)"},
    {"trunc", "ni", "gs_trunc_numeric_to$s($1, $2)"},
    {"trunc", "N", "gs_trunc_bignumeric$s($1)"},
    {"trunc", "Ni", "gs_trunc_bignumeric_to$s($1, $2)"},
    {"ceil", "d", "gs_ceil_float($1)"},
    {"ceil", "n", "gs_ceil_numeric$s($1)"},
    {"ceil", "N", "gs_ceil_bignumeric$s($1)"},
    {"floor", "d", "gs_floor_float($1)"},
    {"floor", "n", "gs_floor_numeric$s($1)"},
    {"floor", "N", "gs_floor_bignumeric$s($1)"},
    {"sqrt", "d", "gs_sqrt_float$s($1)"},
    {"sqrt", "n", "gs_sqrt_numeric$s($1)"},
    {"sqrt", "N", "gs_sqrt_bignumeric$s($1)"},
    {"cbrt", "d", "cbrt($1)"},
    {"pow", "dd", "gs_pow_float$s($1, $2)"},
    {"pow", "nn", "gs_pow_numeric$s($1, $2)"},
    {"pow", "NN", "gs_pow_bignumeric$s($1, $2)"},
    {"exp", "d", "gs_exp_float$s($1)"},
    {"ln", "d", "gs_ln_float$s($1)"},
    {"log", "d", "gs_ln_float$s($1)"},
    {"log", "dd", "gs_log_float$s($1, $2)"},
    {"log10", "d", "gs_log10_float$s($1)"},
    {"cos", "d", "gs_cos($1)"},
    {"sin", "d", "gs_sin($1)"},
    {"tan", "d", "gs_tan$s($1)"},
    {"cot", "d", "gs_cot$s($1)"},
    {"sec", "d", "gs_sec$s($1)"},
    {"csc", "d", "gs_csc$s($1)"},
    {"cosh", "d", "gs_cosh$s($1)"},
    {"sinh", "d", "gs_sinh$s($1)"},
    {"tanh", "d", "gs_tanh($1)"},
    {"coth", "d", "gs_coth$s($1)"},
    {"sech", "d", "gs_sech($1)"},
    {"csch", "d", "gs_csch$s($1)"},
    {"acos", "d", "gs_acos$s($1)"},
    {"asin", "d", "gs_asin$s($1)"},
    {"atan", "d", "gs_atan($1)"},
    {"atan2", "dd", "gs_atan2($1, $2)"},
    {"acosh", "d", "gs_acosh$s($1)"},
    {"asinh", "d", "gs_asinh($1)"},
    {"atanh", "d", "gs_atanh$s($1)"},
    {"pi", "", "3.141592653589793e0"},
    {"parse_numeric", "s", "gs_parse_numeric$s($1)"},
    {"parse_bignumeric", "s", "gs_parse_bignumeric$s($1)"},
};

// ROUND(x, digits, mode): 1 half away from zero, 2 half to even.
ShapeResult round_by_mode(const FunctionCall& call) {
  if (call.arguments.size() != 3 || !call.arguments[2].enum_value) return std::nullopt;
  const std::int32_t mode = *call.arguments[2].enum_value;
  const char kind = letter_of(call.arguments[0].type);
  if ((mode != 1 && mode != 2) || (kind != 'n' && kind != 'N')) return std::nullopt;
  return Result<std::string>(std::string(mode == 1 ? "gs_round_" : "gs_round_even_") +
                             (kind == 'n' ? "numeric_to" : "bignumeric_to") + expand("$s($1, $2)", call));
}

}  // namespace

void add_number_shapes(std::vector<Shape>& shapes) { shapes.push_back({"round", &round_by_mode}); }

void add_number_rules(std::vector<Rule>& rules) {
  rules.insert(rules.end(), std::begin(kArithmetic), std::end(kArithmetic));
  rules.insert(rules.end(), std::begin(kFunctions), std::end(kFunctions));
}

}  // namespace flytt::googlesql::internal
