#pragma once
// What a change stream needs besides its own connection: questions to the catalog and to tables, on a second one that
// is opened at the first question.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "postgres/internal/client.h"
#include "postgres/internal/large_values.h"
#include "postgres/internal/type_cache.h"
#include "postgres/limits.h"
#include "postgres/slot.h"

namespace flytt::postgres {

class CatalogLookup {
 public:
  CatalogLookup(ConnectionSettings settings, const base::Clock& clock)
      : settings_(std::move(settings)), clock_(clock) {}

  // The named columns as they are in the catalog now, without those that are gone or generated.
  Result<std::vector<SourceColumn>> columns(const SourceTable& table, const std::vector<std::string>& names);
  // Opens the connection, if it is not open.
  Status connect();
  // Fills the holes of a slice (large_values.h).
  Status fill(SliceInMaking& making);
  // How many rows with holes fit a batch, judging by the values seen so far.
  std::size_t waiting_rows_max(std::size_t batch_bytes_max) const;

 private:
  Result<FoundValues> find_values(const SourceTable& table, const RowPlan& plan,
                                  const std::vector<std::uint32_t>& columns,
                                  const std::vector<const std::vector<std::string>*>& keys);

  ConnectionSettings settings_;
  const base::Clock& clock_;
  std::unique_ptr<Client> client_;
  TypeCache types_;
  std::size_t bytes_per_row_ = kLookupBytesGuess;
};

// Whether a stream may start from `from` on this slot.
Status check_slot(const std::string& name, const std::optional<SlotFacts>& slot, Lsn from);

// publication_names is a list of identifiers inside a literal.
std::string quote_publication(const std::string& name);

}  // namespace flytt::postgres
