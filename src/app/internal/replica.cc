#include "app/internal/replica.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "app/internal/leader.h"
#include "app/internal/source_state.h"
#include "app/output.h"
#include "base/log.h"

namespace flytt::app {

namespace {

constexpr std::chrono::milliseconds kStandbyLook{1'000};
constexpr std::chrono::milliseconds kRetry{500};  // after a renewal that failed

}  // namespace

Result<std::unique_ptr<Replica>> Replica::join(const Session& session, std::uint64_t chance) {
  std::unique_ptr<Replica> made(new Replica(session));
  TRY(made->database_, shared_state(session.config, session.clock));
  TRY(made->table_, state::open_lease_table(made->database_, state::LeaseAccess::kMake));
  made->lease_ = std::make_unique<state::Lease>(*made->table_, session.clock, holder_name(chance),
                                                std::chrono::milliseconds(session.config.lease_ms));
  return made;
}

Replica::~Replica() { stop_threads(); }

Result<bool> Replica::try_to_lead() {
  TRY(const state::LeaseRow row, table_->read());
  if (!row.is_held() || row.holder == lease_->holder()) return lease_->take();
  see_leader(row);
  return false;
}

// One that renews its lease lives, and one that has just taken it, too.
void Replica::see_leader(const state::LeaseRow& row) {
  const bool is_first = leader_.holder.empty(), is_new = leader_.holder != row.holder;
  leader_lives_ = !is_first && row.expires_micros != leader_.expires_micros;
  leader_ = row;
  if (is_new) base::log_info("standing by", {{"leader", row.holder}});
}

Error Replica::conflict(const std::string& what) const {
  return Error(ErrorCode::kConflict, "the state in schema " + database_.schema + " of " + database_.place +
                                         " belongs to " + leader_text(leader_) + what +
                                         "; stop that one, or run this one without --once: then it stands by");
}

Result<bool> Replica::wait_to_lead(const SignalWatch& signals, base::Deadline deadline) {
  const base::Clock& clock = session_.clock;
  const auto look = std::min(kStandbyLook, lease_->length() / 3);
  bool is_away = false, is_told = deadline.is_never();
  while (true) {
    const auto leads = try_to_lead();
    if (leads && *leads) break;
    if (!leads && leads.error().retry() != base::Retry::kAfterBackoff) return leads.error();
    if (!leads && !is_away) base::log_failure(base::LogLevel::kWarning, "the state cannot be reached", leads.error());
    is_away = !leads;
    if (!is_away && !deadline.is_never() && leader_lives_) return conflict(", and it has just renewed its lease");
    if (clock.is_past(deadline)) {
      if (is_away) return leads.error();
      return conflict("; if that one was killed its lease ends in " + human_duration(leader_.left_ms));
    }
    if (!is_away && !leader_.holder.empty() && !std::exchange(is_told, true))
      base::log_failure(base::LogLevel::kWarning, "waiting for a sign of life, or for the end of the lease",
                        conflict(""));
    if (signals.wait(clock, clock.in(look).earlier(deadline))) return false;
  }
  base::log_info("leading", {{"replica", lease_->holder()}, {"token", lease_->fence().token}});
  watcher_ = std::jthread([this] { watch(); });
  keeper_ = std::jthread([this] { keep(); });
  return true;
}

Result<std::unique_ptr<state::Store>> Replica::open_store() {
  return state::Store::open(database_, state::Store::Access::kReadWrite, lease_->fence());
}

void Replica::keep() {
  std::unique_lock lock(mutex_);
  std::chrono::milliseconds wait = lease_->length() / 3;
  while (true) {
    changed_.wait_for(lock, wait, [this] { return is_ending_ || !news_.empty(); });
    if (is_ending_) return;
    if (!news_.empty()) lease_->tell(std::exchange(news_, {}));
    lock.unlock();
    const Status renewed = lease_->renew();
    if (!renewed && renewed.error().code() != ErrorCode::kConflict)
      base::log_failure(base::LogLevel::kWarning, "the lease could not be renewed", renewed.error());
    wait = renewed ? lease_->length() / 3 : kRetry;
    lock.lock();
    changed_.notify_all();
    if (!renewed && renewed.error().code() == ErrorCode::kConflict) return;  // the watcher ends the process
  }
}

void Replica::announce(const std::string& address) {
  {
    std::lock_guard lock(mutex_);
    news_ = address;
  }
  changed_.notify_all();
}

void Replica::watch() {
  std::unique_lock lock(mutex_);
  while (!is_ending_) {
    if (!lease_->may_work()) {
      base::log_error("the lease is lost: another replica may take over, so this process ends at once",
                      {{"replica", lease_->holder()}});
      std::_Exit(kExitFailed);
    }
    changed_.wait_for(lock, session_.clock.left(base::Deadline{lease_->work_until()}));
  }
}

void Replica::stop_threads() {
  {
    std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  if (watcher_.joinable()) watcher_.join();
}

void Replica::give_back() {
  stop_threads();
  const Status given = lease_->give_back();
  if (!given)
    base::log_failure(base::LogLevel::kWarning, "the lease could not be given back; it ends by itself", given.error());
}

}  // namespace flytt::app
