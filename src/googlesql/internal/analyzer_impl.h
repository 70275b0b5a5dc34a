#pragma once
// The analyzer's calls, as messages. Includes protobuf and gRPC: for .cc files of this module only.

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "base/clock.h"
#include "base/result.h"
#include "googlesql/analyzer.h"
#include "googlesql/internal/helper_process.h"
#include "zetasql/local_service/local_service.grpc.pb.h"

namespace flytt::googlesql::internal {

namespace service = ::zetasql::local_service;

// One helper process with its connection, its options and the catalogs registered in it. Shared by the calls under way;
// the last one to let go of a dead session reaps the process.
class Session {
 public:
  static Result<std::shared_ptr<Session>> open(const std::string& library_path);
  ~Session() {
    is_closing_ = true;
    process_->kill();
  }

  service::ZetaSqlLocalService::Stub& stub() { return *stub_; }
  grpc::ChannelInterface& channel() { return *channel_; }
  const zetasql::LanguageOptionsProto& language() const { return language_; }
  const HelperProcess& process() const { return *process_; }
  void kill() const { process_->kill(); }

  // The id under which `catalog` is registered; registers it, and lets the one unused for longest go, when it is new.
  // The answer is held in use until `lease` dies.
  grpc::Status register_catalog(const zetasql::SimpleCatalogProto& catalog, gpr_timespec deadline,
                                std::shared_ptr<void>& lease, std::int64_t& id);

 private:
  struct Registered {
    Registered(Session& owner, std::int64_t number) : session(owner), id(number) {}
    ~Registered();
    Session& session;
    const std::int64_t id;
  };
  struct Entry {
    std::string key;
    std::shared_ptr<Registered> catalog;
  };
  Session(std::unique_ptr<HelperProcess> process, std::shared_ptr<grpc::Channel> channel);

  std::unique_ptr<HelperProcess> process_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<service::ZetaSqlLocalService::Stub> stub_;
  zetasql::LanguageOptionsProto language_;
  std::mutex mutex_;
  bool is_closing_ = false;    // set by the destructor: nothing is unregistered then
  std::list<Entry> catalogs_;  // newest use first
};

class AnalyzerImpl {
 public:
  AnalyzerImpl(AnalyzerOptions options, const base::Clock& clock) : options_(std::move(options)), clock_(clock) {}

  Status start();
  int helper_pid() const;
  std::int64_t helpers_started() const;

  // `request` comes without options' language, without catalog: both are filled in here.
  Result<service::AnalyzeResponse> analyze(service::AnalyzeRequest request, const zetasql::SimpleCatalogProto& catalog,
                                           base::Deadline deadline);
  // Table paths of the statement that starts at byte `begin`.
  Result<service::ExtractTableNamesFromNextStatementResponse> table_names(std::string_view sql, std::size_t begin,
                                                                          base::Deadline deadline);
  Result<service::GetBuiltinFunctionsResponse> builtin_functions(base::Deadline deadline);
  // The reference implementation's answer, for tests.
  Result<service::EvaluateQueryResponse> evaluate(std::string sql, base::Deadline deadline);

 private:
  using Call = std::function<grpc::Status(Session&, gpr_timespec deadline)>;
  Status run(base::Deadline deadline, const Call& call);
  Result<std::shared_ptr<Session>> session();
  void discard(const std::shared_ptr<Session>& broken);

  const AnalyzerOptions options_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<Session> session_;
  std::int64_t helpers_started_ = 0;
};

}  // namespace flytt::googlesql::internal
