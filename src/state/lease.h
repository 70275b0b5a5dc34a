#pragma once
// Lease: which of several replicas works. docs/decisions/0017 says why it is safe.
//
// It is one row of the shared schema. Whether it is free is decided by the server's clock alone; its holder reckons with its own
// steady clock, from before it sent the renewal, so no clock needs to be right. Each holder has a greater token than all before
// it. A Fence puts holder and token into every write of a Store: after somebody else has taken the lease none of them is
// accepted. What has effects elsewhere has to end by itself at `work_until`, a fifth of the lease before others can take it.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "state/sql_port.h"

namespace flytt::state {

struct LeaseRow {
  std::string holder;  // empty: nobody ever had it
  std::int64_t token = 0;
  std::int64_t left_ms = 0;  // until it is free; not above 0 when it is
  // By the server's clock, µs since 1970. A renewal moves `expires` on; `taken` is 0 where the holder does not tell (an older one).
  std::int64_t expires_micros = 0, taken_micros = 0;
  std::string address;  // where the holder can be asked, on its own host; empty: not told yet
  bool is_held() const { return left_ms > 0; }
};

// What a write has to prove.
struct Fence {
  std::string holder;
  std::int64_t token = 0;
  std::function<bool()> may_wait;  // false once the lease is over: nothing is worth waiting for any more
};

// The row. One thread at a time. Errors as of SqlSession; another call connects anew.
class LeaseTable {
 public:
  virtual ~LeaseTable() = default;
  virtual Result<LeaseRow> read() = 0;
  // The token, when it was free, or was this holder's. Nothing: somebody else has it.
  virtual Result<std::optional<std::int64_t>> take(const std::string& holder, std::chrono::milliseconds length) = 0;
  // False: somebody else has taken it. `address` is told to whoever reads.
  virtual Result<bool> renew(const std::string& holder, std::int64_t token, std::chrono::milliseconds length,
                             const std::string& address) = 0;
  // Whatever token it has: of a take whose answer was lost it is not known.
  virtual Status give_back(const std::string& holder) = 0;
};
enum class LeaseAccess { kMake, kRead };
// kMake makes schema and table where they are absent; kAuth names the right that is missing for that. kNotFound (kRead): there
// is none. Errors beside: kCorrupt (the schema is somebody else's).
Result<std::unique_ptr<LeaseTable>> open_lease_table(const SqlDatabase& database, LeaseAccess access);

// The statement that grants what is missing for making the schema and working in it; empty when nothing is. Changes nothing.
Result<std::string> missing_state_right(const SqlDatabase& database);

// One attempt to be the one that works. `take`, `renew`, `tell` and `give_back` belong to one thread, the rest to any.
class Lease {
 public:
  // `holder` is of this process alone, also after a restart. Table and clock outlive the lease.
  Lease(LeaseTable& table, const base::Clock& clock, std::string holder, std::chrono::milliseconds length)
      : table_(table), clock_(clock), holder_(std::move(holder)), length_(length) {}

  // True: it is ours now. Only before that, or after it was given back.
  Result<bool> take();
  // kConflict: it is lost for good. After other errors it is tried again.
  Status renew();
  // LeaseRow::address, from the next renewal on.
  void tell(std::string address) { address_ = std::move(address); }
  // At an orderly end: another may take it at once. Nothing may work any more. One that was never asked for stays as it is.
  Status give_back();

  // A lease that was over once stays over.
  bool may_work() const;
  base::SteadyTime work_until() const { return base::SteadyTime(base::Duration(work_until_)); }
  Fence fence() const;
  const std::string& holder() const { return holder_; }
  std::chrono::milliseconds length() const { return length_; }

 private:
  void hold_from(base::SteadyTime sent);

  LeaseTable& table_;
  const base::Clock& clock_;
  const std::string holder_;
  const std::chrono::milliseconds length_;
  bool was_asked_for_ = false;
  std::string address_;
  std::atomic<std::int64_t> token_{0};
  std::atomic<base::Duration::rep> work_until_{base::SteadyTime::min().time_since_epoch().count()};
  mutable std::atomic<bool> is_over_{true};
};

}  // namespace flytt::state
