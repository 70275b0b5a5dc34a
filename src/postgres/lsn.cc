#include "postgres/lsn.h"

#include <charconv>
#include <cstdio>

#include "postgres/internal/wire.h"

namespace flytt::postgres {

std::string format_lsn(Lsn lsn) {
  char text[24];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(lsn.value >> 32), static_cast<unsigned>(lsn.value));
  return text;
}

Result<Lsn> parse_lsn(std::string_view text) {
  std::uint32_t high = 0, low = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, high, 16);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '/')
    return Error(ErrorCode::kBadData, "not a log position: '" + std::string(text) + "'");
  const auto second = std::from_chars(first.ptr + 1, end, low, 16);
  if (second.ec != std::errc() || second.ptr != end)
    return Error(ErrorCode::kBadData, "not a log position: '" + std::string(text) + "'");
  return Lsn(std::uint64_t{high} << 32 | low);
}

Lsn end_of_log(Lsn insert, std::uint64_t block_bytes) {
  const std::uint64_t in_page = insert.value % block_bytes;
  return in_page == 24 || in_page == 40 ? Lsn(insert.value - in_page) : insert;
}

flow::Position to_position(Lsn lsn) {
  flow::Position position;
  append_big_endian(position.bytes, lsn.value);
  return position;
}

Result<Lsn> to_lsn(const flow::Position& position) {
  if (position.empty()) return Lsn(0);
  if (position.bytes.size() != 8)
    return Error(ErrorCode::kCorrupt, "a saved position of a PostgreSQL stream must be 8 bytes, this one has " +
                                          std::to_string(position.bytes.size()));
  return Lsn(read_big_endian<std::uint64_t>(position.bytes.data()));
}

}  // namespace flytt::postgres
