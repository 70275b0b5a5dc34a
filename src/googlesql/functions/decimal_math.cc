// NUMERIC and BIGNUMERIC arithmetic, exact: every function works on integers of 512 bits and rounds once, half away from
// zero. Fast paths in 128 bits carry NUMERIC's sums and comparisons.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "googlesql/functions/internal/number_text.h"
#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/wide.h"

namespace flytt::googlesql::internal {
namespace {

template <typename T>
struct Kind;
template <>
struct Kind<Numeric> {
  static constexpr int kScale = data::kNumericScale;
  static constexpr const char* kName = "numeric";
  static Wide widen(Numeric value) { return Wide::from(value.scaled); }
  static std::optional<Numeric> narrow(const Wide& wide) {
    const auto value = wide.to_int128();
    if (!value || !data::is_numeric_in_range(*value)) return std::nullopt;
    return Numeric{*value};
  }
  static std::string text(Numeric value) { return data::format_numeric(value.scaled); }
};
template <>
struct Kind<BigNumeric> {
  static constexpr int kScale = data::kBigNumericScale;
  static constexpr const char* kName = "BIGNUMERIC";
  static Wide widen(const BigNumeric& value) { return Wide::from(value.scaled); }
  static std::optional<BigNumeric> narrow(const Wide& wide) {
    const auto value = wide.to_int256();
    if (!value) return std::nullopt;
    return BigNumeric{*value};
  }
  static std::string text(const BigNumeric& value) { return data::format_bignumeric(value.scaled); }
};

template <typename T>
const Wide& unit() {
  static const Wide one = Wide::power_of_ten(Kind<T>::kScale);
  return one;
}

template <typename T>
Answer<T> narrow(const Wide& wide, const std::string& what) {
  if (const auto value = Kind<T>::narrow(wide)) return *value;
  return Failure{std::string(Kind<T>::kName) + " overflow: " + what};
}
template <typename T>
Answer<T> binary(const Wide& wide, const T& a, const char* sign, const T& b) {
  if (const auto value = Kind<T>::narrow(wide)) return *value;
  return Failure{std::string(Kind<T>::kName) + " overflow: " + Kind<T>::text(a) + sign + Kind<T>::text(b)};
}
template <typename T>
std::string call(const char* name, const T& a) {
  return std::string(name) + "(" + Kind<T>::text(a) + ")";
}
template <typename T>
std::string call(const char* name, const T& a, const std::string& b) {
  return std::string(name) + "(" + Kind<T>::text(a) + ", " + b + ")";
}

template <typename T>
Answer<T> add(T a, T b) {
  return binary(Kind<T>::widen(a) + Kind<T>::widen(b), a, " + ", b);
}
template <>
Answer<Numeric> add(Numeric a, Numeric b) {
  const Int128 sum = a.scaled + b.scaled;  // both are below 10^38, so this stays below 2^127
  if (data::is_numeric_in_range(sum)) return Numeric{sum};
  return Failure{"numeric overflow: " + Kind<Numeric>::text(a) + " + " + Kind<Numeric>::text(b)};
}
template <typename T>
Answer<T> subtract(T a, T b) {
  return binary(Kind<T>::widen(a) - Kind<T>::widen(b), a, " - ", b);
}
template <typename T>
Answer<T> multiply(T a, T b) {
  return binary(divide_rounded(Kind<T>::widen(a) * Kind<T>::widen(b), unit<T>()), a, " * ", b);
}
template <typename T>
Answer<T> quotient(T a, T b) {
  const Wide divisor = Kind<T>::widen(b);
  if (divisor.is_zero()) return Failure{"division by zero: " + Kind<T>::text(a) + " / " + Kind<T>::text(b)};
  return binary(divide_rounded(Kind<T>::widen(a) * unit<T>(), divisor), a, " / ", b);
}
template <typename T>
Answer<T> whole_quotient(T a, T b) {
  const Wide divisor = Kind<T>::widen(b);
  if (divisor.is_zero()) return Failure{"division by zero: " + call("DIV", a, Kind<T>::text(b))};
  return narrow<T>(divide(Kind<T>::widen(a), divisor).quotient * unit<T>(), call("DIV", a, Kind<T>::text(b)));
}
template <typename T>
Answer<T> modulo(T a, T b) {
  const Wide divisor = Kind<T>::widen(b);
  if (divisor.is_zero()) return Failure{"division by zero: " + call("MOD", a, Kind<T>::text(b))};
  return narrow<T>(divide(Kind<T>::widen(a), divisor).remainder, call("MOD", a, Kind<T>::text(b)));
}
template <typename T>
Answer<T> negate(T a) {
  if (const auto value = Kind<T>::narrow(negated(Kind<T>::widen(a)))) return *value;
  return Failure{std::string(Kind<T>::kName) + " overflow: -(" + Kind<T>::text(a) + ")"};
}
template <typename T>
Answer<T> absolute(T a) {
  return Kind<T>::widen(a).negative ? negate(a) : Answer<T>(a);
}
template <typename T>
T sign(T a) {
  Wide wide = Kind<T>::widen(a);
  if (wide.is_zero()) return a;
  Wide one = unit<T>();
  one.negative = wide.negative;
  return *Kind<T>::narrow(one);
}

enum class Toward { kNearest, kNearestEven, kZero, kUp, kDown };

Wide at_multiple(const Wide& value, const Wide& step, Toward toward) {
  if (toward == Toward::kNearest) return divide_rounded(value, step) * step;
  if (toward == Toward::kNearestEven) return divide_half_even(value, step) * step;
  const Division division = divide(value, step);
  Wide whole = division.quotient;
  if (!division.remainder.is_zero()) {
    const Wide one = Wide::from(Int128{1});
    if (toward == Toward::kUp && !value.negative) whole = whole + one;
    if (toward == Toward::kDown && value.negative) whole = whole - one;
  }
  return whole * step;
}
// `digits` after the point; beyond either end nothing, or everything, is cut.
template <typename T>
Answer<T> at_digits(const T& a, std::int64_t digits, Toward toward, const char* name) {
  constexpr int kScale = Kind<T>::kScale;
  if (digits >= kScale) return a;
  if (digits < -40) return *Kind<T>::narrow(Wide());
  const Wide step = Wide::power_of_ten(kScale - static_cast<int>(digits));
  return narrow<T>(at_multiple(Kind<T>::widen(a), step, toward), call(name, a, std::to_string(digits)));
}
template <typename T>
Answer<T> round_to(T a, std::int64_t digits) {
  return at_digits(a, digits, Toward::kNearest, "ROUND");
}
template <typename T>
Answer<T> round_even_to(T a, std::int64_t digits) {
  return at_digits(a, digits, Toward::kNearestEven, "ROUND");
}
template <typename T>
Answer<T> round_whole(T a) {
  return at_digits(a, 0, Toward::kNearest, "ROUND");
}
template <typename T>
Answer<T> trunc_to(T a, std::int64_t digits) {
  return at_digits(a, digits, Toward::kZero, "TRUNC");
}
template <typename T>
Answer<T> trunc_whole(T a) {
  return at_digits(a, 0, Toward::kZero, "TRUNC");
}
template <typename T>
Answer<T> ceiling(T a) {
  return narrow<T>(at_multiple(Kind<T>::widen(a), unit<T>(), Toward::kUp), call("CEIL", a));
}
template <typename T>
Answer<T> floor_of(T a) {
  return narrow<T>(at_multiple(Kind<T>::widen(a), unit<T>(), Toward::kDown), call("FLOOR", a));
}
template <typename T>
Answer<T> square_root(T a) {
  const Wide wide = Kind<T>::widen(a);
  if (wide.negative) return Failure{"SQRT is undefined for negative value: " + call("SQRT", a)};
  return narrow<T>(square_root_rounded(wide * unit<T>()), call("SQRT", a));
}

// x to a whole power, exact and rounded once, as far as the exact power fits into 512 bits.
template <typename T>
Answer<T> power(T x, T y) {
  const Division exponent = divide(Kind<T>::widen(y), unit<T>());
  const auto whole = exponent.quotient.to_int128();
  const std::string what = call("POW", x, Kind<T>::text(y));
  const Wide base = Kind<T>::widen(x);
  const int steps = whole && *whole >= -1000 && *whole <= 1000 ? std::abs(static_cast<int>(*whole)) : 1001;
  const bool fits =
      exponent.remainder.is_zero() && (steps + 1) * std::max(base.bit_length(), unit<T>().bit_length()) < 500;
  if (!fits) return Failure{what + " is not supported in this version of the embedded warehouse"};
  if (base.is_zero() && *whole < 0) return Failure{"division by zero: " + what};
  Wide top = unit<T>(), bottom = Wide::from(Int128{1});
  for (int i = 0; i < steps; ++i) {
    top = top * (*whole >= 0 ? base : unit<T>());
    bottom = bottom * (*whole >= 0 ? unit<T>() : base);
  }
  return narrow<T>(divide_rounded(top, bottom), what);
}

// ---- casts ----
template <typename T>
Answer<T> from_float(double value) {
  if (!std::isfinite(value)) {
    return Failure{std::string("Illegal conversion of non-finite floating point number to ") +
                   (Kind<T>::kScale == 9 ? "numeric" : "BIGNUMERIC") + ": " + double_text(value)};
  }
  const auto wide = Wide::from_double(value, Kind<T>::kScale);
  const auto result = wide ? Kind<T>::narrow(*wide) : std::nullopt;
  if (!result) return Failure{std::string(Kind<T>::kName) + " out of range: " + double_text(value)};
  return *result;
}
template <typename T>
T from_int(std::int64_t value) {
  return *Kind<T>::narrow(Wide::from(Int128{value}) * unit<T>());
}
template <typename T>
Answer<std::int64_t> to_int(T a) {
  const auto whole = divide_rounded(Kind<T>::widen(a), unit<T>()).to_int128();
  if (!whole || *whole > INT64_MAX || *whole < INT64_MIN) return Failure{"int64 out of range: " + Kind<T>::text(a)};
  return static_cast<std::int64_t>(*whole);
}
template <typename T>
double to_float(T a) {
  return std::strtod(Kind<T>::text(a).c_str(), nullptr);
}
template <>
double to_float(Numeric a) {
  constexpr Int128 kExact = Int128{1} << 53;  // dividend and divisor are exact, so the quotient is rounded once
  if (a.scaled > -kExact && a.scaled < kExact) return static_cast<double>(static_cast<std::int64_t>(a.scaled)) / 1e9;
  return std::strtod(Kind<Numeric>::text(a).c_str(), nullptr);
}
template <typename T>
std::string to_text(T a) {
  return Kind<T>::text(a);
}
BigNumeric widen_numeric(Numeric a) {
  static const Wide factor = Wide::power_of_ten(data::kBigNumericScale - data::kNumericScale);
  return *Kind<BigNumeric>::narrow(Wide::from(a.scaled) * factor);
}
Answer<Numeric> narrow_bignumeric(BigNumeric a) {
  static const Wide factor = Wide::power_of_ten(data::kBigNumericScale - data::kNumericScale);
  if (const auto value = Kind<Numeric>::narrow(divide_rounded(Wide::from(a.scaled), factor))) return *value;
  return Failure{"numeric out of range: " + Kind<BigNumeric>::text(a)};
}

// NUMERIC(P,S): rounded to S digits, then at most P - S digits before the point.
template <typename T>
Answer<T> fit(T a, std::int64_t precision, std::int64_t scale) {
  constexpr int kScale = Kind<T>::kScale;
  const Wide step = Wide::power_of_ten(kScale - static_cast<int>(scale));
  const Wide rounded = at_multiple(Kind<T>::widen(a), step, Toward::kNearest);
  const Wide bound = Wide::power_of_ten(kScale + static_cast<int>(precision - scale));
  if (compare_magnitude(rounded, bound) < 0) {
    if (const auto value = Kind<T>::narrow(rounded)) return *value;
  }
  const std::string type = Kind<T>::kScale == 9 ? "NUMERIC(" : "BIGNUMERIC(";
  std::string limit = std::string(static_cast<std::size_t>(precision - scale), '9');
  if (limit.empty()) limit = "0";
  if (scale > 0) limit += "." + std::string(static_cast<std::size_t>(scale), '9');
  return Failure{type + std::to_string(precision) + (scale > 0 ? ", " + std::to_string(scale) : "") +
                 ") has precision " + std::to_string(precision) + " and scale " + std::to_string(scale) +
                 " but got a value that is not in range of [-" + limit + ", " + limit + "]"};
}

// DuckDB's sums and products of DECIMAL may leave NUMERIC's range.
Answer<Numeric> check_sum(Numeric a) {
  if (data::is_numeric_in_range(a.scaled)) return a;
  return Failure{"numeric overflow: SUM"};
}

template <typename T>
void add_for(Functions& list, const std::string& kind) {
  list.push_back(native<&add<T>>("gs_add_" + kind));
  list.push_back(native<&subtract<T>>("gs_subtract_" + kind));
  list.push_back(native<&multiply<T>>("gs_multiply_" + kind));
  list.push_back(native<&quotient<T>>("gs_divide_" + kind));
  list.push_back(native<&whole_quotient<T>>("gs_div_" + kind));
  list.push_back(native<&modulo<T>>("gs_mod_" + kind));
  list.push_back(native<&negate<T>>("gs_negate_" + kind));
  list.push_back(native<&absolute<T>>("gs_abs_" + kind));
  list.push_back(native<&sign<T>>("gs_sign_" + kind));
  list.push_back(native<&round_to<T>>("gs_round_" + kind + "_to"));
  list.push_back(native<&round_even_to<T>>("gs_round_even_" + kind + "_to"));
  list.push_back(native<&round_whole<T>>("gs_round_" + kind));
  list.push_back(native<&trunc_to<T>>("gs_trunc_" + kind + "_to"));
  list.push_back(native<&trunc_whole<T>>("gs_trunc_" + kind));
  list.push_back(native<&ceiling<T>>("gs_ceil_" + kind));
  list.push_back(native<&floor_of<T>>("gs_floor_" + kind));
  list.push_back(native<&square_root<T>>("gs_sqrt_" + kind));
  list.push_back(native<&power<T>>("gs_pow_" + kind));
  list.push_back(native<&from_float<T>>("gs_float_to_" + kind));
  list.push_back(native<&from_int<T>>("gs_int_to_" + kind));
  list.push_back(native<&to_int<T>>("gs_" + kind + "_to_int"));
  list.push_back(native<&to_float<T>>("gs_" + kind + "_to_float"));
  list.push_back(native<&to_text<T>>("gs_" + kind + "_to_text"));
  list.push_back(native<&fit<T>>("gs_fit_" + kind));
}

}  // namespace

void add_decimal_functions(Functions& list) {
  add_for<Numeric>(list, "numeric");
  add_for<BigNumeric>(list, "bignumeric");
  list.push_back(native<&widen_numeric>("gs_numeric_to_bignumeric"));
  list.push_back(native<&narrow_bignumeric>("gs_bignumeric_to_numeric"));
  list.push_back(native<&check_sum>("gs_check_numeric_sum"));
}

}  // namespace flytt::googlesql::internal
