// Aggregates that DuckDB has with other semantics: exact sums of FLOAT64, decimal sums and averages, MIN and MAX with NaN,
// moments.

#include <cmath>
#include <limits>

#include "googlesql/functions/internal/exact_sum.h"
#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/wide.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;

struct FloatSum {
  ExactSum sum;
  I count = 0;
  void add(double x) {
    sum.add(x);
    ++count;
  }
  void merge(const FloatSum& other) {
    sum.merge(other.sum);
    count += other.count;
  }
  Answer<double> finish() const {
    if (count == 0) return std::nullopt;
    const auto value = static_cast<double>(sum.wide());
    if (std::isinf(value) && !sum.is_special()) return Failure{"double overflow"};
    return value;
  }
};
struct FloatAverage : FloatSum {
  void add(double x) { FloatSum::add(x); }
  void merge(const FloatAverage& other) { FloatSum::merge(other); }
  Answer<double> finish() const {
    if (count == 0) return std::nullopt;
    return static_cast<double>(sum.wide() / static_cast<long double>(count));
  }
};

struct IntAverage {
  std::uint64_t low = 0;
  I high = 0;  // 128 bits in two words: states are aligned to 8 bytes
  I count = 0;
  void add(I x) {
    store(load() + x);
    ++count;
  }
  void merge(const IntAverage& other) {
    store(load() + other.load());
    count += other.count;
  }
  std::optional<double> finish() const {
    if (count == 0) return std::nullopt;
    return static_cast<double>(static_cast<long double>(load()) / static_cast<long double>(count));
  }

 private:
  Int128 load() const {
    return static_cast<Int128>(static_cast<unsigned __int128>(static_cast<std::uint64_t>(high)) << 64 | low);
  }
  void store(Int128 value) {
    low = static_cast<std::uint64_t>(value);
    high = static_cast<I>(value >> 64);
  }
};

template <bool kGreatest>
struct FloatExtreme {
  double best = 0;
  bool is_set = false;
  void add(double x) {
    if (!is_set)
      best = x;
    else if (std::isnan(x) || std::isnan(best))
      best = std::numeric_limits<double>::quiet_NaN();
    else
      best = kGreatest ? std::fmax(best, x) : std::fmin(best, x);
    is_set = true;
  }
  void merge(const FloatExtreme& other) {
    if (other.is_set) add(other.best);
  }
  std::optional<double> finish() const { return is_set ? std::optional<double>(best) : std::nullopt; }
};

// Sums of decimals in 512 bits.
template <typename T>
struct Decimals;
template <>
struct Decimals<Numeric> {
  static constexpr int kScale = data::kNumericScale;
  static constexpr const char* kOverflow = "numeric overflow: SUM";
  static std::optional<Numeric> narrow(const Wide& wide) {
    const auto value = wide.to_int128();
    if (!value || !data::is_numeric_in_range(*value)) return std::nullopt;
    return Numeric{*value};
  }
};
template <>
struct Decimals<BigNumeric> {
  static constexpr int kScale = data::kBigNumericScale;
  static constexpr const char* kOverflow = "BIGNUMERIC overflow: SUM";
  static std::optional<BigNumeric> narrow(const Wide& wide) {
    const auto value = wide.to_int256();
    if (!value) return std::nullopt;
    return BigNumeric{*value};
  }
};

template <typename T, bool kAverage>
struct DecimalSum {
  Wide sum;
  I count = 0;
  void add(T x) {
    sum = sum + Wide::from(x.scaled);
    ++count;
  }
  void merge(const DecimalSum& other) {
    sum = sum + other.sum;
    count += other.count;
  }
  Answer<T> finish() const {
    if (count == 0) return std::nullopt;
    const auto value = Decimals<T>::narrow(kAverage ? divide_rounded(sum, Wide::from(Int128{count})) : sum);
    if (!value) return Failure{Decimals<T>::kOverflow};
    return *value;
  }
};

// Variance and standard deviation from Σx and Σx².
enum class Moment { kVariancePopulation, kVarianceSample, kDeviationPopulation, kDeviationSample };
constexpr bool is_sample(Moment m) { return m == Moment::kVarianceSample || m == Moment::kDeviationSample; }
constexpr bool is_deviation(Moment m) { return m == Moment::kDeviationPopulation || m == Moment::kDeviationSample; }
template <Moment kMoment>
std::optional<double> moment(I count, long double n_squares_minus_square) {
  if (count < (is_sample(kMoment) ? 2 : 1)) return std::nullopt;
  const auto n = static_cast<long double>(count);
  long double variance = n_squares_minus_square / n / (is_sample(kMoment) ? n - 1 : n);
  if (variance < 0) variance = 0;
  if (count == 1 && !std::isnan(variance)) variance = 0;
  return static_cast<double>(is_deviation(kMoment) ? std::sqrt(variance) : variance);
}

template <Moment kMoment>
struct FloatMoment {
  ExactSum sum, squares;
  I count = 0;
  void add(double x) {
    sum.add(x);
    squares.add_product(x, x);
    ++count;
  }
  void merge(const FloatMoment& other) {
    sum.merge(other.sum);
    squares.merge(other.squares);
    count += other.count;
  }
  std::optional<double> finish() const {
    return moment<kMoment>(count, squares.times_minus(static_cast<long double>(count), sum, sum));
  }
};

