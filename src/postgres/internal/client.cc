#include "postgres/internal/client.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "postgres/internal/error_map.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

void drop_notice(void*, const PGresult*) {}

using InfoHandle = base::Handle<PQconninfoOption, &PQconninfoFree>;

Result<InfoHandle> parse_url(const ConnectionSettings& settings) {
  char* message = nullptr;
  InfoHandle options(PQconninfoParse(settings.url.reveal().c_str(), &message));
  // libpq's message quotes pieces of the URL, possibly of the password.
  if (message != nullptr) PQfreemem(message);
  if (!options) {
    return Error(ErrorCode::kConfig,
                 "the PostgreSQL URL cannot be read; it must look like postgresql://user:password@host:5432/database "
                 "(special characters in the password as %XX)");
  }
  return options;
}

std::string option_value(const PQconninfoOption* options, std::string_view keyword) {
  for (; options->keyword != nullptr; ++options) {
    if (options->keyword != keyword) continue;
    if (options->val != nullptr) return options->val;
    return options->compiled != nullptr ? options->compiled : "";
  }
  return "";
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out += '"';
}

std::string quote_literal(std::string_view text) {
  std::string out = text.find('\\') == text.npos ? "'" : " E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out += '\'';
}

std::string quote_table(std::string_view schema, std::string_view table) {
  return quote_identifier(schema) + "." + quote_identifier(table);
}

std::string Endpoint::text() const { return user + "@" + host + ":" + port + "/" + database; }

Result<Endpoint> parse_endpoint(const ConnectionSettings& settings) {
  TRY(const InfoHandle options, parse_url(settings));
  Endpoint endpoint;
  endpoint.host = option_value(options.get(), "host");
  if (endpoint.host.empty()) endpoint.host = option_value(options.get(), "hostaddr");
  if (endpoint.host.empty()) endpoint.host = "localhost";
  endpoint.port = option_value(options.get(), "port");
  endpoint.user = option_value(options.get(), "user");
  endpoint.database = option_value(options.get(), "dbname");
  if (endpoint.database.empty()) endpoint.database = endpoint.user;
  return endpoint;
}

std::int64_t Rows::number(int row, int column) const {
  const std::string_view text = view(row, column);
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size() ? value : 0;
}

std::int64_t Rows::changes() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void end_backend(const ConnectionSettings& settings, int pid, const base::Clock& clock) {
  const base::Deadline deadline = clock.in(kEndBackendPatience);
  auto client = Client::connect(settings, Client::Mode::kNormal, clock, deadline);
  if (!client) return;
  const std::string wait = (*client)->server_version() >= 140000
                               ? ", " + std::to_string(std::chrono::milliseconds(kEndBackendPatience).count())
                               : "";
  // Should it fail, the server ends the process by itself once it is done and finds nobody to answer to.
  static_cast<void>((*client)->query("SELECT pg_catalog.pg_terminate_backend(" + std::to_string(pid) + wait + ")",
                                     deadline, "end an abandoned server process"));
}

Result<std::unique_ptr<Client>> Client::connect(const ConnectionSettings& settings, Mode mode, const base::Clock& clock,
                                                base::Deadline deadline) {
  TRY(Endpoint endpoint, parse_endpoint(settings));
  const std::string idle = std::to_string(kKeepaliveIdle_s), interval = std::to_string(kKeepaliveInterval_s),
                    count = std::to_string(kKeepaliveCount);
  const std::string unacknowledged = std::to_string(kUnacknowledgedData_ms);
  // "dbname" holds the whole URL (expand_dbname); what follows it wins over what the URL says.
  const std::array keywords = {"dbname",           "application_name",
                               "client_encoding",  "keepalives",
                               "keepalives_idle",  "keepalives_interval",
                               "keepalives_count", "tcp_user_timeout",
                               "replication",      static_cast<const char*>(nullptr)};
  const std::array values = {settings.url.reveal().c_str(),
                             settings.application_name.c_str(),
                             "UTF8",
                             "1",
                             idle.c_str(),
                             interval.c_str(),
                             count.c_str(),
                             unacknowledged.c_str(),
                             mode == Mode::kReplication ? "database" : nullptr,
                             static_cast<const char*>(nullptr)};
  ConnectionHandle connection(PQconnectStartParams(keywords.data(), values.data(), 1));
  if (!connection) return Error(ErrorCode::kUnavailable, "out of memory while connecting to PostgreSQL");
  PQsetNoticeReceiver(connection.get(), &drop_notice, nullptr);
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  std::unique_ptr<Client> client(new Client(std::move(connection), std::move(endpoint), clock));
  TRY_STATUS(client->finish_connect(deadline));
  TRY_STATUS(client->set_session(mode, deadline));
  return client;
}

