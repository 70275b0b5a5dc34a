#include "app/internal/progress.h"

#include <algorithm>
#include <cstdio>

#include "app/output.h"
#include "base/log.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kReportInterval{5};

}  // namespace

std::string copy_line(const pipeline::TableStatus& table, std::size_t width) {
  const pipeline::CopyProgress& copy = *table.copy;
  const std::int64_t estimated = std::max<std::int64_t>({copy.rows_estimated, copy.rows_done, 1});
  const auto percent = static_cast<int>(copy.rows_done * 100 / estimated);
  const auto filled = static_cast<std::size_t>(percent) * width / 100;
  std::string line = "[" + std::string(filled, '#') + std::string(width - filled, '-') + "] " +
                     std::to_string(percent) + " %  " + human_count(copy.rows_done) + " rows";
  if (copy.rows_per_second > 0) line += "  " + human_count(static_cast<std::int64_t>(copy.rows_per_second)) + " rows/s";
  if (copy.seconds_left >= 0) line += "  " + human_duration(copy.seconds_left * 1000) + " left";
  if (!copy.trouble.empty()) line += "  waits: " + copy.trouble;
  return line;
}

Progress::~Progress() {
  if (is_terminal_) draw({});
}

void Progress::show(const std::vector<pipeline::PipelineStatus>& streams) {
  std::vector<std::string> lines;
  for (const pipeline::PipelineStatus& stream : streams) {
    for (const pipeline::TableStatus& table : stream.tables) {
      if (!table.copy) continue;
      if (is_terminal_)
        lines.push_back(table.record.source_table + "  " + copy_line(table, 20));
      else
        report(stream, table);
    }
  }
  if (is_terminal_) draw(lines);
}

void Progress::report(const pipeline::PipelineStatus& stream, const pipeline::TableStatus& table) {
  const std::string name = stream.stream + "." + table.record.source_table;
  const auto known = reported_.try_emplace(name, clock_.steady());
  if (known.second || clock_.steady() - known.first->second < kReportInterval) return;
  known.first->second = clock_.steady();
  base::log_info("copying", {{"table", name},
                             {"rows", table.copy->rows_done},
                             {"estimated", table.copy->rows_estimated},
                             {"rows_per_second", static_cast<std::int64_t>(table.copy->rows_per_second)},
                             {"seconds_left", table.copy->seconds_left}});
}

void Progress::draw(const std::vector<std::string>& lines) {
  std::string out;
  if (lines_drawn_ > 0) out += "\x1b[" + std::to_string(lines_drawn_) + "F\x1b[J";
  for (const std::string& line : lines) out += line + "\n";
  lines_drawn_ = lines.size();
  std::fwrite(out.data(), 1, out.size(), stderr);
}

}  // namespace flytt::app
