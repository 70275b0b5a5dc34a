#include "gateway/bigquery/internal/append_connection.h"

#include <algorithm>
#include <mutex>

#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

// google.rpc.Code
enum GrpcCode {
  kInvalidArgument = 3,
  kNotFound = 5,
  kAlreadyExists = 6,
  kResourceExhausted = 8,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14
};

wire::AppendFailure failure(int code, std::string message, const std::string& entity,
                            wire::StorageCode storage_code = wire::StorageCode::kNone) {
  return {code, std::move(message) + " Entity: " + entity, storage_code, entity};
}

wire::AppendFailure bad_stream_name(const std::string& name) {
  return {kInvalidArgument, "Invalid stream name. Entity: " + name, wire::StorageCode::kStreamNotFound, name};
}

std::optional<wire::AppendFailure> refuse_head(const wire::AppendRequest& request, const StreamName& stream,
                                               const std::string& name) {
  if (stream.table.table.find('$') != std::string::npos)
    return failure(kUnimplemented, "Partition decorators (table$partition) are not in this version.", name);
  if (request.head.offset && stream.is_default())
    return failure(kInvalidArgument, "Offset must not be set on the default stream.", name);
  if (request.has_arrow_rows)
    return failure(kUnimplemented, "Arrow rows are not in this version: send proto_rows.", name);
  if (!request.has_proto_rows) return failure(kInvalidArgument, "The request has no rows: set proto_rows.", name);
  for (const auto& [column, interpretation] : request.head.missing_values)
    if (interpretation == wire::MissingValue::kUnspecified)
      return failure(kInvalidArgument,
                     "missing_value_interpretations must be NULL_VALUE or DEFAULT_VALUE for column " + column + ".",
                     name);
  return std::nullopt;
}

// What the warehouse says about write streams.
struct StreamCause {
  wire::StorageCode storage_code;
  int grpc_code;
};
constexpr StreamCause kStreamCauses[] = {
    {wire::StorageCode::kStreamAlreadyCommitted, kInvalidArgument},
    {wire::StorageCode::kInvalidStreamType, kInvalidArgument},
    {wire::StorageCode::kInvalidStreamState, kInvalidArgument},
    {wire::StorageCode::kStreamFinalized, kInvalidArgument},
    {wire::StorageCode::kOffsetAlreadyExists, kAlreadyExists},
    {wire::StorageCode::kOffsetOutOfRange, kOutOfRange},
};

}  // namespace

wire::AppendFailure append_failure_of(const Error& error, const std::string& entity) {
  for (const StreamCause& cause : kStreamCauses)
    if (error.cause() == wire::to_string(cause.storage_code))
      return failure(cause.grpc_code, error.sentence(), entity, cause.storage_code);
  if (error.cause() == wire::to_string(wire::StorageCode::kStreamNotFound))
    return failure(error.code() == ErrorCode::kNotFound ? kNotFound : kInvalidArgument, error.sentence(), entity,
                   wire::StorageCode::kStreamNotFound);
  switch (error.code()) {
    case ErrorCode::kNotFound: return failure(kNotFound, error.sentence(), entity, wire::StorageCode::kTableNotFound);
    case ErrorCode::kSchema:
      return failure(kInvalidArgument, error.sentence(), entity,
                     error.cause() == "SCHEMA_MISMATCH_EXTRA_FIELDS" ? wire::StorageCode::kSchemaMismatchExtraFields
                                                                     : wire::StorageCode::kNone);
    case ErrorCode::kBadData: return failure(kInvalidArgument, error.sentence(), entity);
    case ErrorCode::kUnsupported: return failure(kUnimplemented, error.sentence(), entity);
    case ErrorCode::kThrottled: return failure(kResourceExhausted, error.sentence(), entity);
    case ErrorCode::kConflict: return failure(kAborted, error.sentence(), entity);
    case ErrorCode::kTimeout:
    case ErrorCode::kCancelled:
    case ErrorCode::kUnavailable: return failure(kUnavailable, error.text(), entity);
    case ErrorCode::kAuth:
    case ErrorCode::kConfig:
    case ErrorCode::kCorrupt:
    case ErrorCode::kBug: return failure(kInternal, error.text(), entity);
  }
  return failure(kInternal, error.text(), entity);
}

// An answer needs the outcome (writer thread) and what the session said after it took the request (calling thread).
struct AppendConnection::Answer {
  std::mutex mutex;
  Respond respond;
  std::string stream;
  std::optional<warehouse::AppendOutcome> outcome;
  bool is_checked = false;
  std::optional<data::TableSchema> updated_schema;

