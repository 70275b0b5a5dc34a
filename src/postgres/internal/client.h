#pragma once
// Client: one libpq connection, used asynchronously under deadlines.
//
// Owned and called by one thread. Every call blocks until its deadline at most; a call that timed out or lost the
// connection leaves the client broken (`usable()` is false) and every later call fails at once. Name resolution inside
// libpq is the one wait without a deadline. Sessions are set so that every value has one text form: UTF-8, ISO dates,
// UTC, hexadecimal bytea, shortest floats, empty search_path.

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/handle.h"
#include "base/result.h"
#include "postgres/connection.h"

namespace flytt::postgres {

using ConnectionHandle = base::Handle<PGconn, &PQfinish>;
using ResultHandle = base::Handle<PGresult, &PQclear>;

// The rows of one statement.
class Rows {
 public:
  explicit Rows(ResultHandle result) : result_(std::move(result)) {}
  int size() const { return PQntuples(result_.get()); }
  int columns() const { return PQnfields(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string_view view(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  std::string text(int row, int column) const { return std::string(view(row, column)); }
  bool flag(int row, int column) const { return view(row, column) == "t"; }
  std::int64_t number(int row, int column) const;  // 0 for NULL and for what is not a number
  std::int64_t changes() const;                    // rows that the statement inserted, updated or deleted
  std::uint32_t type_of(int column) const { return PQftype(result_.get(), column); }
  std::int32_t modifier_of(int column) const { return PQfmod(result_.get(), column); }
  std::string name_of(int column) const { return PQfname(result_.get(), column); }

 private:
  ResultHandle result_;
};

// A parameter in text form; nullopt = NULL.
using Parameter = std::optional<std::string>;

enum class CopyState { kRow, kWait, kEnd };

class Client {
 public:
  enum class Mode { kNormal, kReplication };

  static Result<std::unique_ptr<Client>> connect(const ConnectionSettings& settings, Mode mode,
                                                 const base::Clock& clock, base::Deadline deadline);

  // One statement with parameters ($1 …), results in text form; or, without parameters, any number of statements in the
  // simple protocol (the only one of a replication connection), whose last result is returned.
  Result<Rows> query(std::string_view sql, base::Deadline deadline, std::string_view doing,
                     const std::vector<Parameter>& parameters = {});
  // The same with results in binary form. Not on a replication connection.
  Result<Rows> query_binary(std::string_view sql, base::Deadline deadline, std::string_view doing,
                            const std::vector<Parameter>& parameters);
  // The result types of a statement, which is parsed (its tables stay locked in an open transaction) and not run.
  Result<Rows> describe(std::string_view sql, base::Deadline deadline, std::string_view doing);

  // A statement in two steps, for waits that want to be watched: `send`, then `receive` until it yields rows.
  Status send(std::string_view sql, std::string_view doing);
  // nullopt when the deadline passes first; the client stays usable.
  Result<std::optional<Rows>> receive(base::Deadline deadline);

  // COPY … TO STDOUT, or START_REPLICATION (both directions).
  Status start_copy(std::string_view sql, base::Deadline deadline, std::string_view doing);
  // The next CopyData: kRow fills `row`, valid until the next call; kWait: nothing is there yet (see wait_input);
  // kEnd: the copy ended well.
  Result<CopyState> read_copy(std::string_view& row);
  // Sends one CopyData. Does not block: what the socket does not take stays in memory and goes with the next call.
  Status write_copy(std::string_view bytes);
  // Waits for bytes from the server and reads them. False when the deadline passes first.
  Result<bool> wait_input(base::Deadline deadline);

  // For a reader that speaks on this connection itself while libpq takes it for idle (copy_reader.h).
  bool is_plain() const { return PQsslInUse(connection_.get()) == 0 && PQgssEncInUse(connection_.get()) == 0; }
  int socket() const { return PQsocket(connection_.get()); }
  Result<bool> wait_readable(base::Deadline deadline);
  Result<bool> wait_writable(base::Deadline deadline);

  bool usable() const { return !broken_ && PQstatus(connection_.get()) == CONNECTION_OK; }
  int backend_pid() const { return PQbackendPID(connection_.get()); }
  int server_version() const { return PQserverVersion(connection_.get()); }
  const Endpoint& endpoint() const { return endpoint_; }
  const base::Clock& clock() const { return clock_; }

 private:
  Client(ConnectionHandle connection, Endpoint endpoint, const base::Clock& clock)
      : connection_(std::move(connection)), endpoint_(std::move(endpoint)), clock_(clock) {}

  Status finish_connect(base::Deadline deadline);
  Status set_session(Mode mode, base::Deadline deadline);
  Status flush(base::Deadline deadline);
  Result<bool> wait(short events, base::Deadline deadline);
  Result<ResultHandle> next_result(base::Deadline deadline, bool& timed_out);
  Result<Rows> collect(base::Deadline deadline);
  Error lost();                           // the connection broke
  Error refused(const PGresult* result);  // the server answered with an error
  Error timed_out();

  struct FreeBuffer {
    void operator()(char* raw) const { PQfreemem(raw); }
  };
  ConnectionHandle connection_;
  Endpoint endpoint_;
  const base::Clock& clock_;
  std::string doing_;
  std::unique_ptr<char, FreeBuffer> row_;
  bool broken_ = false;
  bool ending_ = false;  // the server ended the copy, its last answer is still to come
  std::optional<Error> copy_error_;
};

// Ends a server process of our own role that still works for a connection we gave up, and waits a few seconds until it
// is gone. A statement that waits does not notice that nobody listens any more.
void end_backend(const ConnectionSettings& settings, int pid, const base::Clock& clock);

// SQL text made safe: "name" with doubled quotes, and 'text' with doubled quotes (E'' when it has a backslash).
std::string quote_identifier(std::string_view name);
std::string quote_literal(std::string_view text);
// "schema"."table"
std::string quote_table(std::string_view schema, std::string_view table);

}  // namespace flytt::postgres
