#pragma once
// Actor: a piece of a pipeline that works in small steps. Crew: what lets actors work.
//
// In the program every actor has a thread of its own (ThreadCrew). In a simulation one thread steps all of them in an
// order that a seed decides. That is why no actor blocks outside a step, and no step longer than it is told.

#include <memory>
#include <thread>

#include "base/clock.h"

namespace flytt::pipeline {

enum class Progress {
  kWorked,  // something was done; step again
  kIdle,    // nothing to do now; the wait was used up
  kDone,    // never step again
};

// The end of a step's wait. No wait at all never looks at real time, so that a simulation can own time.
inline base::Deadline until(const base::Clock& clock, base::Duration wait) {
  return wait <= base::Duration::zero() ? base::Deadline::passed() : clock.in(wait);
}

class Actor {
 public:
  virtual ~Actor() = default;
  // Does a little, waiting at most about `wait` for something to do. Failures are kept by the actor's owner. Called by
  // one thread at a time.
  virtual Progress step(base::Duration wait) = 0;
};

class Crew {
 public:
  // One actor at work. Its destructor waits until the actor is done, so ask the actor to end first.
  class Job {
   public:
    virtual ~Job() = default;
    virtual bool is_done() const = 0;
  };
  virtual ~Crew() = default;
  virtual std::unique_ptr<Job> start(Actor& actor) = 0;
};

class ThreadCrew final : public Crew {
 public:
  std::unique_ptr<Job> start(Actor& actor) override;
};

}  // namespace flytt::pipeline
