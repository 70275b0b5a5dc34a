#pragma once
// Structured log: a constant lowercase sentence plus fields. Text for a terminal, JSON lines otherwise.
//
//   log_info("slot created", {{"stream", name}, {"lsn", lsn.text()}});
//
// Never a row value, never a credential. Thread-safe; one write(2) per line to standard error.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/error.h"

namespace flytt::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, std::int64_t v) : key(k), value(std::to_string(v)), is_number(true) {}
  LogField(std::string_view k, std::uint64_t v) : key(k), value(std::to_string(v)), is_number(true) {}
  LogField(std::string_view k, int v) : key(k), value(std::to_string(v)), is_number(true) {}
  LogField(std::string_view k, double v) : key(k), value(std::to_string(v)), is_number(true) {}
  std::string_view key;
  std::string value;
  bool is_number = false;
};
using LogFields = std::initializer_list<LogField>;

void set_log(LogLevel least, LogFormat format);
void log(LogLevel level, std::string_view sentence, LogFields fields = {});
inline void log_debug(std::string_view sentence, LogFields fields = {}) { log(LogLevel::kDebug, sentence, fields); }
inline void log_info(std::string_view sentence, LogFields fields = {}) { log(LogLevel::kInfo, sentence, fields); }
inline void log_warning(std::string_view sentence, LogFields fields = {}) { log(LogLevel::kWarning, sentence, fields); }
inline void log_error(std::string_view sentence, LogFields fields = {}) { log(LogLevel::kError, sentence, fields); }
// The text of an Error, as a field value.
void log_failure(LogLevel level, std::string_view sentence, const Error& error, LogFields fields = {});

// JSON string escaping (RFC 8259), shared by log and metrics output.
std::string json_quote(std::string_view text);

}  // namespace flytt::base
