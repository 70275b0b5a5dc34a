#pragma once
// A throw-away PostgreSQL for tests: one server per test program, started at its first use on a free port of 127.0.0.1
// with wal_level=logical and ended with the program (by its process id, and by the kernel if the program is killed).
// The server refuses to run as root, so then it runs as user postgres. Its folder is removed at the end.

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "postgres/connection.h"
#include "postgres/internal/client.h"

namespace flytt::postgres {

class ScratchServer {
 public:
  // `settings` are lines of postgresql.conf. Stops the test program when the server cannot be started.
  explicit ScratchServer(const std::vector<std::string>& settings = {});
  ~ScratchServer();
  ScratchServer(const ScratchServer&) = delete;
  ScratchServer& operator=(const ScratchServer&) = delete;

  // The program's own server, with wal_level=logical.
  static ScratchServer& shared();

  int port() const { return port_; }
  ConnectionSettings settings(std::string_view database, std::string_view user = "postgres",
                              std::string_view password = {}) const;

 private:
  std::string folder_;
  int port_ = 0;
  pid_t pid_ = -1;
};

// A database of its own on the shared server, and a connection to it. Its slots are dropped at the end.
class ScratchDatabase {
 public:
  explicit ScratchDatabase(ScratchServer& server = ScratchServer::shared());
  ~ScratchDatabase();

  const std::string& name() const { return name_; }
  ConnectionSettings settings(std::string_view user = "postgres", std::string_view password = {}) const {
    return server_.settings(name_, user, password);
  }
  // Runs SQL (any number of statements); stops the test program when it fails.
  Rows sql(std::string_view text);
  std::string value(std::string_view text);  // the first cell of the answer
  void terminate(std::string_view pid_sql);  // the backend whose pid it gives, and waits until it is gone
  int version() { return std::stoi(value("SHOW server_version_num")); }  // 150018

 private:
  ScratchServer& server_;
  std::string name_;
  std::unique_ptr<Client> client_;
};

// A pgbouncer before a server. It hands out server connections and refuses replication.
class ScratchPooler {
 public:
  explicit ScratchPooler(const ScratchServer& server);
  ~ScratchPooler();
  ScratchPooler(const ScratchPooler&) = delete;
  ScratchPooler& operator=(const ScratchPooler&) = delete;
  ConnectionSettings settings(std::string_view database) const;

 private:
  std::string folder_;
  int port_ = 0;
  pid_t pid_ = -1;
};

const base::Clock& test_clock();
// Far enough for a busy machine; a test that needs it has failed anyway.
base::Deadline patience();

}  // namespace flytt::postgres
