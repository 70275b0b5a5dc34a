#pragma once
// KeySpans: shows without a look at the file that a first load holds no key twice, when its order shows it.
//
// A table is mostly copied in the order of its key, perhaps in several ranges at once. Then every chunk of rows is an
// increasing run of keys, and the runs do not meet. Once two of them meet, or a chunk is no such run, nothing is known any
// more, and whoever wants to know has to count. 2.4 k runs of 16 bytes for 5 M rows whose keys have gaps; dense runs
// that follow one another become one.
//
// Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>

namespace flytt::warehouse::internal {

class KeySpans {
 public:
  static constexpr std::size_t kSpansMax = 100'000;

  // From now on every row of the table is told.
  void begin() {
    spans_.clear();
    is_known_ = true;
  }
  void give_up() {
    spans_.clear();
    is_known_ = false;
  }
  bool are_distinct() const { return is_known_; }

  // `count` keys, strictly increasing or not.
  void add(const std::int64_t* keys, std::size_t count) {
    if (!is_known_ || count == 0) return;
    for (std::size_t i = 1; i < count; ++i)
      if (keys[i] <= keys[i - 1]) return give_up();
    add_run(keys[0], keys[count - 1]);
  }

 private:
  void add_run(std::int64_t first, std::int64_t last) {
    const auto behind = spans_.upper_bound(first);
    if (behind != spans_.end() && behind->first <= last) return give_up();
    if (behind != spans_.begin()) {
      const auto before = std::prev(behind);
      if (before->second >= first) return give_up();
      if (before->second == first - 1) {
        before->second = last;
        return;
      }
    }
    if (spans_.size() >= kSpansMax) return give_up();
    spans_.emplace_hint(behind, first, last);
  }

  std::map<std::int64_t, std::int64_t> spans_;  // first → last, disjoint
  bool is_known_ = false;
};

}  // namespace flytt::warehouse::internal
