#pragma once
// ScheduleFacts: what slots wait for, as far as it is not another schedule.
//
//   stream:NAME          the stream is complete up to the slot: a change that was committed at or after it is durable; or, of a
//                        database, all is that its log held when it was asked after the slot; of topics, the stream runs and for
//                        kQuiet after the slot all that it has received is durable
//   table:DATASET.TABLE  the destination says that the table was changed at or after the slot; or a stream of ours writes it
//                        and is complete up to the slot
//
// A change is told from what lasts over a restart: of a stream of topics, and its tables, its saved places; of a table of a database
// its newest change that is durable, and how often it was copied; of a stream of a database those of all its tables.
//
// Thread-safe. `readiness` answers from memory: a thread of its own asks databases for the ends of their logs, and the destination
// about tables, that somebody waits for, every kLogLook and kTableLook. The destructor ends it, after the request that it waits for.

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "data/schema.h"
#include "pipeline/status.h"
#include "scheduler/decide.h"

namespace flytt::app {

class ScheduleFacts final : public scheduler::Facts {
 public:
  static constexpr std::chrono::seconds kQuiet{10};
  static constexpr std::chrono::seconds kTableLook{5};
  static constexpr std::chrono::seconds kLogLook{1};

  struct Parts {
    const base::Clock& clock;
    std::string project;
    std::function<std::vector<pipeline::PipelineStatus>()> streams;
    // When it was changed last, in microseconds since 1970; nullopt: there is no such table.
    std::function<Result<std::optional<std::int64_t>>(const data::TablePath&)> changed;
    // Of a stream of topics, its saved places in words; nullopt for any other.
    std::function<Result<std::optional<std::string>>(const std::string& stream)> places;
    // Of a stream of a database: all that was committed there before the call is durable once saved_number is as much.
    std::function<Result<std::uint64_t>(const std::string& stream)> log_end;
  };
  explicit ScheduleFacts(Parts parts) : parts_(std::move(parts)) {}

  scheduler::Readiness readiness(std::string_view dependency, std::int64_t slot_micros) override;
  scheduler::ChangeMark change(std::string_view dependency) override;

 private:
  struct Table {
    base::SteadyTime wanted_at, asked_at;
    bool was_asked = false;
    std::optional<std::int64_t> changed_micros;
    std::string problem;  // why it is not known
  };
  // The log of a stream's database.
  struct Log {
    std::int64_t running_since_micros = 0;  // ends are of this run of the stream: another may be on another server
    bool is_wanted = false;
    std::optional<base::SteadyTime> asked_at;
    struct End {
      std::int64_t asked_micros = 0;
      std::uint64_t place = 0;
    };
    std::deque<End> ahead;                     // ends that are not durable yet, as they were asked
    std::int64_t complete_micros = INT64_MIN;  // all that was committed until then is durable
    std::string problem;                       // why it is not known
  };
  scheduler::Readiness stream(const std::string& name, std::int64_t slot_micros);
  bool has_all_of_log(const pipeline::PipelineStatus& stream, std::int64_t slot_micros, std::string& problem);
  struct Places {
    base::SteadyTime asked_at;
    Result<std::optional<std::string>> answer;
  };
  // `table`: of this one alone, where that can be told.
  scheduler::ChangeMark change_of(const pipeline::PipelineStatus& stream, const pipeline::TableStatus* table);
  Result<std::optional<std::string>> places(const std::string& stream);
  bool is_complete_by_stream(const std::string& table, std::int64_t slot_micros);
  scheduler::Readiness table(const std::string& name, std::int64_t slot_micros);
  void ask();  // has something asked by the thread; under the mutex
  void look(const std::stop_token& token);
  std::optional<std::string> next_log() const;
  std::optional<std::string> next_table();
  void ask_log(const std::string& stream, std::unique_lock<std::mutex>& lock);
  void ask_table(const std::string& name, std::unique_lock<std::mutex>& lock);

  const Parts parts_;
  std::mutex mutex_;
  std::condition_variable_any wanted_;
  std::map<std::string, Table> tables_;   // by dataset.table
  std::map<std::string, Log> logs_;       // by stream
  std::map<std::string, Places> places_;  // by stream; asked again after kLogLook, however many schedules want to know
  std::jthread thread_;                   // last; begins with what is waited for first
};

}  // namespace flytt::app
