#pragma once
// The metadata server of Google's machines: Compute Engine, GKE with Workload Identity, Cloud Run.
//
// HTTP in plain text, GET /computeMetadata/v1/… with the header Metadata-Flavor: Google, which the answer has to have, too:
// anybody may answer to a name. Nothing secret is sent to it. Thread-safe.

#include <memory>
#include <string>

#include "bigquery/credentials.h"
#include "bigquery/retrier.h"

namespace flytt::bigquery {

class MetadataServer {
 public:
  // Looks for one, under `host` or under Google's name and address; when it is expected, for kMetadataPatience. kConfig when
  // there is none.
  static Result<std::unique_ptr<MetadataServer>> find(const std::string& host, bool is_expected,
                                                      const CredentialsParts& parts);
  // What is at "/computeMetadata/v1/" + `path`; `what` is for people. Tried kMetadataTriesMax times.
  Result<HttpResponse> get(const std::string& path, const std::string& what);
  const std::string& host() const { return host_; }

 private:
  MetadataServer(std::string host, std::unique_ptr<HttpTransport> transport, const CredentialsParts& parts);
  Result<HttpResponse> ask(const std::string& target, base::Deadline deadline);

  const std::string host_;
  const std::unique_ptr<HttpTransport> transport_;
  const base::Clock& clock_;
  Retrier retrier_;
};

// The machine's account. `quota_project` may be empty.
std::unique_ptr<Credentials> metadata_credentials(std::unique_ptr<MetadataServer> server, std::string quota_project,
                                                  const base::Clock& clock);

}  // namespace flytt::bigquery
