#pragma once
// Engine: several pipelines in one process, each on its own threads, none able to harm another.
//
//   Engine engine({store, clock, random, metrics});
//   engine.add(config, origin, destination);     // one per stream, before start
//   engine.start();
//   engine.wait(Deadline::never());              // until all have ended; signals call request_stop
//
// add and start belong to one thread; all other functions may be called by any. The destructor stops at once and joins.

#include <memory>
#include <string>
#include <vector>

#include "pipeline/pipeline.h"
#include "pipeline/topic_pipeline.h"

namespace flytt::pipeline {

class Engine {
 public:
  struct Parts {
    state::Store& store;
    const base::Clock& clock;
    base::Random& random;
    base::Metrics& metrics;
  };

  explicit Engine(Parts parts) : parts_(parts) {}
  ~Engine();

  // Origin and destination outlive the engine. Names are unique.
  void add(StreamConfig config, Origin& origin, Destination& destination);
  void add(StreamConfig config, TopicOrigin& origin, Destination& destination);
  void start();

  // Every pipeline drains what it has read, for at most its drain_max, and ends. May be called from any thread, but not
  // from a signal handler.
  void request_stop();
  // Every pipeline ends at its next step; nothing more is saved. As safe as a crash.
  void stop_now();
  // True when all pipelines have ended before the deadline: stopped, caught up, or failed for good.
  bool wait(base::Deadline deadline);

  std::vector<PipelineStatus> status() const;
  // The errors of the pipelines that failed for good.
  std::vector<Error> failures() const;
  // Asks to copy a table again, or the whole stream when `source_table` is empty. Saved before it returns; kNotFound when
  // the stream is not one of ours or the table not one of its tables.
  Status resync(const std::string& stream, const std::string& source_table);

 private:
  template <typename Kind, typename From>
  void add_one(StreamConfig config, From& origin, Destination& destination);

  const Parts parts_;
  ThreadCrew crew_;
  std::vector<std::unique_ptr<Supervisor>> pipelines_;
  std::vector<std::unique_ptr<Crew::Job>> jobs_;
};

}  // namespace flytt::pipeline
