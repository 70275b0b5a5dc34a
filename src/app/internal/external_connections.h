#pragma once
// ExternalConnections: EXTERNAL_QUERY's connections are the PostgreSQL sources of the configuration.
//
// A connection is named as in BigQuery, 'location.source', 'project.location.source' or
// 'projects/P/locations/L/connections/source', or by the source's bare name. Thread-safe.

#include <string>
#include <vector>

#include "app/config.h"
#include "base/clock.h"
#include "warehouse/external.h"

namespace flytt::app {

class ExternalConnections final : public warehouse::ExternalQueries {
 public:
  // `clock` outlives it.
  ExternalConnections(std::vector<PostgresSourceConfig> sources, std::string project, std::string location,
                      const base::Clock& clock)
      : sources_(std::move(sources)), project_(std::move(project)), location_(std::move(location)), clock_(clock) {}

  // It outlives the session.
  std::unique_ptr<warehouse::ExternalSession> begin(const std::string& project) override;

  // The source that a connection's name means; kBadData says what is wrong with the name.
  Result<const PostgresSourceConfig*> find(const std::string& connection) const;
  const base::Clock& clock() const { return clock_; }

 private:
  const std::vector<PostgresSourceConfig> sources_;
  const std::string project_, location_;
  const base::Clock& clock_;
};

}  // namespace flytt::app
