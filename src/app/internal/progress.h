#pragma once
// What `run` shows while it runs: bars of copies on a terminal, plain lines otherwise.

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "pipeline/status.h"

namespace flytt::app {

// Used by one thread. `show` is called about every half second.
class Progress {
 public:
  Progress(const base::Clock& clock, bool is_terminal) : clock_(clock), is_terminal_(is_terminal) {}
  ~Progress();
  void show(const std::vector<pipeline::PipelineStatus>& streams);

 private:
  void draw(const std::vector<std::string>& lines);
  void report(const pipeline::PipelineStatus& stream, const pipeline::TableStatus& table);

  const base::Clock& clock_;
  const bool is_terminal_;
  std::size_t lines_drawn_ = 0;
  std::map<std::string, base::SteadyTime> reported_;
};

// "[#####-----]  52 %   2 600 000 rows  812 000 rows/s  3 s left"
std::string copy_line(const pipeline::TableStatus& table, std::size_t width);

}  // namespace flytt::app
