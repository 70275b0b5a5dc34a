#pragma once
// Passes the failpoint `warehouse.checkpoint.inside` while DuckDB is writing a checkpoint, so that a kill meets it half done.
//
// DuckDB has no hook inside a checkpoint. The kernel tells of the first write into the database file, and a thread passes
// the failpoint then. A checkpoint that writes nothing is no passage. Without armed failpoints this does nothing.

#include <optional>
#include <string>
#include <thread>

#include "base/result.h"

namespace flytt::warehouse::internal {

class CheckpointWitness {
 public:
  explicit CheckpointWitness(const std::string& database_path);  // before the checkpoint begins
  ~CheckpointWitness();
  CheckpointWitness(const CheckpointWitness&) = delete;
  CheckpointWitness& operator=(const CheckpointWitness&) = delete;

  // The checkpoint has ended. The failpoint's error, if it gave one.
  std::optional<Error> end();

 private:
  void watch();

  int changes_ = -1, ended_ = -1;  // descriptors
  std::optional<Error> told_;
  std::jthread thread_;
};

}  // namespace flytt::warehouse::internal
