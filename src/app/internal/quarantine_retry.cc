#include "app/internal/quarantine_retry.h"

#include <algorithm>
#include <map>
#include <set>

#include "app/internal/quarantine_table.h"
#include "app/internal/running_engine.h"
#include "kafka/retry.h"
#include "kafka/schema.h"

namespace flytt::app {

namespace {

// Deletes are remembered for two days; after that an older version of a row could come back.
constexpr std::int64_t kUpsertMicrosMax = 47LL * 3600 * 1'000'000;

struct Entry {
  std::string position;
  kafka::SetAsideMessage message;
};

class TopicRetry {
 public:
  TopicRetry(Session& session, OpenDestination& open, const TopicStreamConfig& stream, const QuarantinePlace& place)
      : session_(session),
        open_(open),
        stream_(stream),
        place_(place),
        destination_({open.access, session.clock, session.metrics, session.config.location}) {}

  Status run(const std::string& topic, const std::string& position, RetryCounts& counts) {
    TRY(const auto there, destination_.table(place_.path));
    if (!there) return ok();  // nothing was ever set aside here
    pipeline::Quarantine quarantine(place_.source, destination_, session_.clock);
    TRY([[maybe_unused]] const auto schema, quarantine.beside(place_.path));  // with the columns of this version
    return read_quarantine_pages(open_, session_.config, place_, kWholeEntry, topic, position, "",
                                 [&](const QuarantineRows& page) { return run_page(page, counts); });
  }

 private:
  Status run_page(const QuarantineRows& entries, RetryCounts& counts) {
    std::map<std::string, std::vector<Entry>> by_topic;
    for (const bigquery::ResultRow& row : entries.rows) take(entries, row, by_topic, counts);
    for (auto& [name, of_topic] : by_topic) TRY_STATUS(retry(name, of_topic, entries, counts));
    return ok();
  }

  void take(const QuarantineRows& entries, const bigquery::ResultRow& row,
            std::map<std::string, std::vector<Entry>>& by_topic, RetryCounts& counts) {
    Entry entry;
    entry.position = entries.text(row, "position");
    std::string topic;
    if (!parse_message_position(entry.position, topic, entry.message.partition, entry.message.offset)) return;
    entry.message.value = entries.text(row, "raw");
    const bool is_whole = entries.text(row, "raw_sha256").empty() && !entry.message.value.empty();
    if (const std::string key = entries.text(row, "key"); !key.empty()) entry.message.key = key;
    entry.message.headers = message_headers(entries, row);
    entry.message.sequence = message_sequence(entries, row, entry.message.offset);
    if (const std::string made = entries.text(row, "message_micros"); !made.empty())
      entry.message.timestamp_ms = std::strtoll(made.c_str(), nullptr, 10) / 1'000;
    const std::int64_t micros = std::strtoll(row[*entries.schema.find("micros")].text.c_str(), nullptr, 10);
    const bool is_too_old = stream_.payload.is_upsert && session_.clock.wall_micros() - micros > kUpsertMicrosMax;
    if (is_whole && !is_too_old)
      by_topic[topic].push_back(std::move(entry));
    else
      ++counts.not_kept;
  }

  Status retry(const std::string& topic, std::vector<Entry>& entries, const QuarantineRows& all, RetryCounts& counts) {
    const data::TablePath path{session_.config.project, stream_.dataset,
                               stream_.table.empty() ? kafka::table_name_of(topic) : stream_.table};
    TRY(const auto there, destination_.table(path));
    if (!there)
      return Error(ErrorCode::kNotFound, "table " + path.text() + " does not exist; `flytt run` makes it")
          .side(base::Side::kSink);
    const data::SliceSchema known{topic, data::SchemaVersion(1), there->schema, path};
    TRY(const std::set<std::string> held, held_positions(path, topic, entries));
    std::vector<kafka::SetAsideMessage> messages;
    for (const Entry& entry : entries)
      if (!held.contains(entry.position)) messages.push_back(entry.message);
    TRY(std::vector<data::TableSlice> slices, kafka::read_again(stream_.payload, topic, known, messages));
    std::map<std::string, data::Rejection> failed;
    for (data::TableSlice& slice : slices) {
      for (const data::Rejection& rejection : slice.rejections) failed.emplace(rejection.position, rejection);
      slice.rejections.clear();
    }
    std::erase_if(slices, [](const data::TableSlice& slice) { return slice.row_count() == 0; });
    if (!slices.empty()) {
      TRY_STATUS(add_columns(known, slices.back().schema->table));
      TRY(const auto refused, write(path, std::move(slices)));
      for (const pipeline::RefusedRow& row : refused) failed.emplace(row.rejection.position, row.rejection);
    }
    counts.remaining += static_cast<std::int64_t>(failed.size());
    counts.written += static_cast<std::int64_t>(entries.size() - failed.size());
    return leave_quarantine(entries, failed, all);
  }

