#include "bigquery/internal/metadata_server.h"

#include <algorithm>
#include <vector>

#include "bigquery/internal/token_source.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using base::Side;

constexpr const char* kName = "metadata.google.internal";
constexpr const char* kAddress = "169.254.169.254";
constexpr std::size_t kTextMax = 256;  // of an account or a project

bool has_flavor(const HttpResponse& response) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [](const auto& header) { return header.first == "metadata-flavor" && header.second == "Google"; });
}

// Which text was meant is not known: everything that is no name of an account or a project is refused.
Result<std::string> text_of(const HttpResponse& response, const std::string& host, const std::string& what) {
  const std::string& text = response.body;
  const bool is_plain = !text.empty() && text.size() <= kTextMax &&
                        std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (is_plain) return text;
  return Error(ErrorCode::kCorrupt, "the answer of metadata server " + host + " is no " + what).side(Side::kSink);
}

class MetadataTokens final : public TokenSource {
 public:
  MetadataTokens(std::unique_ptr<MetadataServer> server, const base::Clock& clock)
      : server_(std::move(server)), clock_(clock) {}
  Result<AccessToken> fetch() override {
    const std::int64_t asked = clock_.wall_micros() / 1'000'000;
    TRY(const HttpResponse response, server_->get("instance/service-accounts/default/token", "a token"));
    return token_of(response, "metadata server " + server_->host(), asked);
  }
  MetadataServer& server() const { return *server_; }

 private:
  const std::unique_ptr<MetadataServer> server_;
  const base::Clock& clock_;
};

class MetadataCredentials final : public Credentials {
 public:
  MetadataCredentials(std::unique_ptr<MetadataServer> server, std::string quota_project, const base::Clock& clock)
      : tokens_(std::move(server), clock), quota_project_(std::move(quota_project)), cache_(tokens_, clock) {}

  Result<base::Secret> token() override { return cache_.get(); }
  std::string name() const override { return "the metadata server " + tokens_.server().host(); }
  Result<Account> account() override {
    TRY(const std::string email, ask("instance/service-accounts/default/email", "account"));
    return Account{email, false};
  }
  Result<std::string> project() override { return ask("project/project-id", "project"); }
  std::string quota_project() const override { return quota_project_; }
  std::string next_step() const override { return "look at the Workload Identity binding of the account"; }

 private:
  Result<std::string> ask(const char* path, const char* what) {
    TRY(const HttpResponse response, tokens_.server().get(path, std::string("the ") + what));
    return text_of(response, tokens_.server().host(), what);
  }

  MetadataTokens tokens_;
  const std::string quota_project_;
  TokenCache cache_;
};

}  // namespace

MetadataServer::MetadataServer(std::string host, std::unique_ptr<HttpTransport> transport,
                               const CredentialsParts& parts)
    : host_(std::move(host)),
      transport_(std::move(transport)),
      clock_(parts.clock),
      retrier_(parts.clock, parts.random, kMetadataTriesMax) {}

Result<std::unique_ptr<MetadataServer>> MetadataServer::find(const std::string& host, bool is_expected,
                                                             const CredentialsParts& parts) {
  std::vector<std::unique_ptr<MetadataServer>> candidates;
  for (const std::string& name : host.empty() ? std::vector<std::string>{kName, kAddress} : std::vector{host}) {
    TRY(auto transport, parts.connect(HttpPeer::kMetadata, "http://" + name));
    candidates.emplace_back(new MetadataServer(name, std::move(transport), parts));
  }
  const base::Deadline end = parts.clock.in(kMetadataPatience);
  Retrier pauses(parts.clock, parts.random);
  std::string seen;
  for (int looks = 1;; ++looks) {
    for (auto& candidate : candidates) {
      const auto answer = candidate->ask("/", parts.clock.in(kMetadataTimeout));
      if (answer) return std::move(candidate);
      seen = answer.error().sentence();
    }
    if (is_expected ? parts.clock.is_past(end) : looks >= kMetadataLooksMax) break;
    const auto pause = parts.random.below(static_cast<std::uint64_t>(kMetadataPause.count()) + 1);
    TRY_STATUS(pauses.pause(std::chrono::milliseconds(pause), {}));
  }
  return Error(ErrorCode::kConfig, "no metadata server answers: " + seen);
}

// kUnavailable without an answer, and while the server is not ready; kAuth when somebody else answers.
Result<HttpResponse> MetadataServer::ask(const std::string& target, base::Deadline deadline) {
  auto answer = transport_->send({"GET", target, {{"metadata-flavor", "Google"}}, ""}, deadline);
  if (!answer) return std::move(answer).error().within("while asking metadata server " + host_);
  if (has_flavor(*answer)) return answer;
  const std::string status = "HTTP status " + std::to_string(answer->status);
  if (is_passing(answer->status))
    return Error(ErrorCode::kUnavailable, host_ + " is not ready").side(Side::kSink).cause(status);
  return Error(ErrorCode::kAuth, host_ + " answers, and is no metadata server of Google's; GCE_METADATA_HOST names one")
      .side(Side::kSink)
      .cause(status + " without Metadata-Flavor: Google");
}

Result<HttpResponse> MetadataServer::get(const std::string& path, const std::string& what) {
  return retrier_.run(
      true, what + " of metadata server " + host_,
      [&](base::Deadline deadline) -> Result<HttpResponse> {
        TRY(HttpResponse answer, ask("/computeMetadata/v1/" + path, deadline.earlier(clock_.in(kMetadataTimeout))));
        if (answer.status == 200) return answer;
        const std::string status = "HTTP status " + std::to_string(answer.status);
        if (is_passing(answer.status))
          return Error(ErrorCode::kUnavailable, "metadata server " + host_ + " does not give " + what + " now")
              .side(Side::kSink)
              .cause(status);
        return Error(ErrorCode::kAuth,
                     "metadata server " + host_ + " does not give " + what +
                         ": bind the pod to an account, with annotation iam.gke.io/gcp-service-account on its "
                         "Kubernetes service account and roles/iam.workloadIdentityUser on Google's")
            .side(Side::kSink)
            .cause(status);
      },
      [](const Error&) {});
}

std::unique_ptr<Credentials> metadata_credentials(std::unique_ptr<MetadataServer> server, std::string quota_project,
                                                  const base::Clock& clock) {
  return std::make_unique<MetadataCredentials>(std::move(server), std::move(quota_project), clock);
}

}  // namespace flytt::bigquery
