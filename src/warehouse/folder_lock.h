#pragma once
// One process per warehouse folder, and how another process finds that one.
//
// FOLDER/LOCK is held by flock(2) for as long as the object lives; its text is one JSON object:
//   {"format":1,"pid":4711,"verb":"run","started_micros":…,"endpoints":{"rest":"127.0.0.1:9050","grpc":"127.0.0.1:9060"}}
// A lock dies with its process, so a file whose lock is free says nothing. The object may be used from any thread.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace flytt::warehouse {

struct FolderHolder {
  std::int64_t pid = 0;
  std::string verb;  // the command that holds it: "run", "warehouse", "query"
  std::int64_t started_micros = 0;
  std::map<std::string, std::string> endpoints;  // "rest", "grpc", "admin" → "host:port"; those that are open
};

class FolderLock {
 public:
  // Makes the folder (mode 0700) when it is absent, and refuses one that others can read or write. Waits for the lock
  // until `deadline`; then kConflict, and the sentence names the holder.
  static Result<FolderLock> acquire(const std::string& folder, const std::string& verb, const base::Clock& clock,
                                    base::Deadline deadline);
  FolderLock(FolderLock&&) noexcept;
  FolderLock& operator=(FolderLock&&) noexcept;
  ~FolderLock();  // lets the lock go; the file stays

  // Replaces the endpoints that the file tells.
  Status set_endpoints(const std::map<std::string, std::string>& endpoints);
  const std::string& folder() const;

 private:
  struct State;
  explicit FolderLock(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The process that holds the folder now; nullopt when nobody does.
Result<std::optional<FolderHolder>> read_holder(const std::string& folder);

}  // namespace flytt::warehouse
