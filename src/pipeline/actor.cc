#include "pipeline/actor.h"

#include <atomic>

#include "pipeline/limits.h"

namespace flytt::pipeline {

namespace {

class ThreadJob final : public Crew::Job {
 public:
  explicit ThreadJob(Actor& actor)
      : thread_([this, &actor] {
          while (actor.step(kStepWait) != Progress::kDone) {}
          done_ = true;
        }) {}
  bool is_done() const override { return done_; }

 private:
  std::atomic<bool> done_{false};
  std::jthread thread_;  // last: joined before the flag goes
};

}  // namespace

std::unique_ptr<Crew::Job> ThreadCrew::start(Actor& actor) { return std::make_unique<ThreadJob>(actor); }

}  // namespace flytt::pipeline
