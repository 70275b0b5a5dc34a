#include "googlesql/internal/analyzer_impl.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <signal.h>
#include <unistd.h>

#include <climits>
#include <utility>

#include "base/log.h"
#include "googlesql/limits.h"

namespace flytt::googlesql::internal {
namespace {

// Switched off: finer fractions than BigQuery has, and what BigQuery does not document.
constexpr zetasql::LanguageFeature kFeaturesOff[] = {
    zetasql::FEATURE_TIMESTAMP_NANOS, zetasql::FEATURE_TIMESTAMP_PICOS, zetasql::FEATURE_JSON_TYPE_COMPARISON,
    zetasql::FEATURE_UUID_TYPE,       zetasql::FEATURE_ARRAY_ORDERING,  zetasql::FEATURE_LIMIT_OFFSET_EXPRESSIONS,
};

constexpr zetasql::ResolvedNodeKind kStatements[] = {
    zetasql::RESOLVED_QUERY_STMT,
    zetasql::RESOLVED_CREATE_TABLE_STMT,
    zetasql::RESOLVED_CREATE_TABLE_AS_SELECT_STMT,
    zetasql::RESOLVED_CREATE_SCHEMA_STMT,
    zetasql::RESOLVED_DROP_STMT,
    zetasql::RESOLVED_INSERT_STMT,
    zetasql::RESOLVED_UPDATE_STMT,
    zetasql::RESOLVED_DELETE_STMT,
    zetasql::RESOLVED_MERGE_STMT,
    zetasql::RESOLVED_TRUNCATE_STMT,
    zetasql::RESOLVED_CREATE_VIEW_STMT,
    zetasql::RESOLVED_CREATE_MATERIALIZED_VIEW_STMT,
    zetasql::RESOLVED_CREATE_FUNCTION_STMT,
    zetasql::RESOLVED_ALTER_TABLE_STMT,
    zetasql::RESOLVED_CREATE_TABLE_FUNCTION_STMT,
    zetasql::RESOLVED_DROP_FUNCTION_STMT,
    zetasql::RESOLVED_ALTER_SCHEMA_STMT,
    zetasql::RESOLVED_CREATE_PROCEDURE_STMT,
    zetasql::RESOLVED_CALL_STMT,
    zetasql::RESOLVED_ASSERT_STMT,
    zetasql::RESOLVED_EXPORT_DATA_STMT,
    zetasql::RESOLVED_GRANT_STMT,
    zetasql::RESOLVED_REVOKE_STMT,
    zetasql::RESOLVED_CREATE_SNAPSHOT_TABLE_STMT,
    zetasql::RESOLVED_BEGIN_STMT,
    zetasql::RESOLVED_COMMIT_STMT,
    zetasql::RESOLVED_ROLLBACK_STMT,
    zetasql::RESOLVED_EXECUTE_IMMEDIATE_STMT,
    zetasql::RESOLVED_ASSIGNMENT_STMT,
    zetasql::RESOLVED_CREATE_ROW_ACCESS_POLICY_STMT,
    zetasql::RESOLVED_DROP_ROW_ACCESS_POLICY_STMT,
    zetasql::RESOLVED_DROP_TABLE_FUNCTION_STMT,
    zetasql::RESOLVED_AUX_LOAD_DATA_STMT,
    zetasql::RESOLVED_ALTER_VIEW_STMT,
    zetasql::RESOLVED_CREATE_EXTERNAL_TABLE_STMT,
    zetasql::RESOLVED_DROP_SNAPSHOT_TABLE_STMT,
    zetasql::RESOLVED_DROP_MATERIALIZED_VIEW_STMT,
    zetasql::RESOLVED_ALTER_MATERIALIZED_VIEW_STMT,
    zetasql::RESOLVED_UNDROP_STMT,
};

void settle_language(zetasql::LanguageOptionsProto& language) {
  language.set_product_mode(zetasql::PRODUCT_EXTERNAL);
  google::protobuf::RepeatedField<int> kept;
  for (const int feature : language.enabled_language_features()) {
    bool off = false;
    for (const auto unwanted : kFeaturesOff) off = off || feature == unwanted;
    if (!off) kept.Add(feature);
  }
  kept.Add(zetasql::FEATURE_COLLATION_SUPPORT);
  language.mutable_enabled_language_features()->Swap(&kept);
  language.clear_supported_statement_kinds();
  for (const auto kind : kStatements) language.add_supported_statement_kinds(kind);
}

std::string library_beside_program() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  const std::string program(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  return program.substr(0, program.rfind('/') + 1) + "lib/liblocal_service_jni.so";
}

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

// Functions of BigQuery that the analyzer does not know: it would call a right statement wrong.
bool names_a_missing_function(std::string_view sentence) {
  static constexpr std::string_view kMissing[] = {"CONTAINS_SUBSTR",
                                                  "SEARCH",
                                                  "VECTOR_SEARCH",
                                                  "TEXT_ANALYZE",
                                                  "BAG_OF_WORDS",
                                                  "TF_IDF",
                                                  "RANGE_SESSIONIZE",
                                                  "GAP_FILL",
                                                  "EXTERNAL_OBJECT_TRANSFORM",
                                                  "EXTERNAL_QUERY",
                                                  "ST_REGIONSTATS",
                                                  "APPENDS",
                                                  "CHANGES",
                                                  "OBJ.",
                                                  "ML.",
                                                  "AI.",
                                                  "NET."};
  for (const std::string_view kind : {"Table-valued function not found: ", "Function not found: "}) {
    if (!starts_with(sentence, kind)) continue;
    std::string name(sentence.substr(kind.size()));
    for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    for (const std::string_view missing : kMissing)
      if (starts_with(name, missing)) return true;
  }
  return false;
}

Error analysis_error(const grpc::Status& status) {
  const std::string& sentence = status.error_message();
  if (starts_with(sentence, "Table not found: ")) return Error(ErrorCode::kNotFound, sentence);
  if (names_a_missing_function(sentence) || starts_with(sentence, "Statement not supported: ") ||
      starts_with(sentence, "Unrecognized name: @@") || starts_with(sentence, "CREATE TABLE CLONE is not supported"))
    return Error(ErrorCode::kUnsupported, sentence);
  switch (status.error_code()) {
    case grpc::StatusCode::UNIMPLEMENTED: return Error(ErrorCode::kUnsupported, status.error_message());
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      return Error(ErrorCode::kBug, "the SQL analyzer failed").cause(status.error_message());
    default: return Error(ErrorCode::kBadData, status.error_message());
  }
}

bool is_transport_failure(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE || status.error_code() == grpc::StatusCode::CANCELLED;
}

// A resolved tree nests deeper than the 100 levels that the generated stub's parser allows, so this answer is taken as bytes.
grpc::Status deep_analyze(grpc::ChannelInterface& channel, grpc::ClientContext& context,
                          const service::AnalyzeRequest& request, service::AnalyzeResponse& response) {
  const grpc::internal::RpcMethod method("/zetasql.local_service.ZetaSqlLocalService/Analyze",
                                         grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::ByteBuffer bytes;
  const grpc::Status status = grpc::internal::BlockingUnaryCall<service::AnalyzeRequest, grpc::ByteBuffer>(
      &channel, method, &context, request, &bytes);
  if (!status.ok()) return status;
  grpc::ProtoBufferReader reader(&bytes);
  google::protobuf::io::CodedInputStream input(&reader);
  input.SetRecursionLimit(kMessageNestingMax);
  if (response.ParseFromCodedStream(&input)) return grpc::Status::OK;
  return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "a statement nested this deeply is not supported");
}

void set_deadline(grpc::ClientContext& context, gpr_timespec deadline) { context.set_deadline(deadline); }

}  // namespace

// ---- Session

Session::Session(std::unique_ptr<HelperProcess> process, std::shared_ptr<grpc::Channel> channel)
    : process_(std::move(process)),
      channel_(std::move(channel)),
      stub_(service::ZetaSqlLocalService::NewStub(channel_)) {}

Session::Registered::~Registered() {
  if (session.is_closing_) return;
  service::UnregisterRequest request;
  request.set_registered_id(id);
  grpc::ClientContext context;
  set_deadline(context, gpr_time_from_millis(kHelperConnectMillisMax, GPR_TIMESPAN));
  google::protobuf::Empty nothing;
  const grpc::Status ignored = session.stub().UnregisterCatalog(&context, request, &nothing);
  static_cast<void>(ignored);  // a helper that is gone has forgotten it anyway
}

Result<std::shared_ptr<Session>> Session::open(const std::string& library_path) {
  TRY(std::unique_ptr<HelperProcess> process, HelperProcess::start(library_path));
  TRY(const int fd, process->connect());
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomInsecureChannelFromFd("googlesql_helper", fd, arguments);
  std::shared_ptr<Session> session(new Session(std::move(process), std::move(channel)));

  service::LanguageOptionsRequest request;
  request.set_maximum_features(true);
  grpc::ClientContext context;
  set_deadline(context, gpr_time_from_millis(kHelperStartMillisMax, GPR_TIMESPAN));
  const grpc::Status status = session->stub_->GetLanguageOptions(&context, request, &session->language_);
  if (!status.ok()) {
    return Error(ErrorCode::kUnavailable, "the SQL analyzer's helper does not answer").cause(status.error_message());
  }
  settle_language(session->language_);
  return session;
}

grpc::Status Session::register_catalog(const zetasql::SimpleCatalogProto& catalog, gpr_timespec deadline,
                                       std::shared_ptr<void>& lease, std::int64_t& id) {
  std::string key = catalog.SerializeAsString();
  {
    std::lock_guard lock(mutex_);
    for (auto entry = catalogs_.begin(); entry != catalogs_.end(); ++entry) {
      if (entry->key != key) continue;
      catalogs_.splice(catalogs_.begin(), catalogs_, entry);
      lease = entry->catalog;
      id = entry->catalog->id;
      return grpc::Status::OK;
    }
  }
  service::RegisterCatalogRequest request;
  *request.mutable_simple_catalog() = catalog;
  *request.mutable_simple_catalog()->mutable_builtin_function_options()->mutable_language_options() = language_;
  service::RegisterResponse response;
  grpc::ClientContext context;
  set_deadline(context, deadline);
  const grpc::Status status = stub_->RegisterCatalog(&context, request, &response);
  if (!status.ok()) return status;
  auto registered = std::make_shared<Registered>(*this, response.registered_id());
  lease = registered;
  id = registered->id;
  std::list<Entry> leaving;  // dies outside the lock: unregistering is a call
  std::lock_guard lock(mutex_);
  catalogs_.push_front(Entry{std::move(key), std::move(registered)});
  if (catalogs_.size() > kRegisteredCatalogsMax) leaving.splice(leaving.begin(), catalogs_, std::prev(catalogs_.end()));
  return grpc::Status::OK;
}

// ---- AnalyzerImpl

Result<std::shared_ptr<Session>> AnalyzerImpl::session() {
  std::lock_guard lock(mutex_);
  if (session_) return session_;
  const std::string path = options_.library_path.empty() ? library_beside_program() : options_.library_path;
  TRY(session_, Session::open(path));
  ++helpers_started_;
  return session_;
}

void AnalyzerImpl::discard(const std::shared_ptr<Session>& broken) {
  broken->kill();
  std::lock_guard lock(mutex_);
  if (session_ != broken) return;
  session_.reset();
  base::log_warning("the sql analyzer's helper is gone and will be started again", {{"pid", broken->process().pid()}});
}

Status AnalyzerImpl::run(base::Deadline deadline, const Call& call) {
  for (int attempt = 1;; ++attempt) {
    if (clock_.is_past(deadline)) return Error(ErrorCode::kTimeout, "the time for analyzing the SQL statement is over");
    auto opened = session();
    if (!opened && opened.error().code() == ErrorCode::kUnavailable && attempt < kCallAttemptsMax) continue;
    TRY(const std::shared_ptr<Session> current, std::move(opened));
    const auto left = clock_.left(deadline.earlier(clock_.in(std::chrono::milliseconds(kCallMillisMax))));
    const grpc::Status status = call(*current, gpr_time_from_millis(left.count(), GPR_TIMESPAN));
    if (status.ok()) return ok();
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      discard(current);  // the analyzer goes on computing after a cancelled call
      return Error(ErrorCode::kTimeout, "analyzing the SQL statement took longer than allowed");
    }
    if (!is_transport_failure(status)) return analysis_error(status);
    discard(current);
    if (attempt == kCallAttemptsMax)
      return Error(ErrorCode::kUnavailable, "the SQL analyzer ended while it worked on this statement")
          .cause(status.error_message());
  }
}

