#pragma once
// Stops questions whose deadline has passed or whose caller no longer wants them, by interrupting their connection.
//
// One thread for all; it sleeps while nothing runs. A Guard is made by the thread that runs the question and destroyed by it
// before the connection is used for anything else.

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "warehouse/internal/duck.h"

namespace flytt::warehouse::internal {

class QueryWatch {
 public:
  explicit QueryWatch(const base::Clock& clock);
  ~QueryWatch();

  struct Watched {
    const Connection* connection;
    base::Deadline deadline;
    std::shared_ptr<std::atomic<bool>> cancel;  // may be null
    enum class End { kNone, kDeadline, kCancel };
    std::atomic<End> end{End::kNone};
  };
  class Guard {
   public:
    Guard(QueryWatch& watch, const Connection& connection, base::Deadline deadline,
          std::shared_ptr<std::atomic<bool>> cancel);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    // The reason for stopping instead of `error`, when this question was stopped.
    Error explain(Error error) const;
    // An error once the question is to stop.
    Status check() const;

   private:
    QueryWatch& watch_;
    std::list<Watched>::iterator place_;
  };
  void interrupt_all();  // for closing

 private:
  void loop(std::stop_token stop);

  const base::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Watched> watched_;
  std::jthread thread_;
};

}  // namespace flytt::warehouse::internal
