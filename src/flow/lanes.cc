#include "flow/lanes.h"

#include <cstring>
#include <utility>

namespace flytt::flow {

namespace {

constexpr char kVersion = 2;

template <typename Number>
void put(std::string& out, Number value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);  // little endian on every machine that flytt is built for
  out.append(bytes, sizeof bytes);
}

template <typename Number>
bool take(std::string_view& in, Number& value) {
  if (in.size() < sizeof value) return false;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return true;
}

}  // namespace

std::string encode_points(const std::vector<LanePoint>& points) {
  std::string out(1, kVersion);
  for (const LanePoint& point : points) {
    put(out, point.lane);
    put(out, point.next_offset);
    put(out, point.epoch);
    put(out, static_cast<std::uint32_t>(point.record.size()));
    out += point.record;
  }
  return out;
}

Result<std::vector<LanePoint>> decode_points(std::string_view bytes) {
  const Error corrupt(ErrorCode::kCorrupt, "a position is not a list of lanes");
  if (bytes.empty() || bytes.front() != kVersion) return corrupt;
  bytes.remove_prefix(1);
  std::vector<LanePoint> points;
  while (!bytes.empty()) {
    LanePoint point;
    std::uint32_t size = 0;
    if (!take(bytes, point.lane) || !take(bytes, point.next_offset) || !take(bytes, point.epoch) ||
        !take(bytes, size) || bytes.size() < size)
      return corrupt;
    point.record = bytes.substr(0, size);
    bytes.remove_prefix(size);
    points.push_back(std::move(point));
  }
  return points;
}

std::vector<std::uint32_t> place_columns(const data::TableSchema& table) {
  std::vector<std::uint32_t> found;
  for (const std::string_view name : {kTopicColumn, kPartitionColumn, kOffsetColumn}) {
    const auto index = table.find(name);
    if (!index) return {};
    found.push_back(*index);
  }
  return found;
}

}  // namespace flytt::flow
