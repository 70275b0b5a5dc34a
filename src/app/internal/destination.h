#pragma once
// The configured destination, ready to be asked or written to: embedded, another flytt, or BigQuery.

#include <memory>

#include "app/internal/destination_adapter.h"
#include "app/internal/local_service.h"
#include "app/internal/session.h"

namespace flytt::app {

struct OpenDestination {
  std::unique_ptr<LocalService> local;  // outlives `access`; null for a remote one
  BigQueryAccess access;
};

// For verbs that ask a question: a process that runs already is asked over its endpoint; otherwise a local warehouse is
// opened here, without listeners, for as long as the object lives.
Result<std::unique_ptr<OpenDestination>> open_destination_to_ask(Session& session);

// Where the project is not given, it is that of the credentials, who may have to be asked for it. kConfig when they do not
// tell.
Status find_project(Config& config, const base::Clock& clock);

// REST and Storage Write over the network, as the configuration says (kRemote, kGoogle).
Result<BigQueryAccess> open_remote_access(const DestinationConfig& destination, const base::Clock& clock);

}  // namespace flytt::app