Status AnalyzerImpl::start() {
  auto opened = session();
  if (!opened) return std::move(opened).error();
  return ok();
}

int AnalyzerImpl::helper_pid() const {
  std::lock_guard lock(mutex_);
  return session_ ? session_->process().pid() : 0;
}

std::int64_t AnalyzerImpl::helpers_started() const {
  std::lock_guard lock(mutex_);
  return helpers_started_;
}

Result<service::AnalyzeResponse> AnalyzerImpl::analyze(service::AnalyzeRequest request,
                                                       const zetasql::SimpleCatalogProto& catalog,
                                                       base::Deadline deadline) {
  service::AnalyzeResponse response;
  TRY_STATUS(run(deadline, [&](Session& session, gpr_timespec limit) {
    std::shared_ptr<void> lease;
    std::int64_t id = 0;
    const grpc::Status registered = session.register_catalog(catalog, limit, lease, id);
    if (!registered.ok()) return registered;
    request.set_registered_catalog_id(id);
    *request.mutable_options()->mutable_language_options() = session.language();
    grpc::ClientContext context;
    set_deadline(context, limit);
    return deep_analyze(session.channel(), context, request, response);
  }));
  return response;
}

Result<service::ExtractTableNamesFromNextStatementResponse> AnalyzerImpl::table_names(std::string_view sql,
                                                                                      std::size_t begin,
                                                                                      base::Deadline deadline) {
  service::ExtractTableNamesFromNextStatementRequest request;
  request.mutable_parse_resume_location()->set_input(std::string(sql));
  request.mutable_parse_resume_location()->set_byte_position(static_cast<int>(begin));
  request.mutable_parse_resume_location()->set_allow_resume(true);
  service::ExtractTableNamesFromNextStatementResponse response;
  TRY_STATUS(run(deadline, [&](Session& session, gpr_timespec limit) {
    *request.mutable_options() = session.language();
    grpc::ClientContext context;
    set_deadline(context, limit);
    return session.stub().ExtractTableNamesFromNextStatement(&context, request, &response);
  }));
  return response;
}

