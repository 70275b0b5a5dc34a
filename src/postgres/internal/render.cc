// Binary values as PostgreSQL's output functions would write them (session as in client.h): for keys, for rejected
// values, and for types whose BigQuery form is that text. Floats come in C++'s shortest form, which may choose another
// exponent style than PostgreSQL; they are no keys.

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "postgres/internal/codec.h"
#include "postgres/internal/numeric.h"
#include "postgres/internal/values.h"
#include "postgres/internal/wire.h"
#include "postgres/lsn.h"

namespace flytt::postgres {

namespace {

template <typename T>
std::string integer_text(std::string_view bytes) {
  return bytes.size() == sizeof(T) ? std::to_string(read_big_endian<T>(bytes.data())) : std::string();
}

template <typename Float>
std::string float_text(Float value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char text[48];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end.ptr);
}

std::string hex_text(std::string_view bytes, const char* separator) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 3);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out += separator;
    const auto byte = static_cast<unsigned char>(bytes[i]);
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

// ".5" without trailing zeros, or nothing.
std::string fraction_text(std::int64_t micros) {
  if (micros == 0) return {};
  char text[8];
  std::snprintf(text, sizeof text, ".%06d", static_cast<int>(micros));
  std::string out = text;
  out.erase(out.find_last_not_of('0') + 1);
  return out;
}

std::string time_text(std::int64_t micros) {
  const auto seconds = static_cast<int>(micros / 1'000'000);
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
  return text + fraction_text(micros % 1'000'000);
}

// Days since 1970; the year before 1 is 1 BC.
std::string date_text(std::int64_t days, bool& before_christ) {
  const data::CivilDate date = data::civil_from_days(days);
  before_christ = date.year < 1;
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d", before_christ ? 1 - date.year : date.year, date.month, date.day);
  return text;
}

std::string render_date(std::string_view bytes) {
  if (bytes.size() != 4) return {};
  const auto days = read_big_endian<std::int32_t>(bytes.data());
  if (days == INT32_MAX) return "infinity";
  if (days == INT32_MIN) return "-infinity";
  bool before_christ;
  std::string out = date_text(std::int64_t{days} + kDaysTo2000, before_christ);
  return before_christ ? out + " BC" : out;
}

std::string render_timestamp(std::string_view bytes, std::string_view zone) {
  if (bytes.size() != 8) return {};
  const auto micros = read_big_endian<std::int64_t>(bytes.data());
  if (micros == INT64_MAX) return "infinity";
  if (micros == INT64_MIN) return "-infinity";
  std::int64_t day = micros / data::kMicrosPerDay, rest = micros % data::kMicrosPerDay;
  if (rest < 0) {
    rest += data::kMicrosPerDay;
    --day;
  }
  bool before_christ;
  std::string out = date_text(day + kDaysTo2000, before_christ) + " " + time_text(rest);
  out += zone;
  return before_christ ? out + " BC" : out;
}

std::string render_timetz(std::string_view bytes) {
  WireReader in(bytes);
  const auto micros = in.number<std::int64_t>();
  const std::int32_t west = in.number<std::int32_t>();
  if (!in.done() || micros < 0 || micros > data::kMicrosPerDay || west < -24 * 3600 || west > 24 * 3600) return {};
  const int seconds = std::abs(west);
  char zone[16];
  int length = std::snprintf(zone, sizeof zone, "%c%02d", west > 0 ? '-' : '+', seconds / 3600);
  if (seconds % 3600 != 0)
    length += std::snprintf(zone + length, sizeof zone - static_cast<std::size_t>(length), ":%02d", seconds / 60 % 60);
  if (seconds % 60 != 0)
    std::snprintf(zone + length, sizeof zone - static_cast<std::size_t>(length), ":%02d", seconds % 60);
  return time_text(micros) + zone;
}

// "1 year 2 mons -3 days +04:05:06": a sign is written where it differs from the one before (EncodeInterval, postgres style).
std::string render_interval(std::string_view bytes) {
  data::Interval value;
  if (!read_interval(bytes, value)) return {};
  if (check_interval(value) == Verdict::kNotFinite) return value.micros > 0 ? "infinity" : "-infinity";
  std::string out;
  bool negative_before = false;
  const auto part = [&](std::int64_t count, const char* unit) {
    if (count == 0) return;
    if (!out.empty()) out += ' ';
    if (negative_before && count > 0) out += '+';
    out += std::to_string(count) + " " + unit + (count != 1 ? "s" : "");
    negative_before = count < 0;
  };
  part(value.months / 12, "year");
  part(value.months % 12, "mon");
  part(value.days, "day");
  if (!out.empty() && value.micros == 0) return out;
  const std::uint64_t micros =
      value.micros < 0 ? 0 - static_cast<std::uint64_t>(value.micros) : static_cast<std::uint64_t>(value.micros);
  const std::uint64_t seconds = micros / 1'000'000;
  char text[48];
  std::snprintf(text, sizeof text, "%s%02llu:%02d:%02d",
                value.micros < 0  ? "-"
                : negative_before ? "+"
                                  : "",
                static_cast<unsigned long long>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
                static_cast<int>(seconds % 60));
  if (!out.empty()) out += ' ';
  return out + text + fraction_text(static_cast<std::int64_t>(micros % 1'000'000));
}

