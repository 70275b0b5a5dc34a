#pragma once
// PositionWords: what positions of one kind of source mean, for people and for metrics. Pure functions; any thread.

#include <cstdint>
#include <string>

#include "flow/batch.h"

namespace flytt::pipeline {

class PositionWords {
 public:
  virtual ~PositionWords() = default;
  virtual std::string text(const flow::Position& position) const = 0;      // "0/16B3748"
  virtual std::uint64_t number(const flow::Position& position) const = 0;  // grows with positions
};

}  // namespace flytt::pipeline
