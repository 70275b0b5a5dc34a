#include "warehouse/internal/checkpoint_witness.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/failpoint.h"

namespace flytt::warehouse::internal {

CheckpointWitness::CheckpointWitness(const std::string& database_path) {
  if (!base::failpoints_armed.load(std::memory_order_relaxed)) return;
  changes_ = ::inotify_init1(IN_CLOEXEC);
  ended_ = ::eventfd(0, EFD_CLOEXEC);
  CHECK(changes_ >= 0 && ended_ >= 0);
  CHECK(::inotify_add_watch(changes_, database_path.c_str(), IN_MODIFY) >= 0);
  thread_ = std::jthread([this] { watch(); });
}

CheckpointWitness::~CheckpointWitness() {
  static_cast<void>(end());
  if (changes_ >= 0) ::close(changes_);
  if (ended_ >= 0) ::close(ended_);
}

std::optional<Error> CheckpointWitness::end() {
  if (!thread_.joinable()) return std::nullopt;
  CHECK(::eventfd_write(ended_, 1) == 0);
  thread_.join();
  return std::move(told_);
}

void CheckpointWitness::watch() {
  pollfd ends[2] = {{changes_, POLLIN, 0}, {ended_, POLLIN, 0}};
  while (::poll(ends, 2, -1) < 0) {}
  if ((ends[0].revents & POLLIN) != 0) told_ = base::pass_failpoint("warehouse.checkpoint.inside");
}

}  // namespace flytt::warehouse::internal