// port/inet_net_ntop.c: the longest run of two or more zero words becomes "::"; some addresses end in dotted form.
std::string ipv6_text(std::string_view address) {
  std::uint16_t words[8];
  for (int i = 0; i < 8; ++i) words[i] = read_big_endian<std::uint16_t>(address.data() + 2 * i);
  int best = -1, best_length = 1;
  for (int i = 0; i < 8;) {
    int end = i;
    while (end < 8 && words[end] == 0) ++end;
    if (end - i > best_length) best = i, best_length = end - i;
    i = end == i ? i + 1 : end;
  }
  std::string out;
  for (int i = 0; i < 8; ++i) {
    if (best != -1 && i >= best && i < best + best_length) {
      if (i == best) out += ':';
      continue;
    }
    if (i != 0) out += ':';
    const bool dotted =
        i == 6 && best == 0 &&
        (best_length == 6 || (best_length == 7 && words[7] != 1) || (best_length == 5 && words[5] == 0xFFFF));
    char text[20];
    if (dotted) {
      std::snprintf(text, sizeof text, "%u.%u.%u.%u", words[6] >> 8, words[6] & 255, words[7] >> 8, words[7] & 255);
      return out + text;
    }
    std::snprintf(text, sizeof text, "%x", words[i]);
    out += text;
  }
  if (best != -1 && best + best_length == 8) out += ':';
  return out;
}

// inet_send: family (2: IPv4, 3: IPv6), mask bits, is-cidr, address length, address.
std::string render_inet(std::string_view bytes) {
  WireReader in(bytes);
  const int family = in.character(), bits = static_cast<unsigned char>(in.character());
  const bool is_cidr = in.character() != 0;
  const int length = in.character();
  const bool four = family == 2 && length == 4, six = family == 3 && length == 16;
  if (in.failed() || (!four && !six) || in.left() != static_cast<std::size_t>(length)) return {};
  const std::string_view address = in.bytes(static_cast<std::size_t>(length));
  std::string out;
  if (four) {
    char text[20];
    std::snprintf(text, sizeof text, "%u.%u.%u.%u", static_cast<unsigned char>(address[0]),
                  static_cast<unsigned char>(address[1]), static_cast<unsigned char>(address[2]),
                  static_cast<unsigned char>(address[3]));
    out = text;
  } else {
    out = ipv6_text(address);
  }
  if (is_cidr || bits != length * 8) out += "/" + std::to_string(bits);
  return out;
}

std::string render_bit(std::string_view bytes) {
  WireReader in(bytes);
  const auto count = in.number<std::int32_t>();
  if (in.failed() || count < 0 || in.left() != (static_cast<std::size_t>(count) + 7) / 8) return {};
  const std::string_view packed = in.bytes(in.left());
  std::string out(static_cast<std::size_t>(count), '0');
  for (std::size_t i = 0; i < out.size(); ++i)
    if ((static_cast<unsigned char>(packed[i / 8]) >> (7 - i % 8) & 1) != 0) out[i] = '1';
  return out;
}

std::string render_vector(std::string_view bytes) {
  WireReader in(bytes);
  const auto count = in.number<std::uint16_t>();
  in.number<std::uint16_t>();
  std::string out = "[";
  for (std::uint16_t i = 0; i < count && !in.failed(); ++i) {
    if (i > 0) out += ',';
    out += float_text(std::bit_cast<float>(in.number<std::uint32_t>()));
  }
  return in.done() ? out + "]" : std::string();
}

bool needs_quotes(std::string_view element, char delimiter) {
  if (element.empty()) return true;
  if (element.size() == 4 && (element[0] | 32) == 'n' && (element[1] | 32) == 'u' && (element[2] | 32) == 'l' &&
      (element[3] | 32) == 'l')
    return true;
  for (const char c : element)
    if (c == '{' || c == '}' || c == '"' || c == '\\' || c == delimiter || c == ' ' || (c >= '\t' && c <= '\r'))
      return true;
  return false;
}

