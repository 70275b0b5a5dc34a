#include "base/log.h"

#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "base/clock.h"

namespace flytt::base {

namespace {

std::atomic<LogLevel> least_level{LogLevel::kInfo};
std::atomic<LogFormat> log_format{LogFormat::kText};

std::string timestamp_text() {
  const std::int64_t micros = SystemClock().wall_micros();
  const time_t seconds = static_cast<time_t>(micros / 1'000'000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(micros / 1000 % 1000));
  return text;
}

std::string_view level_text(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "error";
}

bool is_bare(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (c == ' ' || c == '"' || c == '=' || static_cast<unsigned char>(c) < 0x20) return false;
  return true;
}

template <typename Fields>
void write_line(LogLevel level, std::string_view sentence, const Fields& fields, const Error* error) {
  if (level < least_level.load(std::memory_order_relaxed)) return;
  std::string line;
  const bool json = log_format.load(std::memory_order_relaxed) == LogFormat::kJson;
  if (json) {
    line = "{\"time\":\"" + timestamp_text() + "\",\"level\":\"" + std::string(level_text(level)) +
           "\",\"message\":" + json_quote(sentence);
    for (const LogField& field : fields)
      line += "," + json_quote(field.key) + ":" + (field.is_number ? field.value : json_quote(field.value));
    if (error != nullptr)
      line += ",\"code\":\"" + std::string(to_string(error->code())) + "\",\"error\":" + json_quote(error->text());
    line += "}\n";
  } else {
    line = timestamp_text() + " " + std::string(level_text(level)) + " " + std::string(sentence);
    for (const LogField& field : fields)
      line += " " + std::string(field.key) + "=" +
              (field.is_number || is_bare(field.value) ? field.value : json_quote(field.value));
    if (error != nullptr) line += ": " + error->text();
    line += "\n";
  }
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void set_log(LogLevel least, LogFormat format) {
  least_level = least;
  log_format = format;
}

void log(LogLevel level, std::string_view sentence, LogFields fields) { write_line(level, sentence, fields, nullptr); }

void log_failure(LogLevel level, std::string_view sentence, const Error& error, LogFields fields) {
  write_line(level, sentence, fields, &error);
}

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escaped[8];
          std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
          out += escaped;
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

}  // namespace flytt::base
