#include "bigquery/internal/errors.h"

#include <gtest/gtest.h>

namespace flytt::bigquery {
namespace {

using base::Retry;

struct RestCase {
  int status;
  const char* reason;
  ErrorCode code;
  Retry retry;
};

TEST(Errors, RestAnswers) {
  const RestCase cases[] = {
      {403, "accessDenied", ErrorCode::kAuth, Retry::kAfterOperator},
      {401, "authError", ErrorCode::kAuth, Retry::kAfterOperator},
      {401, "", ErrorCode::kAuth, Retry::kAfterOperator},
      {403, "billingNotEnabled", ErrorCode::kAuth, Retry::kAfterOperator},
      {404, "notFound", ErrorCode::kNotFound, Retry::kAfterOperator},
      {409, "duplicate", ErrorCode::kConflict, Retry::kNever},
      {412, "conditionNotMet", ErrorCode::kConflict, Retry::kNever},
      {400, "resourceInUse", ErrorCode::kConflict, Retry::kNever},
      {400, "invalid", ErrorCode::kConfig, Retry::kNever},
      {400, "invalidQuery", ErrorCode::kConfig, Retry::kNever},
      {400, "resourcesExceeded", ErrorCode::kConfig, Retry::kNever},
      {403, "quotaExceeded", ErrorCode::kThrottled, Retry::kAfterOperator},
      {403, "rateLimitExceeded", ErrorCode::kThrottled, Retry::kAfterBackoff},
      {400, "jobRateLimitExceeded", ErrorCode::kThrottled, Retry::kAfterBackoff},
      {429, "", ErrorCode::kThrottled, Retry::kAfterBackoff},
      {500, "internalError", ErrorCode::kUnavailable, Retry::kAfterBackoff},
      {400, "jobBackendError", ErrorCode::kUnavailable, Retry::kAfterBackoff},
      {400, "tableUnavailable", ErrorCode::kUnavailable, Retry::kAfterBackoff},
      {502, "", ErrorCode::kUnavailable, Retry::kAfterBackoff},
      {503, "backendError", ErrorCode::kUnavailable, Retry::kAfterBackoff},
      {504, "", ErrorCode::kUnavailable, Retry::kAfterBackoff},
      {400, "timeout", ErrorCode::kTimeout, Retry::kNever},
      {501, "notImplemented", ErrorCode::kUnsupported, Retry::kNever},
      {302, "", ErrorCode::kUnavailable, Retry::kNever},
      {418, "somethingNew", ErrorCode::kUnavailable, Retry::kNever},
  };
  for (const RestCase& c : cases) {
    const Error error = error_of_rest({c.status, c.reason, "text"}, "table p.d.t");
    EXPECT_EQ(error.code(), c.code) << c.status << " " << c.reason;
    EXPECT_EQ(error.retry(), c.retry) << c.status << " " << c.reason;
    EXPECT_EQ(error.side(), base::Side::kSink);
    EXPECT_NE(error.sentence().find("table p.d.t"), std::string::npos) << error.sentence();
  }
}

TEST(Errors, GooglesErrorBody) {
  const RestFailure failure = parse_rest_failure(
      404,
      R"({"error":{"code":404,"message":"Not found: Table p:d.t","errors":[{"message":"m","domain":"global","reason":"notFound"}],"status":"NOT_FOUND"}})");
  EXPECT_EQ(failure.reason, "notFound");
  EXPECT_EQ(error_of_rest(failure, "table p.d.t").text(),
            "BigQuery does not find table p.d.t (HTTP 404 notFound: Not found: Table p:d.t)");
  for (const char* odd : {"", "<html>", "[]", "{}", R"({"error":"x"})", R"({"error":{"errors":[]}})",
                          R"({"error":{"errors":["x"],"message":7}})"})
    EXPECT_EQ(parse_rest_failure(503, odd).reason, "") << odd;
}

struct AppendCase {
  int code;
  wire::StorageCode storage;
  AppendVerdict verdict;
  ErrorCode means;
};

TEST(Errors, AppendAnswers) {
  using wire::StorageCode;
  const AppendCase cases[] = {
      {10, StorageCode::kNone, AppendVerdict::kTransient, ErrorCode::kUnavailable},
      {14, StorageCode::kNone, AppendVerdict::kTransient, ErrorCode::kUnavailable},
      {1, StorageCode::kNone, AppendVerdict::kTransient, ErrorCode::kUnavailable},
      {13, StorageCode::kNone, AppendVerdict::kTransient, ErrorCode::kUnavailable},
      {4, StorageCode::kNone, AppendVerdict::kTransient, ErrorCode::kUnavailable},
      {2, StorageCode::kNone, AppendVerdict::kTransient, ErrorCode::kUnavailable},
      {8, StorageCode::kNone, AppendVerdict::kThrottled, ErrorCode::kThrottled},
      {5, StorageCode::kNone, AppendVerdict::kMissingTable, ErrorCode::kNotFound},
      {3, StorageCode::kTableNotFound, AppendVerdict::kMissingTable, ErrorCode::kNotFound},
      {3, StorageCode::kSchemaMismatchExtraFields, AppendVerdict::kSchemaLag, ErrorCode::kSchema},
      {3, StorageCode::kNone, AppendVerdict::kTableFailed, ErrorCode::kSchema},
      {9, StorageCode::kNone, AppendVerdict::kTableFailed, ErrorCode::kSchema},
      {7, StorageCode::kNone, AppendVerdict::kTableFailed, ErrorCode::kAuth},
      {12, StorageCode::kNone, AppendVerdict::kTableFailed, ErrorCode::kUnsupported},
      {16, StorageCode::kNone, AppendVerdict::kSinkFailed, ErrorCode::kAuth},
  };
  for (const AppendCase& c : cases) {
    const wire::AppendFailure failure{c.code, "text", c.storage, ""};
    EXPECT_EQ(verdict_of(failure), c.verdict) << c.code;
    EXPECT_EQ(error_of_append(failure, "table p.d.t").code(), c.means) << c.code;
  }
}

TEST(Errors, QuotedValuesAreLeftOut) {
  EXPECT_EQ(without_quoted("Could not parse '12x' as INT64"), "Could not parse '…' as INT64");
  EXPECT_EQ(without_quoted("bad \"secret\" and `more`"), "bad \"…\" and `…`");
  EXPECT_EQ(without_quoted("it doesn't matter, isn't it"), "it doesn't matter, isn't it");
  EXPECT_EQ(without_quoted("open \"end"), "open \"end");
}

}  // namespace
}  // namespace flytt::bigquery
