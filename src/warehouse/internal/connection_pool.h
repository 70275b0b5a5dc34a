#pragma once
// Connections for questions, kept between uses. Thread-safe.

#include <memory>
#include <mutex>
#include <vector>

#include "warehouse/internal/duck.h"

namespace flytt::warehouse::internal {

class ConnectionPool {
 public:
  explicit ConnectionPool(const Database& database) : database_(database) {}

  // A connection outside of any transaction; it goes back when the lease ends, after a ROLLBACK.
  class Lease {
   public:
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept : pool_(other.pool_), connection_(std::move(other.connection_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }

   private:
    ConnectionPool* pool_;
    std::unique_ptr<Connection> connection_;
  };
  // kThrottled beyond kRunningQueriesMax.
  Result<Lease> take();
  void clear();  // idle ones

 private:
  void give_back(std::unique_ptr<Connection> connection);

  const Database& database_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::size_t taken_ = 0;
};

}  // namespace flytt::warehouse::internal