// The elements from `in` as nested braces; `level` counts dimensions from the outside.
void render_dimension(const Codec& codec, WireReader& in, const std::int32_t* lengths, int dimensions, int level,
                      std::string& out) {
  out += '{';
  for (std::int32_t i = 0; i < lengths[level] && !in.failed(); ++i) {
    if (i > 0) out += codec.delimiter;
    if (level + 1 < dimensions) {
      render_dimension(codec, in, lengths, dimensions, level + 1, out);
      continue;
    }
    const auto length = in.number<std::int32_t>();
    if (length < 0) {
      out += "NULL";
      continue;
    }
    const std::string element = render_text(codec.element.front(), in.bytes(static_cast<std::size_t>(length)));
    if (!needs_quotes(element, codec.delimiter)) {
      out += element;
      continue;
    }
    out += '"';
    for (const char c : element) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  out += '}';
}

std::string render_array(const Codec& codec, std::string_view bytes) {
  WireReader in(bytes);
  const auto dimensions = in.number<std::int32_t>();
  in.number<std::int32_t>();
  in.number<std::uint32_t>();
  if (in.failed() || dimensions < 0 || dimensions > 6) return {};
  if (dimensions == 0) return "{}";
  std::int32_t lengths[6];
  std::string bounds, out;
  bool shifted = false;
  for (int i = 0; i < dimensions; ++i) {
    lengths[i] = in.number<std::int32_t>();
    const auto lower = in.number<std::int32_t>();
    if (lengths[i] <= 0) return {};
    shifted = shifted || lower != 1;
    bounds += "[" + std::to_string(lower) + ":" + std::to_string(std::int64_t{lower} + lengths[i] - 1) + "]";
  }
  if (in.failed()) return {};
  render_dimension(codec, in, lengths, dimensions, 0, out);
  if (!in.done()) return {};
  return shifted ? bounds + "=" + out : out;
}

std::string render_money(const Codec& codec, std::string_view bytes) {
  if (bytes.size() != 8) return {};
  return data::format_numeric(scale_money(read_big_endian<std::int64_t>(bytes.data()), codec.money_decimals));
}

std::string render_uuid(std::string_view bytes) {
  if (bytes.size() != 16) return {};
  char text[36];
  write_uuid(bytes.data(), text);
  return std::string(text, sizeof text);
}

}  // namespace

std::string render_text(const Codec& codec, std::string_view bytes) {
  switch (codec.kind) {
    case ValueKind::kInt2: return integer_text<std::int16_t>(bytes);
    case ValueKind::kInt4: return integer_text<std::int32_t>(bytes);
    case ValueKind::kInt8: return integer_text<std::int64_t>(bytes);
    case ValueKind::kOid: return integer_text<std::uint32_t>(bytes);
    case ValueKind::kFloat4:
      return bytes.size() == 4 ? float_text(std::bit_cast<float>(read_big_endian<std::uint32_t>(bytes.data()))) : "";
    case ValueKind::kFloat8:
      return bytes.size() == 8 ? float_text(std::bit_cast<double>(read_big_endian<std::uint64_t>(bytes.data()))) : "";
    case ValueKind::kBool: return bytes.size() != 1 ? "" : bytes.front() != 0 ? "t" : "f";
    case ValueKind::kNumeric:
    case ValueKind::kBigNumeric: return render_numeric(bytes);
    case ValueKind::kMoney: return render_money(codec, bytes);
    case ValueKind::kBytea: return "\\x" + hex_text(bytes, "");
    case ValueKind::kUuid: return render_uuid(bytes);
    case ValueKind::kDate: return render_date(bytes);
    case ValueKind::kTime: {
      const auto micros = bytes.size() == 8 ? read_big_endian<std::int64_t>(bytes.data()) : -1;
      return micros < 0 || micros > data::kMicrosPerDay ? std::string() : time_text(micros);
    }
    case ValueKind::kTimestamp: return render_timestamp(bytes, "");
    case ValueKind::kTimestamptz: return render_timestamp(bytes, "+00");
    case ValueKind::kInterval: return render_interval(bytes);
    case ValueKind::kJsonb: return bytes.empty() ? std::string() : std::string(bytes.substr(1));
    case ValueKind::kTimetz: return render_timetz(bytes);
    case ValueKind::kInet: return render_inet(bytes);
    case ValueKind::kMacaddr: return bytes.size() == 6 || bytes.size() == 8 ? hex_text(bytes, ":") : std::string();
    case ValueKind::kPgLsn:
      return bytes.size() == 8 ? format_lsn(Lsn(read_big_endian<std::uint64_t>(bytes.data()))) : std::string();
    case ValueKind::kBit: return render_bit(bytes);
    case ValueKind::kVector: return render_vector(bytes);
    case ValueKind::kArray: return render_array(codec, bytes);
    case ValueKind::kText:
    case ValueKind::kJson:
    case ValueKind::kOtherText: return std::string(bytes);
  }
  return {};
}

}  // namespace flytt::postgres
