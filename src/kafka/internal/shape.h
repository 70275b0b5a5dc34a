#pragma once
// Shape: what was seen of one field of JSON messages, and the column type that takes all of it (schema.h has the rules).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/type.h"
#include "kafka/config.h"

namespace flytt::kafka {

struct ShapeMember;

struct Shape {
  std::uint64_t bools = 0, numbers = 0, strings = 0, objects = 0, arrays = 0;
  bool has_fraction = false;                               // a number with a fraction or exponent
  std::size_t digits_max = 0;                              // of a whole number that is beyond 64 bits
  std::uint64_t timestamps = 0, datetimes = 0, dates = 0;  // of the strings
  bool has_null_element = false;                           // of an array
  std::vector<ShapeMember> members;                        // of objects, in the order of first sight
  std::vector<Shape> element;                              // of arrays, one
};

struct ShapeMember {
  std::string key;
  Shape shape;
};

// Adds a whole message to `shape`. False, with nothing added, when it is no JSON object.
bool observe(std::string_view payload, Shape& shape);

// nullopt while nothing but null and empty arrays was seen.
std::optional<data::Type> type_of(const Shape& shape, const PayloadSettings& settings);

// The fields of an object's shape, in order, under names that `taken` (folded) does not hold; adds them to it.
std::vector<data::StructField> fields_of(const Shape& shape, const PayloadSettings& settings,
                                         std::vector<std::string>& taken, std::size_t depth);

// Adds to `known` what `shape` needs more: members of STRUCTs that it does not have, at any depth below `depth`, at most
// `fields_left` fields. Nothing else changes. Returns how many fields were added.
std::size_t grow(data::Type& known, const Shape& shape, const PayloadSettings& settings, std::size_t fields_left,
                 std::size_t depth);

// How many fields a type has, itself included.
std::size_t count_fields(const data::Type& type);

}  // namespace flytt::kafka
