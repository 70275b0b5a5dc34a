// Arrays of plain types: text joining, series, sums, vector distances, checked positions.

#include <cmath>
#include <string>

#include "googlesql/functions/internal/exact_sum.h"
#include "googlesql/functions/internal/number_text.h"
#include "googlesql/functions/internal/registry.h"
#include "googlesql/functions/internal/wide.h"

namespace flytt::googlesql::internal {
namespace {

using I = std::int64_t;

template <typename T, typename View>
std::string join(const List<T>& list, std::string_view delimiter, std::optional<std::string_view> for_null, View view) {
  std::string out;
  bool is_first = true;
  for (const auto& each : list) {
    if (!each && !for_null) continue;
    if (!is_first) out += delimiter;
    is_first = false;
    out += each ? view(*each) : *for_null;
  }
  return out;
}
std::string_view text_view(std::string_view s) { return s; }
std::string_view bytes_view(Bytes s) { return s.data; }
std::string join_text(const List<std::string_view>& list, std::string_view delimiter) {
  return join(list, delimiter, std::nullopt, &text_view);
}
std::string join_text_with(const List<std::string_view>& list, std::string_view delimiter, std::string_view for_null) {
  return join(list, delimiter, for_null, &text_view);
}
ByteString join_bytes(const List<Bytes>& list, Bytes delimiter) {
  return {join(list, delimiter.data, std::nullopt, &bytes_view)};
}
ByteString join_bytes_with(const List<Bytes>& list, Bytes delimiter, Bytes for_null) {
  return {join(list, delimiter.data, for_null.data, &bytes_view)};
}

// The 1-based place of offset or ordinal `index` in a list of `length`.
Answer<I> place(I index, I length, I base) {
  if (index < base || index - base >= length)
    return Failure{"Array index " + std::to_string(index) + " is out of bounds"};
  return index - base + 1;
}
Answer<I> place_of_end(I length, bool first) {
  if (length > 0) return first ? 1 : length;
  return first ? Failure{"ARRAY_FIRST cannot get the first element of an empty array"}
               : Failure{"ARRAY_LAST cannot get the last element of an empty array"};
}

// ---- series ----
constexpr std::size_t kSeriesMax = 10'000'000;
Failure zero_step() { return {"Sequence step cannot be 0."}; }
Failure too_long() { return {"Cannot generate arrays with more than 10000000 elements."}; }

Answer<List<I>> int_series(I first, I last, I step) {
  if (step == 0) return zero_step();
  List<I> list;
  for (I at = first; step > 0 ? at <= last : at >= last;) {
    if (list.size() == kSeriesMax) return too_long();
    list.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return list;
}
Answer<List<double>> float_series(double first, double last, double step) {
  if (step == 0) return zero_step();
  if (!std::isfinite(first) || !std::isfinite(last) || !std::isfinite(step)) {
    return Failure{"Sequence arguments must be finite numbers."};
  }
  List<double> list;
  for (I i = 0;; ++i) {
    const double at = first + static_cast<double>(i) * step;
    if (step > 0 ? !(at <= last) : !(at >= last)) return list;
    if (list.size() == kSeriesMax) return too_long();
    list.emplace_back(at);
  }
}
Answer<List<Numeric>> numeric_series(Numeric first, Numeric last, Numeric step) {
  if (step.scaled == 0) return zero_step();
  List<Numeric> list;
  for (Int128 at = first.scaled; step.scaled > 0 ? at <= last.scaled : at >= last.scaled; at += step.scaled) {
    if (list.size() == kSeriesMax) return too_long();
    list.emplace_back(Numeric{at});
  }
  return list;
}
Answer<List<BigNumeric>> bignumeric_series(BigNumeric first, BigNumeric last, BigNumeric step) {
  if (step.scaled.is_zero()) return zero_step();
  const Wide by = Wide::from(step.scaled), end = Wide::from(last.scaled);
  List<BigNumeric> list;
  for (Wide at = Wide::from(first.scaled); by.negative ? compare(at, end) >= 0 : compare(at, end) <= 0; at = at + by) {
    if (list.size() == kSeriesMax) return too_long();
    list.emplace_back(BigNumeric{*at.to_int256()});
  }
  return list;
}

// ---- sums ----
Answer<I> int_sum(const List<I>& list) {
  Int128 sum = 0;
  bool any = false;
  for (const auto& each : list) {
    if (!each) continue;
    sum += *each;
    any = true;
  }
  if (!any) return std::nullopt;
  if (sum > INT64_MAX || sum < INT64_MIN) return Failure{"int64 overflow"};
  return static_cast<I>(sum);
}
template <bool kAverage>
Answer<double> float_sum(const List<double>& list) {
  ExactSum sum;
  I count = 0;
  for (const auto& each : list) {
    if (!each) continue;
    sum.add(*each);
    ++count;
  }
  if (count == 0) return std::nullopt;
  const auto value = static_cast<double>(kAverage ? sum.wide() / static_cast<long double>(count) : sum.wide());
  if (std::isinf(value) && !sum.is_special()) return Failure{"double overflow"};
  return value;
}
template <bool kGreatest>
std::optional<double> float_extreme(const List<double>& list) {
  std::optional<double> best;
  for (const auto& each : list) {
    if (!each) continue;
    if (std::isnan(*each)) return each;
    if (!best || (kGreatest ? *each > *best : *each < *best)) best = each;
  }
  return best;
}
Answer<I> check_int_sum(Huge sum) {
  if (sum.value > INT64_MAX || sum.value < INT64_MIN) return Failure{"int64 overflow"};
  return static_cast<I>(sum.value);
}

// ---- vectors ----
Answer<List<double>> paired(const List<double>& a, const List<double>& b) {
  if (a.size() != b.size()) {
    return Failure{"Array length mismatch: " + std::to_string(a.size()) + " and " + std::to_string(b.size())};
  }
  for (const List<double>* list : {&a, &b}) {
    for (const auto& each : *list) {
      if (!each) return Failure{"NULL array element"};
    }
  }
  return List<double>();
}
Answer<double> dot_product(const List<double>& a, const List<double>& b) {
  if (auto check = paired(a, b); check.is_failure()) return Failure{check.sentence()};
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += *a[i] * *b[i];
  return sum;
}
Answer<double> euclidean_distance(const List<double>& a, const List<double>& b) {
  if (auto check = paired(a, b); check.is_failure()) return Failure{check.sentence()};
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (*a[i] - *b[i]) * (*a[i] - *b[i]);
  return std::sqrt(sum);
}
Answer<double> cosine_distance(const List<double>& a, const List<double>& b) {
  if (auto check = paired(a, b); check.is_failure()) return Failure{check.sentence()};
  double dot = 0, first = 0, second = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += *a[i] * *b[i];
    first += *a[i] * *a[i];
    second += *b[i] * *b[i];
  }
  if (first == 0 || second == 0) return Failure{"Cannot compute cosine distance against zero vector"};
  return 1 - dot / (std::sqrt(first) * std::sqrt(second));
}

Answer<I> first_place(I length) { return place_of_end(length, true); }
Answer<I> last_place(I length) { return place_of_end(length, false); }

}  // namespace

void add_array_functions(Functions& list) {
  list.push_back(native<&join_text>("gs_array_to_text"));
  list.push_back(native<&join_text_with>("gs_array_to_text_with"));
  list.push_back(native<&join_bytes>("gs_array_to_bytes"));
  list.push_back(native<&join_bytes_with>("gs_array_to_bytes_with"));
  list.push_back(native<&place>("gs_place"));
  list.push_back(native<&first_place>("gs_first_place"));
  list.push_back(native<&last_place>("gs_last_place"));
  list.push_back(native<&int_series>("gs_int_series"));
  list.push_back(native<&float_series>("gs_float_series"));
  list.push_back(native<&numeric_series>("gs_numeric_series"));
  list.push_back(native<&bignumeric_series>("gs_bignumeric_series"));
  list.push_back(native<&int_sum>("gs_array_sum_int"));
  list.push_back(native<&float_sum<false>>("gs_array_sum_float"));
  list.push_back(native<&float_sum<true>>("gs_array_avg_float"));
  list.push_back(native<&float_extreme<true>>("gs_array_max_float"));
  list.push_back(native<&float_extreme<false>>("gs_array_min_float"));
  list.push_back(native<&check_int_sum>("gs_check_int_sum"));
  list.push_back(native<&dot_product>("gs_dot_product"));
  list.push_back(native<&euclidean_distance>("gs_euclidean_distance"));
  list.push_back(native<&cosine_distance>("gs_cosine_distance"));
}

}  // namespace flytt::googlesql::internal
