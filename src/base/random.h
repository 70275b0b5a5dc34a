#pragma once
// Randomness is a parameter, as time is. `app` seeds one from the system; a simulation gives its seed, which then is
// the reproduction.

#include <cstdint>
#include <mutex>

namespace flytt::base {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  // Uniform in [0, bound); bound ≥ 1. The bias of the remainder is far below what jitter or a test could see.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override {
    std::lock_guard lock(mutex_);
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

 private:
  std::mutex mutex_;
  std::uint64_t state_;
};

}  // namespace flytt::base
