// FLOAT64: NaN equals nothing, a finite input never gives an infinite answer silently, ROUND and TRUNC work on the exact
// decimal expansion of the binary value.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "googlesql/functions/internal/number_text.h"
#include "googlesql/functions/internal/registry.h"

namespace flytt::googlesql::internal {
namespace {

using D = double;
using Maybe = std::optional<double>;

// ---- comparison ----
bool equal(D a, D b) { return a == b; }
bool not_equal(D a, D b) { return a != b; }
bool less(D a, D b) { return a < b; }
bool less_or_equal(D a, D b) { return a <= b; }
std::optional<bool> between(Maybe x, Maybe low, Maybe high) {
  std::optional<bool> first, second;
  if (x && low) first = *x >= *low;
  if (x && high) second = *x <= *high;
  if ((first && !*first) || (second && !*second)) return false;
  if (!first || !second) return std::nullopt;
  return true;
}
std::optional<bool> is_in(Maybe x, std::optional<List<D>> list) {
  if (!list || list->empty()) return false;
  if (!x) return std::nullopt;
  bool has_null = false;
  for (const auto& each : *list) {
    if (!each)
      has_null = true;
    else if (*each == *x)
      return true;
  }
  if (has_null) return std::nullopt;
  return false;
}
Maybe null_if(Maybe a, Maybe b) {
  if (a && b && *a == *b) return std::nullopt;
  return a;
}
Maybe nan_as_null(D a) { return std::isnan(a) ? Maybe() : Maybe(a); }
D greatest(D a, D b) { return std::isnan(a) || std::isnan(b) ? std::numeric_limits<D>::quiet_NaN() : (a < b ? b : a); }
D least(D a, D b) { return std::isnan(a) || std::isnan(b) ? std::numeric_limits<D>::quiet_NaN() : (b < a ? b : a); }
bool is_nan(D a) { return std::isnan(a); }
bool is_inf(D a) { return std::isinf(a); }

// ---- arithmetic ----
Answer<D> checked(D r, D a, const char* sign, D b) {
  if (!std::isfinite(r) && std::isfinite(a) && std::isfinite(b)) {
    return Failure{"double overflow: " + double_text(a) + sign + double_text(b)};
  }
  return r;
}
Answer<D> add(D a, D b) { return checked(a + b, a, " + ", b); }
Answer<D> subtract(D a, D b) { return checked(a - b, a, " - ", b); }
Answer<D> multiply(D a, D b) { return checked(a * b, a, " * ", b); }
Answer<D> divide(D a, D b) {
  if (b == 0) return Failure{"division by zero: " + double_text(a) + " / 0"};
  return checked(a / b, a, " / ", b);
}
D ieee_divide(D a, D b) { return a / b; }
D negate(D a) { return -a; }
D absolute(D a) { return std::fabs(a); }
D sign(D a) { return std::isnan(a) ? a : static_cast<D>((a > 0) - (a < 0)); }

// ---- functions ----
Failure failure_of(const char* name, D x) {
  return {std::string("Floating point error in function: ") + name + "(" + double_text(x) + ")"};
}
Failure failure_of(const char* name, D x, D y) {
  return {std::string("Floating point error in function: ") + name + "(" + double_text(x) + ", " + double_text(y) +
          ")"};
}
Failure overflow_of(const char* name, D x) {
  return {std::string("Floating point overflow in function: ") + name + "(" + double_text(x) + ")"};
}
Answer<D> finite(const char* name, D r, D x) {
  if (!std::isfinite(r) && std::isfinite(x)) return failure_of(name, x);
  return r;
}

Answer<D> power(D x, D y) {
  const D r = std::pow(x, y);
  if (!std::isfinite(r) && std::isfinite(x) && std::isfinite(y)) return failure_of("POW", x, y);
  return r;
}
Answer<D> square_root(D x) {
  if (x < 0) return Failure{"Argument to SQRT cannot be negative: " + double_text(x)};
  return std::sqrt(x) + 0.0;  // the evaluator has no negative zero here
}
Answer<D> exponential(D x) { return finite("EXP", std::exp(x), x); }
Answer<D> logarithm(const char* name, D x, D (*f)(D)) {
  if (std::isinf(x) && x < 0) return std::numeric_limits<D>::quiet_NaN();
  if (x <= 0) return failure_of(name, x);
  return f(x);
}
Answer<D> natural_log(D x) {
  return logarithm("LN", x, [](D v) { return std::log(v); });
}
Answer<D> common_log(D x) {
  return logarithm("LOG10", x, [](D v) { return std::log10(v); });
}
Answer<D> log_to_base(D x, D base) {
  if (std::isnan(x) || std::isnan(base)) return std::numeric_limits<D>::quiet_NaN();
  if ((std::isinf(x) && x < 0) || std::isinf(base)) return std::numeric_limits<D>::quiet_NaN();
  if (x <= 0 || base <= 0 || base == 1) return failure_of("LOG", x, base);
  if (base == 2) return std::log2(x);
  if (base == 10) return std::log10(x);
  return std::log(x) / std::log(base);
}
D ceiling(D x) { return std::ceil(x) + 0.0; }  // no negative zero
D floor_of(D x) { return std::floor(x); }
D round_whole(D x) { return std::round(x); }
D trunc_whole(D x) { return std::trunc(x); }

D cosine(D x) { return std::cos(x); }
D sine(D x) { return std::sin(x); }
Answer<D> tangent(D x) { return finite("TAN", std::tan(x), x); }
D arc_tangent(D x) { return std::atan(x); }
D arc_tangent2(D y, D x) { return std::atan2(y, x); }
D hyperbolic_tangent(D x) { return std::tanh(x); }
D inverse_hyperbolic_sine(D x) { return std::asinh(x); }
Answer<D> arc_cosine(D x) { return std::fabs(x) > 1 ? Answer<D>(failure_of("ACOS", x)) : Answer<D>(std::acos(x)); }
Answer<D> arc_sine(D x) { return std::fabs(x) > 1 ? Answer<D>(failure_of("ASIN", x)) : Answer<D>(std::asin(x)); }
Answer<D> inverse_hyperbolic_cosine(D x) {
  return x < 1 ? Answer<D>(failure_of("ACOSH", x)) : Answer<D>(std::acosh(x));
}
Answer<D> inverse_hyperbolic_tangent(D x) {
  return std::fabs(x) >= 1 ? Answer<D>(failure_of("ATANH", x)) : Answer<D>(std::atanh(x));
}
Answer<D> hyperbolic_cosine(D x) {
  const D r = std::cosh(x);
  return std::isinf(r) && std::isfinite(x) ? Answer<D>(overflow_of("COSH", x)) : Answer<D>(r);
}
Answer<D> hyperbolic_sine(D x) {
  const D r = std::sinh(x);
  return std::isinf(r) && std::isfinite(x) ? Answer<D>(overflow_of("SINH", x)) : Answer<D>(r);
}
Answer<D> cotangent(D x) { return x == 0 ? Answer<D>(failure_of("COT", x)) : finite("COT", 1 / std::tan(x), x); }
Answer<D> cosecant(D x) { return x == 0 ? Answer<D>(failure_of("CSC", x)) : finite("CSC", 1 / std::sin(x), x); }
Answer<D> hyperbolic_cotangent(D x) { return x == 0 ? Answer<D>(failure_of("COTH", x)) : Answer<D>(1 / std::tanh(x)); }
Answer<D> hyperbolic_cosecant(D x) {
  return x == 0 ? Answer<D>(failure_of("CSCH", x)) : finite("CSCH", 1 / std::sinh(x), x);
}
Answer<D> secant(D x) { return finite("SEC", 1 / std::cos(x), x); }
D hyperbolic_secant(D x) { return 1 / std::cosh(x); }

// ---- ROUND(x, n), TRUNC(x, n) ----
// A double is a finite decimal of at most 767 significant digits; printf gives all of them. Digits are cut there.
D at_decimals(D x, std::int64_t digits, bool round) {
  if (!std::isfinite(x) || x == 0 || digits >= 1075) return x;
  if (digits < -309) return std::copysign(0.0, x);
  char exact[1500];
  std::snprintf(exact, sizeof exact, "%.1074f", std::fabs(x));
  std::string text(exact);
  std::size_t point = text.find('.');
  // `cut` is the number of characters kept, the point not counted.
  const std::int64_t whole = static_cast<std::int64_t>(point);
  std::string all = text.substr(0, point) + text.substr(point + 1);
  const std::int64_t cut = whole + digits;
  if (cut < 0) return std::copysign(0.0, x);
  std::string kept = "0" + all.substr(0, static_cast<std::size_t>(cut));
  if (round && all[static_cast<std::size_t>(cut)] >= '5') {
    std::size_t i = kept.size();
    while (kept[--i] == '9') kept[i] = '0';
    ++kept[i];
  }
  const std::string result = kept + "e" + std::to_string(-digits);
  return std::copysign(std::strtod(result.c_str(), nullptr), x);
}
Answer<D> round_to(D x, std::int64_t digits) {
  const D r = at_decimals(x, digits, true);
  if (std::isinf(r) && std::isfinite(x)) {
    return Failure{"Floating point overflow in function: ROUND(" + double_text(x) + ", " + std::to_string(digits) +
                   ")"};
  }
  return r;
}
D trunc_to(D x, std::int64_t digits) { return at_decimals(x, digits, false); }

void add_comparisons(Functions& list) {
  list.push_back(native<&equal>("gs_equal_float"));
  list.push_back(native<&not_equal>("gs_not_equal_float"));
  list.push_back(native<&less>("gs_less_float"));
  list.push_back(native<&less_or_equal>("gs_less_or_equal_float"));
  list.push_back(native<&between>("gs_between_float"));
  list.push_back(native<&is_in>("gs_in_float"));
  list.push_back(native<&null_if>("gs_nullif_float"));
  list.push_back(native<&nan_as_null>("gs_nan_as_null"));
  list.push_back(native<&greatest>("gs_greatest_float"));
  list.push_back(native<&least>("gs_least_float"));
  list.push_back(native<&is_nan>("gs_is_nan"));
  list.push_back(native<&is_inf>("gs_is_inf"));
}

void add_arithmetic(Functions& list) {
  list.push_back(native<&add>("gs_add_float"));
  list.push_back(native<&subtract>("gs_subtract_float"));
  list.push_back(native<&multiply>("gs_multiply_float"));
  list.push_back(native<&divide>("gs_divide_float"));
  list.push_back(native<&ieee_divide>("gs_ieee_divide"));
  list.push_back(native<&negate>("gs_negate_float"));
  list.push_back(native<&absolute>("gs_abs_float"));
  list.push_back(native<&sign>("gs_sign_float"));
  list.push_back(native<&power>("gs_pow_float"));
  list.push_back(native<&square_root>("gs_sqrt_float"));
  list.push_back(native<&exponential>("gs_exp_float"));
  list.push_back(native<&natural_log>("gs_ln_float"));
  list.push_back(native<&common_log>("gs_log10_float"));
  list.push_back(native<&log_to_base>("gs_log_float"));
  list.push_back(native<&ceiling>("gs_ceil_float"));
  list.push_back(native<&floor_of>("gs_floor_float"));
  list.push_back(native<&round_whole>("gs_round_float"));
  list.push_back(native<&trunc_whole>("gs_trunc_float"));
  list.push_back(native<&round_to>("gs_round_float_to"));
  list.push_back(native<&trunc_to>("gs_trunc_float_to"));
}

}  // namespace

void add_float_functions(Functions& list) {
  add_comparisons(list);
  add_arithmetic(list);
  list.push_back(native<&cosine>("gs_cos"));
  list.push_back(native<&sine>("gs_sin"));
  list.push_back(native<&tangent>("gs_tan"));
  list.push_back(native<&arc_tangent>("gs_atan"));
  list.push_back(native<&arc_tangent2>("gs_atan2"));
  list.push_back(native<&hyperbolic_tangent>("gs_tanh"));
  list.push_back(native<&inverse_hyperbolic_sine>("gs_asinh"));
  list.push_back(native<&arc_cosine>("gs_acos"));
  list.push_back(native<&arc_sine>("gs_asin"));
  list.push_back(native<&inverse_hyperbolic_cosine>("gs_acosh"));
  list.push_back(native<&inverse_hyperbolic_tangent>("gs_atanh"));
  list.push_back(native<&hyperbolic_cosine>("gs_cosh"));
  list.push_back(native<&hyperbolic_sine>("gs_sinh"));
  list.push_back(native<&cotangent>("gs_cot"));
  list.push_back(native<&cosecant>("gs_csc"));
  list.push_back(native<&hyperbolic_cotangent>("gs_coth"));
  list.push_back(native<&hyperbolic_cosecant>("gs_csch"));
  list.push_back(native<&secant>("gs_sec"));
  list.push_back(native<&hyperbolic_secant>("gs_sech"));
}

}  // namespace flytt::googlesql::internal
