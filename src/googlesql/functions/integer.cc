// INT64 arithmetic: every overflow is an error with the operands, division truncates toward zero.

#include <bit>
#include <limits>
#include <string>

#include "googlesql/functions/internal/registry.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;

Failure overflow(I a, const char* sign, I b) {
  return {"int64 overflow: " + std::to_string(a) + sign + std::to_string(b)};
}
Failure negation_overflow() { return {"int64 overflow: --9223372036854775808"}; }

Answer<I> add(I a, I b) {
  I r;
  if (__builtin_add_overflow(a, b, &r)) return overflow(a, " + ", b);
  return r;
}
Answer<I> subtract(I a, I b) {
  I r;
  if (__builtin_sub_overflow(a, b, &r)) return overflow(a, " - ", b);
  return r;
}
Answer<I> multiply(I a, I b) {
  I r;
  if (__builtin_mul_overflow(a, b, &r)) return overflow(a, " * ", b);
  return r;
}
Answer<I> negate(I a) {
  if (a == std::numeric_limits<I>::min()) return negation_overflow();
  return -a;
}
Answer<I> absolute(I a) { return a < 0 ? negate(a) : Answer<I>(a); }
Answer<I> divide(I a, I b) {
  if (b == 0) return Failure{"division by zero: " + std::to_string(a) + " / 0"};
  if (b == -1) return negate(a);
  return a / b;
}
Answer<I> modulo(I a, I b) {
  if (b == 0) return Failure{"division by zero: MOD(" + std::to_string(a) + ", 0)"};
  return b == -1 ? 0 : a % b;
}
I sign(I a) { return (a > 0) - (a < 0); }

Answer<I> shift_left(I a, I n) {
  if (n < 0) return Failure{"Bitwise shift by negative offset."};
  return n > 63 ? I{0} : static_cast<I>(static_cast<std::uint64_t>(a) << n);
}
Answer<I> shift_right(I a, I n) {
  if (n < 0) return Failure{"Bitwise shift by negative offset."};
  return n > 63 ? I{0} : static_cast<I>(static_cast<std::uint64_t>(a) >> n);
}
I bit_and(I a, I b) { return a & b; }
I bit_or(I a, I b) { return a | b; }
I bit_xor(I a, I b) { return a ^ b; }
I bit_not(I a) { return ~a; }
I bit_count(I a) { return std::popcount(static_cast<std::uint64_t>(a)); }

// Always fails: the sentence of ERROR() and of branches that must not be reached. Volatile, because DuckDB evaluates
// constant calls while it plans, also in branches that no row takes.
Answer<bool> raise(std::string_view sentence) { return Failure{sentence.empty() ? " " : std::string(sentence)}; }

}  // namespace

void add_integer_functions(Functions& list) {
  list.push_back(native<&add>("gs_add_int"));
  list.push_back(native<&subtract>("gs_subtract_int"));
  list.push_back(native<&multiply>("gs_multiply_int"));
  list.push_back(native<&negate>("gs_negate_int"));
  list.push_back(native<&absolute>("gs_abs_int"));
  list.push_back(native<&divide>("gs_div_int"));
  list.push_back(native<&modulo>("gs_mod_int"));
  list.push_back(native<&sign>("gs_sign_int"));
  list.push_back(native<&shift_left>("gs_shift_left_int"));
  list.push_back(native<&shift_right>("gs_shift_right_int"));
  list.push_back(native<&bit_and>("gs_bit_and_int"));
  list.push_back(native<&bit_or>("gs_bit_or_int"));
  list.push_back(native<&bit_xor>("gs_bit_xor_int"));
  list.push_back(native<&bit_not>("gs_bit_not_int"));
  list.push_back(native<&bit_count>("gs_bit_count_int"));
  list.push_back(native<&raise>("gs_raise"));
  list.back().is_volatile = true;
}

}  // namespace flytt::googlesql::internal
