#pragma once
// Sums of doubles in two long doubles (128 bits of mantissa on x86-64; D. Knuth's two-sum): the answer is the exact sum
// rounded once, and so does not depend on the order of the rows, in all but contrived cases. Nothing overflows on the way.

#include <cmath>
#include <cstring>

namespace flytt::googlesql::internal {

class ExactSum {
 public:
  void add(long double x) {
    if (!std::isfinite(x)) {
      special_ += static_cast<double>(x);
      has_special_ = true;
      return;
    }
    const long double high = load(high_), sum = high + x, back = sum - high;
    const long double error = (high - (sum - back)) + (x - back);
    const long double rest = load(low_) + error;
    store(high_, sum + rest);
    store(low_, rest - (load(high_) - sum));
  }
  void add_product(double a, double b) {
    const long double x = a, y = b, product = x * y;
    add(product);
    if (std::isfinite(product)) add(std::fma(x, y, -product));
  }
  void merge(const ExactSum& other) {
    add(load(other.high_));
    add(load(other.low_));
    special_ += other.special_;
    has_special_ = has_special_ || other.has_special_;
  }
  bool is_special() const { return has_special_; }
  long double wide() const { return has_special_ ? static_cast<long double>(special_) : load(high_) + load(low_); }
  // (this × a - other × other) without losing the digits that cancel, for moments.
  long double times_minus(long double a, const ExactSum& x, const ExactSum& y) const {
    if (has_special_ || x.has_special_ || y.has_special_) return std::nanl("");
    const long double h = load(high_), first = h * a, first_error = std::fma(h, a, -first);
    const long double u = load(x.high_), v = load(y.high_), second = u * v, second_error = std::fma(u, v, -second);
    const long double tails = load(low_) * a - (u * load(y.low_) + v * load(x.low_));
    return (first - second) + ((first_error - second_error) + tails);
  }

 private:
  // DuckDB aligns states to 8 bytes, a long double wants 16.
  static constexpr std::size_t kBytes = 10;
  static long double load(const unsigned char (&bytes)[16]) {
    long double value = 0;
    std::memcpy(&value, bytes, kBytes);
    return value;
  }
  static void store(unsigned char (&bytes)[16], long double value) { std::memcpy(bytes, &value, kBytes); }
  static_assert(sizeof(long double) == 16, "x86-64's long double");

  unsigned char high_[16] = {}, low_[16] = {};
  double special_ = 0;
  bool has_special_ = false;
};

}  // namespace flytt::googlesql::internal