Status Client::finish_connect(base::Deadline deadline) {
  doing_ = "connect to PostgreSQL at " + endpoint_.text();
  PGconn* raw = connection_.get();
  auto step = PGRES_POLLING_WRITING;
  while (PQstatus(raw) != CONNECTION_BAD && step != PGRES_POLLING_OK && step != PGRES_POLLING_FAILED) {
    TRY(const bool ready, wait(step == PGRES_POLLING_WRITING ? POLLOUT : POLLIN, deadline));
    if (!ready) return timed_out();
    step = PQconnectPoll(raw);
  }
  if (PQstatus(raw) != CONNECTION_OK) {
    broken_ = true;
    return translate_connect_error(PQerrorMessage(raw), endpoint_.text());
  }
  PQsetErrorVerbosity(raw, PQERRORS_DEFAULT);
  if (PQsetnonblocking(raw, 1) != 0) return lost();
  if (PQserverVersion(raw) < kServerVersionMin) {
    return Error(ErrorCode::kUnsupported,
                 "PostgreSQL at " + endpoint_.text() + " is older than version 13, the oldest that flytt speaks to")
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterOperator);
  }
  return ok();
}

Status Client::set_session(Mode mode, base::Deadline deadline) {
  std::string sql =
      "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET "
      "extra_float_digits = 1; "
      "SET lc_monetary = 'C'; SET search_path = ''; SET statement_timeout = 0; SET lock_timeout = 0; SET "
      "idle_in_transaction_session_timeout = 0; "
      // A row that a policy hides would look deleted: an error is better.
      "SET row_security = off; ";
  if (server_version() >= 140000) sql += "SET idle_session_timeout = 0; ";
  if (server_version() >= 170000) sql += "SET transaction_timeout = 0; ";
  // A standard-conforming server: quote_literal relies on it only for text without a backslash.
  sql += "SET standard_conforming_strings = on";
  TRY(const Rows ignored,
      query(sql, deadline, mode == Mode::kReplication ? "prepare a replication connection" : "prepare a connection"));
  static_cast<void>(ignored);
  return ok();
}

Result<bool> Client::wait(short events, base::Deadline deadline) {
  for (;;) {
    pollfd descriptor{PQsocket(connection_.get()), events, 0};
    if (descriptor.fd < 0) return lost();
    const int count = ::poll(&descriptor, 1, static_cast<int>(clock_.left(deadline).count()));
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return lost();
    if (count == 0 && clock_.is_past(deadline)) return false;
  }
}

Result<bool> Client::wait_readable(base::Deadline deadline) { return wait(POLLIN, deadline); }
Result<bool> Client::wait_writable(base::Deadline deadline) { return wait(POLLOUT, deadline); }

Status Client::flush(base::Deadline deadline) {
  for (;;) {
    const int outcome = PQflush(connection_.get());
    if (outcome == 0) return ok();
    if (outcome < 0) return lost();
    TRY(const bool ready, wait(POLLOUT | POLLIN, deadline));
    if (!ready) return timed_out();
    if (PQconsumeInput(connection_.get()) == 0) return lost();
  }
}

Result<bool> Client::wait_input(base::Deadline deadline) {
  if (broken_) return lost();
  if (PQflush(connection_.get()) < 0) return lost();
  TRY(const bool ready, wait(POLLIN, deadline));
  if (!ready) return false;
  if (PQconsumeInput(connection_.get()) == 0) return lost();
  return true;
}

Result<ResultHandle> Client::next_result(base::Deadline deadline, bool& late) {
  late = false;
  while (PQisBusy(connection_.get()) != 0) {
    TRY(const bool ready, wait(POLLIN, deadline));
    if (!ready) {
      late = true;
      return ResultHandle();
    }
    if (PQconsumeInput(connection_.get()) == 0) return lost();
  }
  return ResultHandle(PQgetResult(connection_.get()));
}

Result<Rows> Client::collect(base::Deadline deadline) {
  TRY_STATUS(flush(deadline));
  ResultHandle last;
  std::optional<Error> error;
  for (;;) {
    bool late = false;
    TRY(ResultHandle result, next_result(deadline, late));
    if (late) return timed_out();
    if (!result) break;
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
      if (!error) error = refused(result.get());
    } else {
      last = std::move(result);
    }
    if (PQstatus(connection_.get()) != CONNECTION_OK) break;
  }
  if (error) return std::move(*error);
  if (!last) return lost();
  return Rows(std::move(last));
}

Status Client::send(std::string_view sql, std::string_view doing) {
  doing_ = doing;
  if (broken_) return lost();
  if (PQsendQuery(connection_.get(), std::string(sql).c_str()) == 0) return lost();
  return ok();
}

Result<std::optional<Rows>> Client::receive(base::Deadline deadline) {
  if (broken_) return lost();
  if (PQflush(connection_.get()) < 0) return lost();
  while (PQisBusy(connection_.get()) != 0) {
    TRY(const bool ready, wait(POLLIN, deadline));
    if (!ready) return std::optional<Rows>();
    if (PQconsumeInput(connection_.get()) == 0) return lost();
    if (PQflush(connection_.get()) < 0) return lost();
  }
  TRY(Rows rows, collect(base::Deadline::never()));
  return std::optional<Rows>(std::move(rows));
}