Result<service::GetBuiltinFunctionsResponse> AnalyzerImpl::builtin_functions(base::Deadline deadline) {
  service::GetBuiltinFunctionsResponse response;
  TRY_STATUS(run(deadline, [&](Session& session, gpr_timespec limit) {
    zetasql::ZetaSQLBuiltinFunctionOptionsProto request;
    *request.mutable_language_options() = session.language();
    grpc::ClientContext context;
    set_deadline(context, limit);
    return session.stub().GetBuiltinFunctions(&context, request, &response);
  }));
  return response;
}

Result<service::EvaluateQueryResponse> AnalyzerImpl::evaluate(std::string sql, base::Deadline deadline) {
  service::EvaluateQueryResponse response;
  TRY_STATUS(run(deadline, [&](Session& session, gpr_timespec limit) {
    service::EvaluateQueryRequest request;
    request.set_sql(sql);
    *request.mutable_options()->mutable_language_options() = session.language();
    request.mutable_options()->set_default_timezone("UTC");
    *request.mutable_simple_catalog()->mutable_builtin_function_options()->mutable_language_options() =
        session.language();
    grpc::ClientContext context;
    set_deadline(context, limit);
    return session.stub().EvaluateQuery(&context, request, &response);
  }));
  return response;
}

}  // namespace flytt::googlesql::internal

namespace flytt::googlesql {

Analyzer::Analyzer(AnalyzerOptions options, const base::Clock& clock)
    : impl_(std::make_unique<internal::AnalyzerImpl>(std::move(options), clock)) {}
Analyzer::~Analyzer() = default;
Status Analyzer::start() { return impl_->start(); }
int Analyzer::helper_pid() const { return impl_->helper_pid(); }
std::int64_t Analyzer::helpers_started() const { return impl_->helpers_started(); }

}  // namespace flytt::googlesql
