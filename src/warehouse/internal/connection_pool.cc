#include "warehouse/internal/connection_pool.h"

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

ConnectionPool::Lease::~Lease() {
  if (connection_) pool_->give_back(std::move(connection_));
}

Result<ConnectionPool::Lease> ConnectionPool::take() {
  {
    std::lock_guard lock(mutex_);
    if (taken_ >= kRunningQueriesMax)
      return Error(ErrorCode::kThrottled, "Exceeded rate limits: too many concurrent queries for this warehouse")
          .cause("rateLimitExceeded");
    ++taken_;
    if (!idle_.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return Lease(*this, std::move(connection));
    }
  }
  Result<Connection> made = Connection::open(database_.raw());
  if (!made) {
    std::lock_guard lock(mutex_);
    --taken_;
    return std::move(made.error());
  }
  return Lease(*this, std::make_unique<Connection>(std::move(*made)));
}

void ConnectionPool::give_back(std::unique_ptr<Connection> connection) {
  connection->roll_back();
  std::lock_guard lock(mutex_);
  --taken_;
  if (idle_.size() < kIdleConnectionsMax) idle_.push_back(std::move(connection));
}

void ConnectionPool::clear() {
  std::lock_guard lock(mutex_);
  idle_.clear();
}

}  // namespace flytt::warehouse::internal
