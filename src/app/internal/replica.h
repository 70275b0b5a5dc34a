#pragma once
// This process as one of several replicas that share a state: it stands by until it may lead, and then sees to it that it
// leads, or ends. docs/decisions/0017.
//
// A lease that is lost ends the process at once, with status 1 and a sentence: what goes on in it must not, and the platform
// starts it again as one that stands by. So a process that is frozen for too long ends as it wakes up.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "app/internal/session.h"
#include "app/internal/signals.h"
#include "state/lease.h"
#include "state/store.h"

namespace flytt::app {

// Owned and called by one thread.
class Replica {
 public:
  // Makes the shared schema where it is missing. `chance` tells it from an earlier process of this host. The session outlives
  // it.
  static Result<std::unique_ptr<Replica>> join(const Session& session, std::uint64_t chance);
  ~Replica();

  // Stands by until it leads. False: a signal came. With a deadline it only waits for a lease whose holder may have been
  // killed: kConflict as soon as that one is seen to live, at its next renewal, or at the deadline.
  Result<bool> wait_to_lead(const SignalWatch& signals, base::Deadline deadline);
  Result<std::unique_ptr<state::Store>> open_store();  // under the lease
  const state::Lease& lease() const { return *lease_; }
  // Where this one can be asked, for verbs on this host. In the lease's row a moment later.
  void announce(const std::string& address);
  // When all work has ended and the store is closed: another replica takes over at once. Also where it never led.
  void give_back();

 private:
  explicit Replica(const Session& session) : session_(session) {}
  Result<bool> try_to_lead();
  void see_leader(const state::LeaseRow& row);
  Error conflict(const std::string& what) const;
  void keep();   // the thread that renews
  void watch();  // the thread that ends the process; it never waits for a server
  void stop_threads();

  const Session& session_;
  state::SqlDatabase database_;
  std::unique_ptr<state::LeaseTable> table_;
  std::unique_ptr<state::Lease> lease_;
  state::LeaseRow leader_;  // somebody else, as it was seen last
  bool leader_lives_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_ending_ = false;
  std::string news_;  // to be told with the next renewal
  std::jthread keeper_, watcher_;
};

}  // namespace flytt::app
