#pragma once
// What the verbs print: aligned tables, CSV (RFC 4180), progress lines.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace flytt::app {

// Exit statuses of every verb.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;     // wrong usage or configuration
inline constexpr int kExitFindings = 3;  // checks found something

// Columns are as wide as their widest cell, counted in code points; cells of `right` columns are right-aligned.
// Control characters are written as \xHH, so a value cannot move the cursor.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header, std::vector<bool> right = {});
  void add(std::vector<std::string> row);
  std::size_t size() const { return rows_.size(); }
  std::string text() const;

 private:
  std::vector<std::string> header_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

// One RFC 4180 line with CRLF. `is_null` cells are empty and unquoted; an empty text is "".
std::string csv_line(const std::vector<std::string>& cells, const std::vector<bool>& is_null = {});

std::string human_count(std::int64_t n);          // 1 234 567
std::string human_bytes(std::int64_t bytes);      // 12.3 MiB
std::string human_duration(std::int64_t millis);  // 850 ms, 12 s, 3 min 5 s

// "flytt: <sentence> (<cause>), <trail>" on standard error; the exit status that fits the error.
int report(const base::Error& error);

}  // namespace flytt::app
