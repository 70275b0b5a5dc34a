#pragma once
// PostgreSQL as the pipeline's Origin.

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "app/config.h"
#include "base/clock.h"
#include "pipeline/origin.h"
#include "postgres/catalog.h"
#include "postgres/connection.h"

namespace flytt::app {

class PostgresOrigin final : public pipeline::Origin {
 public:
  struct Parts {
    postgres::ConnectionSettings settings;
    postgres::TableSelection selection;
    std::string publication, slot;
    std::string project, dataset;  // of the destination
    std::int64_t freshness_ms = 100;
    const base::Clock& clock;
  };
  explicit PostgresOrigin(Parts parts);
  ~PostgresOrigin() override;

  Result<pipeline::OriginIdentity> identity() override;
  Result<pipeline::OriginTables> tables() override;
  // The same for `plan`, where a publication that is not made yet is no error and no refusal.
  Result<pipeline::OriginTables> list();
  Result<flow::Position> end_position() override;
  const std::string& slot_name() const override { return parts_.slot; }
  Result<pipeline::SlotFacts> slot() override;
  Result<flow::Position> create_slot(std::stop_token stop) override;
  Status drop_slot() override;
  Result<std::unique_ptr<flow::Source>> open_stream(const flow::Position& from, std::uint16_t epoch,
                                                    const pipeline::OriginTables& tables) override;
  Result<std::unique_ptr<pipeline::CopySession>> open_copy(const pipeline::OriginTables& tables, std::uint16_t epoch,
                                                           std::stop_token stop) override;
  std::string text(const flow::Position& position) const override;
  std::uint64_t number(const flow::Position& position) const override;
  data::Sequence sequence_at(const flow::Position& position, std::uint16_t epoch) const override;
  bool reached(const flow::Position& at, const flow::Position& goal) const override;

 private:
  base::Deadline soon() const;
  Result<postgres::Catalog> look() const;
  Result<pipeline::OriginTables> describe(const postgres::Catalog& catalog, bool must_be_published) const;

  const Parts parts_;
  std::mutex mutex_;
  std::map<std::string, postgres::SourceTable> known_;  // as tables() saw them last
};

// The settings, selection and names of a configured stream. kConfig when the source's URL cannot be resolved.
Result<PostgresOrigin::Parts> origin_parts(const Config& config, const StreamConfig& stream, const base::Clock& clock);

}  // namespace flytt::app