  void finish_if_complete() {
    wire::AppendResponse response;
    Respond give;
    {
      std::lock_guard lock(mutex);
      if (!outcome || !is_checked || !respond) return;
      give = std::exchange(respond, nullptr);
      response.offset = outcome->offset;
      if (!outcome->status) response.failure = append_failure_of(outcome->status.error(), stream);
      for (warehouse::RefusedRow& row : outcome->refused_rows)
        response.row_faults.push_back({row.index, std::move(row.message)});
      response.updated_schema = std::move(updated_schema);
      response.write_stream = std::move(stream);
    }
    give(std::move(response));
  }
};

std::optional<wire::AppendFailure> AppendConnection::handle(const wire::AppendRequest& request, Respond respond) {
  const std::string& named = request.head.write_stream;
  if (named.empty() && current_.empty())
    return wire::AppendFailure{
        kInvalidArgument, "The first request of a connection must set write_stream.", wire::StorageCode::kNone, {}};
  const std::string name = named.empty() ? current_ : named;
  const auto refuse = [&](wire::AppendFailure why) {
    wire::AppendResponse response;
    response.failure = std::move(why);
    response.write_stream = name;
    respond(std::move(response));
    return std::nullopt;
  };
  if (named.empty() && is_switched_)
    return refuse(failure(kInvalidArgument,
                          "write_stream must be set in every request once a connection has written to several tables.",
                          name));
  const auto stream = parse_stream_name(name);
  if (!stream) return refuse(bad_stream_name(name));
  if (auto why = refuse_head(request, *stream, name)) return refuse(std::move(*why));

  const bool is_switch = !current_.empty() && name != current_;
  if (is_switch && !tables_.empty() && !(stream->is_default() && is_default_))
    return refuse(failure(kInvalidArgument,
                          "Only default streams share a connection: open another one for each stream that "
                          "CreateWriteStream made.",
                          name));
  std::shared_ptr<Table> table;
  if (const auto known = tables_.find(name); known != tables_.end()) table = known->second;
  const bool has_schema = request.head.descriptor.has_value();
  if (!has_schema && (is_switch || table == nullptr))
    return refuse(failure(kInvalidArgument,
                          "The request has no writer_schema: the first request for a table, and every one that changes "
                          "the table, must bring it.",
                          name));
  current_ = name;
  is_default_ = stream->is_default();
  is_switched_ = is_switched_ || is_switch;
  const bool is_usable =
      table != nullptr && !table->is_stale.load() && (!has_schema || table->descriptor == *request.head.descriptor);
  if (!is_usable) {
    const std::string descriptor = has_schema ? *request.head.descriptor : table->descriptor;
    if (auto why = open_table(*stream, name, descriptor, table)) return refuse(std::move(*why));
  }
  append(request, table, std::move(respond));
  return std::nullopt;
}

std::optional<wire::AppendFailure> AppendConnection::open_table(const StreamName& stream, const std::string& name,
                                                                const std::string& descriptor,
                                                                std::shared_ptr<Table>& table) {
  auto opened = open_(stream, descriptor);
  if (!opened) {
    // The schema is remembered, so that a table that comes back can be written to without sending it again.
    if (table != nullptr) table->is_stale.store(true);
    return append_failure_of(opened.error(), name);
  }
  table = std::make_shared<Table>();
  table->stream = stream;
  table->descriptor = descriptor;
  table->session = std::move(opened).value();
  table->etag = table->session->schema_etag();
  if (tables_.size() >= kAppendTablesMax && tables_.find(name) == tables_.end())
    tables_.erase(std::min_element(tables_.begin(), tables_.end(),
                                   [](const auto& a, const auto& b) { return a.second->used_at < b.second->used_at; }));
  tables_[name] = table;
  return std::nullopt;
}

void AppendConnection::append(const wire::AppendRequest& request, const std::shared_ptr<Table>& table,
                              Respond respond) {
  table->used_at = ++uses_;
  const auto answer = std::make_shared<Answer>();
  answer->respond = std::move(respond);
  answer->stream = table->stream.text();
  // The session stays alive until its answer is there.
  const auto done = [answer, table](warehouse::AppendOutcome outcome) {
    if (!outcome.status && outcome.status.error().code() == ErrorCode::kNotFound) table->is_stale.store(true);
    {
      std::lock_guard lock(answer->mutex);
      answer->outcome = std::move(outcome);
    }
    answer->finish_if_complete();
  };
  table->session->append(request.rows.bytes, request.rows.owner, request.head.offset, done, clock_.in(kAppendWaitMax));
  std::optional<data::TableSchema> updated;
  if (std::string etag = table->session->schema_etag(); etag != table->etag) {
    table->etag = std::move(etag);
    updated = table->session->schema();
  }
  {
    std::lock_guard lock(answer->mutex);
    answer->updated_schema = std::move(updated);
    answer->is_checked = true;
  }
  answer->finish_if_complete();
}

}  // namespace flytt::gateway::internal
