#pragma once
// NameTemplate: names of tables and values of parameters that depend on a slot, as BigQuery's scheduled queries write them. In UTC,
// as there.
//
//   {run_date}                    20180215
//   {run_time|"%Y%m%d"}           20180215
//   {run_time+25h|"%Y%m%d"}       20180216         offsets: h, m, s in that order, each once, with decimals; no days, no blanks
//   {run_time-1.5h30s|"%H%M%S"}
//   mytable${run_date}            mytable$20180215
//   \{ \} \" \| \\                 the character itself
//
// The format knows %Y %m %d %H %M %S %j %y %b %B %a %A %e %F %T %D %R %s %E3S-like fractions (%E1S to %E6S), %z %Z and %%. Anything else
// in braces, and any other conversion, is an error when the text is parsed.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace flytt::scheduler {

class NameTemplate {
 public:
  // kConfig: what is wrong, with the column (from 1).
  static Result<NameTemplate> parse(std::string_view text);

  std::string render(std::int64_t slot_micros) const;
  bool depends_on_slot() const;

 private:
  struct Part {
    bool is_time = false;
    std::string text;  // literal, or the format
    std::int64_t offset_micros = 0;
  };
  std::vector<Part> parts_;
};

}  // namespace flytt::scheduler