  // Written by a try that was cut off before the entry was taken away. A table by key needs no such question.
  Result<std::set<std::string>> held_positions(const data::TablePath& path, const std::string& topic,
                                               const std::vector<Entry>& entries) {
    std::set<std::string> held;
    if (stream_.delivery != TopicDelivery::kExactlyOnce) return held;
    std::map<std::int32_t, std::int64_t> first;
    for (const Entry& entry : entries) {
      const auto at = first.try_emplace(entry.message.partition, entry.message.offset).first;
      at->second = std::min(at->second, entry.message.offset);
    }
    for (const auto& [partition, from] : first) {
      TRY(const auto ranges, destination_.held_offsets(path, topic, partition, from));
      for (const Entry& entry : entries)
        for (const pipeline::OffsetRange& range : ranges)
          if (entry.message.partition == partition && range.first <= entry.message.offset &&
              entry.message.offset <= range.last)
            held.insert(entry.position);
    }
    return held;
  }

  Status add_columns(const data::SliceSchema& known, const data::TableSchema& wanted) {
    std::vector<data::Field> added;
    for (const data::Field& field : wanted.fields)
      if (!known.table.find(field.name)) added.push_back(field);
    return added.empty() ? ok() : destination_.add_columns(known.destination, added);
  }

  Result<std::vector<pipeline::RefusedRow>> write(const data::TablePath& path, std::vector<data::TableSlice> slices) {
    std::string write_stream;
    if (stream_.delivery == TopicDelivery::kExactlyOnce) {
      TRY(write_stream, destination_.create_write_stream(path));
    }
    auto refused = write_rows(session_, open_, std::move(slices), write_stream, path);
    if (!write_stream.empty()) TRY_STATUS(destination_.finalize_write_stream(write_stream));
    return refused;
  }

  Status leave_quarantine(const std::vector<Entry>& entries, const std::map<std::string, data::Rejection>& failed,
                          const QuarantineRows& all) {
    std::set<std::string> gone;
    for (const Entry& entry : entries)
      if (!failed.contains(entry.position)) gone.insert(entry.position);
    QuarantineRows rows{all.schema, {}};
    for (const bigquery::ResultRow& row : all.rows)
      if (gone.contains(all.text(row, "position"))) rows.rows.push_back(row);
    std::vector<data::TableSlice> slices;
    slices.push_back(quarantine_deletes(place_, rows));
    slices.push_back(quarantine_again(place_, all, failed));
    std::erase_if(slices, [](const data::TableSlice& slice) { return slice.row_count() == 0; });
    if (slices.empty()) return ok();
    TRY([[maybe_unused]] const auto refused, write_rows(session_, open_, std::move(slices)));
    return ok();
  }

  Session& session_;
  OpenDestination& open_;
  const TopicStreamConfig& stream_;
  const QuarantinePlace& place_;
  BigQueryDestination destination_;
};

// Values of a database stand in rows that go on changing: their tables are copied again, and what is still bad comes back.
Status retry_tables(Session& session, OpenDestination& open, const QuarantinePlace& place, const std::string& table,
                    const std::string& position, RetryCounts& counts) {
  TRY(const QuarantineRows tables,
      read_quarantine(open, session.config, place, "DISTINCT `table`", table, position, "ORDER BY `table`"));
  for (const bigquery::ResultRow& row : tables.rows) {
    const std::string name = tables.text(row, "table");
    TRY(const AskedWhom whom, ask_for_resync(session, place.stream, name));
    TRY(const std::int64_t gone, drop_quarantine(session, open, place, name, ""));
    counts.copied.push_back({place.stream + "." + name, gone, whom == AskedWhom::kRunning});
  }
  return ok();
}

}  // namespace

Result<RetryCounts> retry_quarantine(Session& session, const QuarantineOptions& options) {
  TRY(const QuarantineChoice choice, parse_quarantine_choice(session.config, options.what));
  TRY(const auto open, open_destination_to_ask(session));
  TRY_STATUS(open_for_rows(session, *open));
  RetryCounts counts;
  for (const QuarantinePlace& place : quarantine_places(session.config, choice.stream)) {
    const TopicStreamConfig* stream = session.config.find_topic_stream(place.stream);
    if (stream == nullptr) {
      TRY_STATUS(retry_tables(session, *open, place, choice.table, options.position, counts));
      continue;
    }
    TopicRetry retry(session, *open, *stream, place);
    TRY_STATUS(retry.run(choice.table, options.position, counts));
  }
  return counts;
}

}  // namespace flytt::app