Result<Rows> Client::query(std::string_view sql, base::Deadline deadline, std::string_view doing,
                           const std::vector<Parameter>& parameters) {
  if (parameters.empty()) {
    TRY_STATUS(send(sql, doing));
    return collect(deadline);
  }
  doing_ = doing;
  if (broken_) return lost();
  std::vector<const char*> values;
  for (const Parameter& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  if (PQsendQueryParams(connection_.get(), std::string(sql).c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) == 0)
    return lost();
  return collect(deadline);
}

Result<Rows> Client::query_binary(std::string_view sql, base::Deadline deadline, std::string_view doing,
                                  const std::vector<Parameter>& parameters) {
  doing_ = doing;
  if (broken_) return lost();
  std::vector<const char*> values;
  for (const Parameter& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  if (PQsendQueryParams(connection_.get(), std::string(sql).c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 1) == 0)
    return lost();
  return collect(deadline);
}

Result<Rows> Client::describe(std::string_view sql, base::Deadline deadline, std::string_view doing) {
  doing_ = doing;
  if (broken_) return lost();
  if (PQsendPrepare(connection_.get(), "", std::string(sql).c_str(), 0, nullptr) == 0) return lost();
  TRY(const Rows prepared, collect(deadline));
  static_cast<void>(prepared);
  if (PQsendDescribePrepared(connection_.get(), "") == 0) return lost();
  return collect(deadline);
}

Status Client::start_copy(std::string_view sql, base::Deadline deadline, std::string_view doing) {
  TRY_STATUS(send(sql, doing));
  TRY_STATUS(flush(deadline));
  bool late = false;
  TRY(const ResultHandle result, next_result(deadline, late));
  if (late) return timed_out();
  if (!result) return lost();
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) return ok();
  Error error = status == PGRES_FATAL_ERROR ? refused(result.get())
                                            : Error(ErrorCode::kBug, "could not " + doing_ + ": it is not a copy");
  broken_ = true;  // what else the server sends for this statement is not read
  return error;
}

Result<CopyState> Client::read_copy(std::string_view& row) {
  if (broken_) return lost();
  if (!ending_) {
    char* raw = nullptr;
    const int length = PQgetCopyData(connection_.get(), &raw, 1);
    if (length > 0) {
      row_.reset(raw);
      row = std::string_view(raw, static_cast<std::size_t>(length));
      return CopyState::kRow;
    }
    if (length == 0) return CopyState::kWait;
    if (length == -2) return lost();
    ending_ = true;
  }
  // The server ended the copy; what it says of it comes next.
  while (PQisBusy(connection_.get()) == 0) {
    const ResultHandle result(PQgetResult(connection_.get()));
    const auto status = PQresultStatus(result.get());
    if (result && status == PGRES_FATAL_ERROR && !copy_error_) copy_error_ = refused(result.get());
    if (PQstatus(connection_.get()) != CONNECTION_OK && !copy_error_) return lost();
    if (result && PQstatus(connection_.get()) == CONNECTION_OK && status != PGRES_COPY_IN && status != PGRES_COPY_BOTH)
      continue;
    ending_ = false;
    if (!copy_error_) return CopyState::kEnd;
    broken_ = true;
    return *std::exchange(copy_error_, std::nullopt);
  }
  return CopyState::kWait;
}

Status Client::write_copy(std::string_view bytes) {
  if (broken_) return lost();
  if (PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) < 0) return lost();
  if (PQflush(connection_.get()) < 0) return lost();
  return ok();
}

Error Client::lost() {
  const bool first = !broken_;
  broken_ = true;
  if (!first)
    return Error(ErrorCode::kUnavailable,
                 "could not " + doing_ + ": the connection to " + endpoint_.text() + " is lost")
        .side(base::Side::kSource);
  // A server that says goodbye (57P01 …) leaves its sentence here; it holds no row.
  const std::string_view text = PQerrorMessage(connection_.get());
  std::string sentence = "could not " + doing_ + ": the connection to " + endpoint_.text() + " broke";
  if (const auto line = text.substr(0, text.find('\n')); !line.empty())
    sentence += " (" + std::string(line.substr(0, kErrorTextBytesMax)) + ")";
  return Error(ErrorCode::kUnavailable, std::move(sentence)).side(base::Side::kSource);
}

Error Client::refused(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (state == nullptr) return lost();  // libpq's own message: the connection broke
  return translate_error(state, message == nullptr ? "" : message, doing_);
}

Error Client::timed_out() {
  broken_ = true;
  return Error(ErrorCode::kTimeout,
               "could not " + doing_ + " in time: PostgreSQL at " + endpoint_.text() + " did not answer")
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterBackoff);
}

}  // namespace flytt::postgres
