#pragma once
// The one place where BigQuery's own error codes become flytt's.

#include <string>
#include <string_view>

#include "base/error.h"
#include "wire/append_frames.h"

namespace flytt::bigquery {

// A failed REST answer: HTTP status, the first error's reason, and the message.
struct RestFailure {
  int status = 0;
  std::string reason;
  std::string message;
};
// From the body of an answer that is not 2xx; a body that is not Google's JSON gives only a status.
RestFailure parse_rest_failure(int status, std::string_view body);

// `object` says what the request was about: "table p.d.t", "the query".
Error error_of_rest(const RestFailure& failure, const std::string& object);
// A job that ended with errorResult: its reason and message; there is no HTTP status.
Error error_of_job(const RestFailure& failure, const std::string& object);
// google.rpc.Status and StorageError of an append. Row messages are not part of it.
Error error_of_append(const wire::AppendFailure& failure, const std::string& object);

// What a failed append means for the sink.
enum class AppendVerdict {
  kTransient,     // connection or server trouble: connect again and repeat
  kThrottled,     // the same, with longer pauses
  kMissingTable,  // NOT_FOUND, maybe only for a moment
  kSchemaLag,     // the table lacks a field, maybe only until its new schema is seen
  kStreamEnded,   // the write stream is final, or gone: nothing can be appended to it any more
  kTableFailed,   // this table cannot be written
  kSinkFailed,    // nothing can be written: credentials
};
AppendVerdict verdict_of(const wire::AppendFailure& failure);

// A failed unary call about a write stream. kNotFound: there is none, or no table; kConflict: its state forbids it.
Error error_of_stream(const wire::AppendFailure& failure, const std::string& object);

// A foreign message without what stands in quotes, which may be a value of a row, and at most kErrorTextMax long.
std::string without_quoted(std::string_view message);

}  // namespace flytt::bigquery
