#include "tests/simulation/topic_simulation.h"

#include <algorithm>
#include <filesystem>

#include "tests/simulation/scripted_database.h"

namespace flytt::simulation {

namespace {

const std::string kDataset = "landing";
const data::TablePath kQuarantinePath{"project", kDataset, "_flytt_quarantine"};

std::string position_text(const Place& place, std::int64_t offset) {
  return place.first + "/" + std::to_string(place.second) + "/" + std::to_string(offset);
}

}  // namespace

TopicSimulation::TopicSimulation(std::uint64_t seed, std::string folder, int processes)
    : random(seed), topics(seed * 3 + 1), warehouse(seed * 5 + 2), destination_(warehouse) {
  config.name = "events";
  config.source = "events";
  config.channel_bytes = 2'000;
  topics.clock = &clock;
  warehouse.wants_streams = true;
  topics.add_topic("a", 3);
  topics.add_topic("b", 2);
  topics.on_commit = [this](const Place& place, std::int64_t from, std::int64_t to) {
    return check_durable(place, from, to);
  };
  for (int i = 0; i < processes; ++i) {
    Process process;
    process.state_path = folder + "/state-" + std::to_string(seed) + "-" + std::to_string(i) + ".db";
    process.origin = std::make_unique<ScriptedTopicOrigin>(topics, kDataset);
    processes_.push_back(std::move(process));
  }
}

TopicSimulation::~TopicSimulation() {
  for (int i = 0; i < process_count(); ++i) kill(i);
}

void TopicSimulation::produce_some() {
  for (const auto& [place, log] : topics.logs()) {
    for (std::uint64_t i = random.below(4); i > 0; --i) {
      if (random.below(10) == 0) topics.leave_gap(place);
      topics.produce(place, static_cast<std::int64_t>(random.below(1'000'000)));
    }
  }
}

void TopicSimulation::start(int process) {
  Process& one = processes_[static_cast<std::size_t>(process)];
  one.crew = std::make_unique<SteppedCrew>();
  auto store = state::Store::open(one.state_path);
  CHECK(store.has_value());
  one.store = std::move(*store);
  one.is_frozen = false;
  one.pipeline = std::make_unique<pipeline::TopicPipeline>(
      config, *one.origin, destination_,
      pipeline::TopicPipeline::Parts{*one.store, clock, random, metrics_, *one.crew});
  one.job = one.crew->start(*one.pipeline);
}

void TopicSimulation::kill(int process) {
  Process& one = processes_[static_cast<std::size_t>(process)];
  one.origin->leaves_orderly = false;
  one.job.reset();
  one.pipeline.reset();
  one.store.reset();
  one.crew.reset();
  one.origin->leaves_orderly = true;
}

void TopicSimulation::forget_state(int process) {
  const std::string& path = processes_[static_cast<std::size_t>(process)].state_path;
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
}

void TopicSimulation::resync(int process, const std::string& topic) {
  Process& one = processes_[static_cast<std::size_t>(process)];
  CHECK(one.store->request_resync({config.name, topic, clock.wall_micros()}).has_value());
}

void TopicSimulation::step(int times) {
  for (int i = 0; i < times; ++i) {
    Process& one = processes_[random.below(processes_.size())];
    if (one.pipeline && !one.is_frozen) one.crew->step(random.below(one.crew->size()));
    clock.advance(std::chrono::milliseconds(random.below(40)));
  }
}

void TopicSimulation::heal() {
  topics.trouble = {};
  warehouse.trouble.submit_fails = warehouse.trouble.collect_fails = warehouse.trouble.call_fails = 0;
  warehouse.set_away(false);
  for (int i = 0; i < process_count(); ++i) {
    if (!is_running(i)) start(i);
    freeze(i, false);
  }
}

std::string TopicSimulation::look_for(const Place& place, std::int64_t offset, bool is_late) {
  const auto& value = topics.logs().at(place)[static_cast<std::size_t>(offset)];
  if (!value) return "";
  const auto tables = warehouse.tables();
  const std::string position = position_text(place, offset);
  const auto table = tables.find({"project", kDataset, place.first});
  const auto copy =
      table == tables.end() ? std::map<std::string, int>::const_iterator() : table->second.copies.find(position);
  const int copies = table == tables.end() || copy == table->second.copies.end() ? 0 : copy->second;
  if (is_unrepresentable(*value) || is_refused(*value)) {
    if (copies != 0) return position + " is in its table; ";
    int entries = 0;
    const auto quarantine = tables.find(kQuarantinePath);
    if (quarantine != tables.end())
      for (const auto& [key, cell] : quarantine->second.rows) entries += key.find("|" + position + "|") != key.npos;
    return entries == 1 ? "" : position + " is " + std::to_string(entries) + " times in quarantine; ";
  }
  if (copies == 1 || (copies > 1 && !is_late)) return "";
  return position + " is there " + std::to_string(copies) + " times; ";
}

std::string TopicSimulation::check_durable(const Place& place, std::int64_t from, std::int64_t to) {
  for (std::int64_t offset = from; offset < to; ++offset) {
    const std::string wrong = look_for(place, offset, topics.waits_for_record);
    if (!wrong.empty()) return "committed " + std::to_string(to) + ", but " + wrong;
  }
  return "";
}

std::string TopicSimulation::verdict() {
  warehouse.land_everything();
  std::string all;
  for (const std::string& complaint : topics.complaints()) all += complaint + "; ";
  for (const std::string& complaint : warehouse.complaints()) all += complaint + "; ";
  if (!is_settled()) {
    all += "not settled: ";
    for (const Process& one : processes_)
      if (one.pipeline)
        all += std::string(to_string(one.pipeline->status().condition)) + " " + one.pipeline->status().error + "; ";
  }
  for (const auto& [place, log] : topics.logs())
    for (std::size_t i = 0; i < log.size(); ++i)
      all += look_for(place, static_cast<std::int64_t>(i), topics.waits_for_record);
  if (!topics.waits_for_record) return all;
  for (const auto& [path, table] : warehouse.tables())
    for (const auto& [lane, order] : table.order)
      if (!std::is_sorted(order.begin(), order.end())) all += lane + " is out of order; ";
  return all;
}

}  // namespace flytt::simulation
