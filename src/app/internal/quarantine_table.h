#pragma once
// The quarantine tables of a configuration's datasets, read and written by the verbs.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/internal/destination.h"
#include "app/internal/session.h"
#include "data/table_slice.h"
#include "pipeline/quarantine.h"

namespace flytt::app {

// STREAM or STREAM.TABLE, as the source names its table or topic; empty: everything.
struct QuarantineChoice {
  std::string stream, table;
};
Result<QuarantineChoice> parse_quarantine_choice(const Config& config, const std::string& text);

struct QuarantinePlace {
  data::TablePath path;
  std::string source;  // under whose name its entries were made
  std::string stream;
};
std::vector<QuarantinePlace> quarantine_places(const Config& config, const std::string& stream);

struct QuarantineRows {
  data::TableSchema schema;
  std::vector<bigquery::ResultRow> rows;
  // The text of a column; empty when it is NULL.
  std::string text(const bigquery::ResultRow& row, std::string_view column) const;
};
// `columns` of the chosen entries. Nothing when the dataset has no quarantine: nothing was ever set aside there.
Result<QuarantineRows> read_quarantine(OpenDestination& open, const Config& config, const QuarantinePlace& place,
                                       const std::string& columns, const std::string& table,
                                       const std::string& position, const std::string& tail);
// The same in parts, each as large as a page of the destination's answer (some MiB), so that any number of entries needs
// no more memory than that. What `use` writes does not change what comes later. An error of `use` ends it.
Status read_quarantine_pages(OpenDestination& open, const Config& config, const QuarantinePlace& place,
                             const std::string& columns, const std::string& table, const std::string& position,
                             const std::string& tail, const std::function<Status(QuarantineRows)>& use);

// Makes rows writable, also while another process serves the warehouse.
Status open_for_rows(Session& session, OpenDestination& open);

// Topic, partition and offset of a position as Kafka's entries have it; false for others.
bool parse_message_position(const std::string& position, std::string& topic, std::int32_t& partition,
                            std::int64_t& offset);

// The columns that quarantine_deletes() needs, for read_quarantine(); `sequence`, too, where the table has it.
inline constexpr const char* kEntryPlace = "source, `table`, position, `column`, key, attempts";
// A slice that takes entries away: DELETEs that come after them in their order.
data::TableSlice quarantine_deletes(const QuarantinePlace& place, const QuarantineRows& entries);

// The columns that quarantine_again() needs, for read_quarantine().
inline constexpr const char* kWholeEntry =
    "*, UNIX_MICROS(time) AS micros, UNIX_MICROS(message_time) AS message_micros";
// A slice with the entries that were tried again and failed: one attempt more, and the column and reason of now, by position.
data::TableSlice quarantine_again(const QuarantinePlace& place, const QuarantineRows& entries,
                                  const std::map<std::string, data::Rejection>& failed);

// Of the row that a message becomes: as the entry has it, or by its offset where an older version made the entry.
data::Sequence message_sequence(const QuarantineRows& entries, const bigquery::ResultRow& row, std::int64_t offset);

// The headers of a message as an entry has them.
std::vector<std::pair<std::string, std::optional<std::string>>> message_headers(const QuarantineRows& entries,
                                                                                const bigquery::ResultRow& row);

// Writes the slices and waits until they are durable. Rows that the destination refuses are given back; a failed table is an
// error. With `write_stream` rows of lane 0 for `lane_table` go there.
Result<std::vector<pipeline::RefusedRow>> write_rows(Session& session, OpenDestination& open,
                                                     std::vector<data::TableSlice> slices,
                                                     const std::string& write_stream = {},
                                                     const data::TablePath& lane_table = {});

// Takes the chosen entries away, durably; how many they were.
Result<std::int64_t> drop_quarantine(Session& session, OpenDestination& open, const QuarantinePlace& place,
                                     const std::string& table, const std::string& position);

}  // namespace flytt::app
