#include "tests/simulation/simulation.h"

#include <algorithm>

namespace flytt::simulation {

namespace {
const std::string kDataset = "landing";
data::TablePath path_of(const std::string& name) { return {"project", kDataset, name.substr(name.find('.') + 1)}; }
const data::TablePath kQuarantinePath{"project", kDataset, "_flytt_quarantine"};
}  // namespace

// ---- the crew

class SteppedCrew::SteppedJob final : public pipeline::Crew::Job {
 public:
  SteppedJob(SteppedCrew& crew, std::list<Member>::iterator member) : crew_(crew), member_(member) {}
  ~SteppedJob() override { crew_.members_.erase(member_); }
  bool is_done() const override { return member_->is_done; }

 private:
  SteppedCrew& crew_;
  const std::list<Member>::iterator member_;
};

std::unique_ptr<pipeline::Crew::Job> SteppedCrew::start(pipeline::Actor& actor) {
  return std::make_unique<SteppedJob>(*this, members_.insert(members_.end(), Member{&actor}));
}

void SteppedCrew::step(std::size_t index) {
  const auto member = std::next(members_.begin(), static_cast<std::ptrdiff_t>(index % members_.size()));
  if (member->is_done) return;
  // The step may end jobs, this one's excepted: a job is ended by its owner, and nobody owns itself.
  if (member->actor->step(base::Duration::zero()) == pipeline::Progress::kDone) member->is_done = true;
}

// ---- the simulation

Simulation::Simulation(std::uint64_t seed, std::string state_path)
    : random(seed),
      database(seed * 3 + 1),
      warehouse(seed * 5 + 2),
      state_path_(std::move(state_path)),
      origin_(database, kDataset),
      destination_(warehouse) {
  config.name = "scripted";
  config.source = "scripted";
  config.channel_bytes = 2'000;
  names_ = {"public.a", "public.b", "public.c"};
  for (const std::string& name : names_) database.add_table(name);
  database.on_confirm = [this](std::uint64_t from, std::uint64_t to) { return check_durable(from, to); };
}

Simulation::~Simulation() { kill_process(); }

void Simulation::start_process() {
  crew_ = std::make_unique<SteppedCrew>();
  auto store = state::Store::open(state_path_);
  CHECK(store.has_value());
  store_ = std::move(*store);
  pipeline_ = std::make_unique<pipeline::Pipeline>(config, origin_, destination_,
                                                   pipeline::Pipeline::Parts{*store_, clock, random, metrics_, *crew_});
  job_ = crew_->start(*pipeline_);
}

void Simulation::kill_process() {
  job_.reset();
  pipeline_.reset();
  store_.reset();
  crew_.reset();
}

void Simulation::step(int times) {
  for (int i = 0; i < times; ++i) {
    crew_->step(random.below(crew_->size()));
    clock.advance(std::chrono::microseconds(random.below(20'000)));
  }
}

void Simulation::write(std::vector<Change> changes) { database.commit(std::move(changes), clock.wall_micros()); }

void Simulation::write_some() {
  std::vector<Change> changes;
  for (std::uint64_t i = 0, count = 1 + random.below(12); i < count; ++i) {
    const std::string& table = names_[random.below(names_.size())];
    const auto key = static_cast<std::int64_t>(random.below(40));
    const bool is_delete = random.below(5) == 0;
    changes.push_back({is_delete ? Change::Kind::kDelete : Change::Kind::kUpsert,
                       table,
                       key,
                       static_cast<std::int64_t>(random.below(100'000)),
                       {}});
  }
  write(std::move(changes));
}

bool Simulation::is_settled() const {
  const pipeline::PipelineStatus status = pipeline_->status();
  if (status.condition != pipeline::Condition::kRunning || status.tables.empty() ||
      status.saved_number < database.end())
    return false;
  const auto requests = store_->resync_requests(config.name);
  if (!requests || !requests->empty()) return false;
  return std::all_of(status.tables.begin(), status.tables.end(), [](const pipeline::TableStatus& table) {
    using state::TablePhase;
    return table.record.phase == TablePhase::kStreaming || table.record.phase == TablePhase::kDetached ||
           table.record.phase == TablePhase::kAbsent;
  });
}

void Simulation::resync(const std::string& table) {
  CHECK(store_->request_resync({config.name, table, clock.wall_micros()}).has_value());
}

state::TablePhase Simulation::phase(const std::string& table) {
  const auto records = store_->tables(config.name);
  for (const state::TableRecord& record : *records)
    if (record.source_table == table) return record.phase;
  return state::TablePhase::kAbsent;
}

std::string Simulation::reason(const std::string& table) {
  const auto records = store_->tables(config.name);
  for (const state::TableRecord& record : *records)
    if (record.source_table == table) return record.reason;
  return "";
}

void Simulation::heal() {
  database.trouble = {};
  warehouse.trouble = {};
  warehouse.set_away(false);
  for (const std::string& name : names_) {
    warehouse.forbid(path_of(name), false);
    database.publish(name, true);
    database.refuse(name, "");
  }
  if (!pipeline_) start_process();
  for (int round = 0; round < 8; ++round) {
    clock.advance(std::chrono::seconds(40));  // beyond every backoff and the next listing of tables
    step(300);
    if (!step_until([&] { return is_settled(); })) return;
    bool has_asked = false;
    for (const std::string& name : names_) {
      if (phase(name) == state::TablePhase::kStreaming) continue;
      if (phase(name) == state::TablePhase::kDetached) resync(name);
      has_asked = true;
    }
    if (!has_asked) return;
  }
}

// ---- the judge

bool Simulation::is_in_quarantine(const std::string& table, const std::string& key, const std::string& column,
                                  data::Sequence sequence) const {
  const auto tables = warehouse.tables();
  const auto found = tables.find(kQuarantinePath);
  return found != tables.end() &&
         found->second.rows.contains("scripted|" + table + "|" + sequence.sections() + "|" + column + "|" + key + "|");
}

// Every change up to `to` must be at the destination, in quarantine, overtaken, or of a table that state calls unwritten.
std::string Simulation::check_durable(std::uint64_t from, std::uint64_t to) {
  if (!store_) return "";
  const auto checkpoint = store_->checkpoint(config.name);
  if (!checkpoint || !*checkpoint) return "confirmed without a checkpoint";
  if (std::stoull((*checkpoint)->position) < to)
    return "confirmed " + std::to_string(to) + " but saved only " + (*checkpoint)->position;
  std::map<std::string, state::TableRecord> records;
  const auto known = store_->tables(config.name);
  for (const state::TableRecord& record : *known) records[record.source_table] = record;
  const auto tables = warehouse.tables();
  for (const Transaction& transaction : database.transactions(from, to)) {
    for (std::size_t i = 0; i < transaction.changes.size(); ++i) {
      const Change& change = transaction.changes[i];
      const auto record = records.find(change.table);
      if (record == records.end() || change.kind == Change::Kind::kTruncate) continue;
      if (record->second.phase != state::TablePhase::kCopying && record->second.phase != state::TablePhase::kStreaming)
        continue;
      // What was committed before the copy's snapshot comes with the copy.
      const std::string& point = record->second.copy_point;
      if (record->second.phase == state::TablePhase::kCopying &&
          (point.empty() || transaction.commit < std::stoull(point)))
        continue;
      const data::Sequence sequence = data::Sequence::of((*checkpoint)->epoch, transaction.commit, 1 + 2 * i);
      if (!(pipeline::parse_sequence(record->second.valid_after) < sequence)) continue;
      const auto table = tables.find(path_of(change.table));
      if (table == tables.end() || table->second.created_micros != record->second.created_micros)
        continue;  // a person dropped it
      const auto row = table->second.rows.find(std::to_string(change.key) + "|");
      if (row != table->second.rows.end() && !(row->second.sequence < sequence)) continue;
      if (is_in_quarantine(change.table, "id=" + std::to_string(change.key), "", sequence)) continue;
      return "confirmed " + std::to_string(to) + ", but " + change.table + " has not key " +
             std::to_string(change.key) + " of " + sequence.sections();
    }
  }
  return "";
}

std::string Simulation::compare(const std::string& name) {
  const auto sources = database.tables();
  const SourceTableState& source = sources.at(name);
  const auto tables = warehouse.tables();
  const auto found = tables.find(path_of(name));
  if (found == tables.end()) return name + " is missing; ";
  const WarehouseTable& table = found->second;
  const auto value_column = table.schema.find("value");
  std::string differences;
  for (const auto& [key, row] : source.rows) {
    const auto cell = table.rows.find(std::to_string(key) + "|");
    if (is_refused(row.value) && !is_unrepresentable(row.value)) continue;  // an older version may be visible
    if (cell == table.rows.end() || cell->second.is_deleted) {
      differences += name + " lacks key " + std::to_string(key) + "; ";
      continue;
    }
    const std::string& value = cell->second.values[*value_column];
    if (is_unrepresentable(row.value)) {
      if (value != "NULL") differences += name + " key " + std::to_string(key) + " should be NULL; ";
      if (!is_in_quarantine(name, "id=" + std::to_string(key), "value", cell->second.sequence))
        differences += name + " key " + std::to_string(key) + " is not in quarantine; ";
    } else if (value != std::to_string(row.value)) {
      differences +=
          name + " key " + std::to_string(key) + " is " + value + " instead of " + std::to_string(row.value) + "; ";
    }
  }
  for (const auto& [key, cell] : table.rows)
    if (!cell.is_deleted && !source.rows.contains(std::stoll(key)))
      differences += name + " has key " + key + " too many; ";
  return differences;
}

std::string Simulation::verdict() {
  warehouse.land_everything();
  std::string all;
  for (const std::string& complaint : database.complaints()) all += complaint + "; ";
  for (const std::string& complaint : warehouse.complaints()) all += complaint + "; ";
  if (!pipeline_ || !is_settled())
    all += "not settled: " +
           (pipeline_ ? std::string(to_string(pipeline_->status().condition)) + " " + pipeline_->status().error
                      : "no process") +
           "; ";
  for (const std::string& name : names_) {
    if (phase(name) != state::TablePhase::kStreaming)
      all += name + " is " + std::string(state::to_string(phase(name))) + ": " + reason(name) + "; ";
    else
      all += compare(name);
  }
  return all;
}

}  // namespace flytt::simulation