template <Moment kMoment>
struct NumericMoment {  // Σx² × n stays below 2^(2·127 + 2·63)
  Wide sum, squares;
  I count = 0;
  void add(Numeric x) {
    const Wide wide = Wide::from(x.scaled);
    sum = sum + wide;
    squares = squares + wide * wide;
    ++count;
  }
  void merge(const NumericMoment& other) {
    sum = sum + other.sum;
    squares = squares + other.squares;
    count += other.count;
  }
  std::optional<double> finish() const {
    const Wide difference = squares * Wide::from(Int128{count}) - sum * sum;
    return moment<kMoment>(count, std::strtold((difference.digits() + "e-18").c_str(), nullptr));
  }
};

// Covariance and correlation of pairs.
enum class Pairing { kCovariancePopulation, kCovarianceSample, kCorrelation };
template <Pairing kPairing>
struct FloatPairing {
  ExactSum x, y, xy, xx, yy;
  I count = 0;
  void add(double a, double b) {
    x.add(a);
    y.add(b);
    xy.add_product(a, b);
    if constexpr (kPairing == Pairing::kCorrelation) {
      xx.add_product(a, a);
      yy.add_product(b, b);
    }
    ++count;
  }
  void merge(const FloatPairing& other) {
    x.merge(other.x);
    y.merge(other.y);
    xy.merge(other.xy);
    xx.merge(other.xx);
    yy.merge(other.yy);
    count += other.count;
  }
  std::optional<double> finish() const {
    if (count < (kPairing == Pairing::kCovariancePopulation ? 1 : 2)) return std::nullopt;
    const auto n = static_cast<long double>(count);
    const long double mixed = xy.times_minus(n, x, y);
    if (kPairing == Pairing::kCovariancePopulation) return static_cast<double>(mixed / n / n);
    if (kPairing == Pairing::kCovarianceSample) return static_cast<double>(mixed / n / (n - 1));
    const long double first = xx.times_minus(n, x, x), second = yy.times_minus(n, y, y);
    if (!(first > 0) || !(second > 0)) return std::nan("");
    const auto value = static_cast<double>(mixed / std::sqrt(first) / std::sqrt(second));
    return value > 1 ? 1 : value < -1 ? -1 : value;
  }
};

// ---- over windows, from DuckDB's own aggregates ----
// The compensated sum is right for finite values, the plain one tells infinities and NaN.
double finite_or_plain(double plain, double compensated) { return std::isfinite(compensated) ? compensated : plain; }
Answer<double> window_sum(double plain, double compensated, bool has_infinity) {
  const double sum = finite_or_plain(plain, compensated);
  if (std::isinf(sum) && !has_infinity) return Failure{"double overflow"};
  return sum;
}
double window_average(double plain, double compensated, I count) {
  return finite_or_plain(plain, compensated) / static_cast<double>(count);
}
double window_average_int(Huge sum, I count) {
  return static_cast<double>(static_cast<long double>(sum.value) / static_cast<long double>(count));
}
Numeric window_average_numeric(Numeric sum, I count) {
  return {*divide_rounded(Wide::from(sum.scaled), Wide::from(Int128{count})).to_int128()};
}

}  // namespace

void add_window_functions(Functions& list) {
  list.push_back(native<&window_sum>("gs_window_sum"));
  list.push_back(native<&window_average>("gs_window_avg"));
  list.push_back(native<&window_average_int>("gs_window_avg_int"));
  list.push_back(native<&window_average_numeric>("gs_window_avg_numeric"));
}

void add_number_aggregates(Aggregates& list) {
  list.push_back(native_aggregate<FloatSum>("gs_sum_float"));
  list.push_back(native_aggregate<FloatAverage>("gs_avg_float"));
  list.push_back(native_aggregate<IntAverage>("gs_avg_int"));
  list.push_back(native_aggregate<FloatExtreme<true>>("gs_max_float"));
  list.push_back(native_aggregate<FloatExtreme<false>>("gs_min_float"));
  list.push_back(native_aggregate<DecimalSum<Numeric, false>>("gs_sum_numeric"));
  list.push_back(native_aggregate<DecimalSum<Numeric, true>>("gs_avg_numeric"));
  list.push_back(native_aggregate<DecimalSum<BigNumeric, false>>("gs_sum_bignumeric"));
  list.push_back(native_aggregate<DecimalSum<BigNumeric, true>>("gs_avg_bignumeric"));
  list.push_back(native_aggregate<FloatMoment<Moment::kVariancePopulation>>("gs_var_pop_float"));
  list.push_back(native_aggregate<FloatMoment<Moment::kVarianceSample>>("gs_var_samp_float"));
  list.push_back(native_aggregate<FloatMoment<Moment::kDeviationPopulation>>("gs_stddev_pop_float"));
  list.push_back(native_aggregate<FloatMoment<Moment::kDeviationSample>>("gs_stddev_samp_float"));
  list.push_back(native_aggregate<NumericMoment<Moment::kVariancePopulation>>("gs_var_pop_numeric"));
  list.push_back(native_aggregate<NumericMoment<Moment::kVarianceSample>>("gs_var_samp_numeric"));
  list.push_back(native_aggregate<NumericMoment<Moment::kDeviationPopulation>>("gs_stddev_pop_numeric"));
  list.push_back(native_aggregate<NumericMoment<Moment::kDeviationSample>>("gs_stddev_samp_numeric"));
  list.push_back(native_aggregate<FloatPairing<Pairing::kCovariancePopulation>>("gs_covar_pop"));
  list.push_back(native_aggregate<FloatPairing<Pairing::kCovarianceSample>>("gs_covar_samp"));
  list.push_back(native_aggregate<FloatPairing<Pairing::kCorrelation>>("gs_corr"));
}

}  // namespace flytt::googlesql::internal
