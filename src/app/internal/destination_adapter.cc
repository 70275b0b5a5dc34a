#include "app/internal/destination_adapter.h"

#include "data/civil.h"

namespace flytt::app {

namespace {

pipeline::TableFacts facts_of(const bigquery::TableInfo& table) {
  return {table.schema, table.created_ms * 1000, table.row_count == 0 && !table.has_streaming_buffer};
}

// The sink's own words for refused rows and failed tables, handed on in the pipeline's.
class AdaptedSink final : public pipeline::TableSink {
 public:
  explicit AdaptedSink(std::unique_ptr<bigquery::StorageWriteSink> sink) : sink_(std::move(sink)) {}

  Status submit(flow::Batch& batch, base::Deadline deadline) override { return sink_->submit(batch, deadline); }
  Result<std::vector<flow::Receipt>> collect(base::Deadline deadline) override { return sink_->collect(deadline); }
  std::vector<pipeline::RefusedRow> take_refused() override {
    std::vector<pipeline::RefusedRow> out;
    for (bigquery::RefusedRow& row : sink_->take_refused())
      out.push_back({row.batch, std::move(row.schema), std::move(row.rejection)});
    return out;
  }
  std::vector<pipeline::TableFailure> take_failures() override {
    std::vector<pipeline::TableFailure> out;
    for (bigquery::TableFailure& failure : sink_->take_failures())
      out.push_back({std::move(failure.table), std::move(failure.error)});
    return out;
  }
  void resolve(flow::BatchSequence batch) override { sink_->resolve(batch); }
  void drop_table(const data::TablePath& table) override { sink_->drop_table(table); }

 private:
  std::unique_ptr<bigquery::StorageWriteSink> sink_;
};

}  // namespace

std::string staleness_text(std::int64_t millis) {
  return millis == 0 ? std::string() : data::format_interval({0, 0, millis * 1000});
}

Status BigQueryDestination::ensure_dataset(const std::string& project, const std::string& dataset) {
  const auto found = client().get_dataset(project, dataset);
  if (found) return ok();
  if (found.error().code() != ErrorCode::kNotFound) return found.error();
  bigquery::DatasetInfo wanted;
  wanted.project = project;
  wanted.dataset = dataset;
  wanted.location = parts_.location;
  auto made = client().insert_dataset(wanted);
  if (!made && made.error().code() != ErrorCode::kConflict) return std::move(made).error();
  return ok();
}

Result<std::optional<pipeline::TableFacts>> BigQueryDestination::table(const data::TablePath& path) {
  auto found = client().get_table(path);
  if (found) return std::optional(facts_of(*found));
  if (found.error().code() == ErrorCode::kNotFound) return std::optional<pipeline::TableFacts>();
  return std::move(found).error();
}

Result<pipeline::TableFacts> BigQueryDestination::create_table(const data::SliceSchema& schema) {
  bigquery::TableInfo wanted;
  wanted.path = schema.destination;
  wanted.schema = schema.table;
  wanted.max_staleness = staleness_text(parts_.max_staleness_ms);
  TRY(const auto made, client().insert_table(wanted));
  return facts_of(made);
}

Result<pipeline::TableFacts> BigQueryDestination::replace_table(const data::SliceSchema& schema) {
  TRY_STATUS(client().delete_table(schema.destination));
  return create_table(schema);
}

Status BigQueryDestination::add_columns(const data::TablePath& path, const std::vector<data::Field>& fields) {
  TRY(bigquery::TableInfo table, client().get_table(path));
  bool changed = false;
  for (const data::Field& field : fields) {
    const auto index = table.schema.find(field.name);
    if (!index) {
      table.schema.fields.push_back(field);
      changed = true;
    } else if (!(table.schema.fields[*index].type == field.type)) {
      return Error(ErrorCode::kSchema, "column '" + field.name + "' of " + path.text() + " is " +
                                           table.schema.fields[*index].type.sql_name() +
                                           " at the destination and would have to be " + field.type.sql_name())
          .side(base::Side::kSink);
    }
  }
  if (!changed) return ok();
  TRY([[maybe_unused]] const auto patched, client().patch_table(table));
  return ok();
}

Result<std::unique_ptr<pipeline::TableSink>> BigQueryDestination::open_sink() {
  bigquery::StorageWriteOptions options;
  if (parts_.window_bytes > 0) options.window_bytes = parts_.window_bytes;
  auto sink = bigquery::StorageWriteSink::make(
      {parts_.access.channel, *parts_.access.credentials, parts_.clock, *parts_.access.random, parts_.metrics},
      options);
  return std::unique_ptr<pipeline::TableSink>(std::make_unique<AdaptedSink>(std::move(sink)));
}

}  // namespace flytt::app
