#include "pipeline/engine.h"

#include <algorithm>

namespace flytt::pipeline {

Engine::~Engine() {
  stop_now();
  jobs_.clear();
}

template <typename Kind, typename From>
void Engine::add_one(StreamConfig config, From& origin, Destination& destination) {
  CHECK(jobs_.empty());
  for (const auto& pipeline : pipelines_) CHECK(pipeline->name() != config.name);
  pipelines_.push_back(
      std::make_unique<Kind>(std::move(config), origin, destination,
                             Supervisor::Parts{parts_.store, parts_.clock, parts_.random, parts_.metrics, crew_}));
}

void Engine::add(StreamConfig config, Origin& origin, Destination& destination) {
  add_one<Pipeline>(std::move(config), origin, destination);
}

void Engine::add(StreamConfig config, TopicOrigin& origin, Destination& destination) {
  add_one<TopicPipeline>(std::move(config), origin, destination);
}

void Engine::start() {
  CHECK(jobs_.empty());
  for (const auto& pipeline : pipelines_) jobs_.push_back(crew_.start(*pipeline));
}

void Engine::request_stop() {
  for (const auto& pipeline : pipelines_) pipeline->request_stop();
}

void Engine::stop_now() {
  for (const auto& pipeline : pipelines_) pipeline->stop_now();
}

bool Engine::wait(base::Deadline deadline) {
  for (const auto& pipeline : pipelines_)
    if (!pipeline->wait_for_end(deadline)) return false;
  return true;
}

std::vector<PipelineStatus> Engine::status() const {
  std::vector<PipelineStatus> all;
  for (const auto& pipeline : pipelines_) all.push_back(pipeline->status());
  return all;
}

std::vector<Error> Engine::failures() const {
  std::vector<Error> all;
  for (const auto& pipeline : pipelines_)
    if (pipeline->has_ended())
      if (auto error = pipeline->error()) all.push_back(std::move(*error));
  return all;
}

Status Engine::resync(const std::string& stream, const std::string& source_table) {
  const auto found = std::find_if(pipelines_.begin(), pipelines_.end(),
                                  [&](const auto& pipeline) { return pipeline->name() == stream; });
  if (found == pipelines_.end())
    return Error(ErrorCode::kNotFound, "there is no stream " + stream + " here; `flytt status` lists them");
  if (!source_table.empty()) {
    const std::vector<TableStatus> tables = (*found)->status().tables;
    if (std::none_of(tables.begin(), tables.end(),
                     [&](const TableStatus& table) { return table.record.source_table == source_table; }))
      return Error(ErrorCode::kNotFound,
                   "stream " + stream + " has no table " + source_table + "; `flytt status` lists them");
  }
  TRY_STATUS(parts_.store.request_resync({stream, source_table, parts_.clock.wall_micros()}));
  (*found)->wake();
  return ok();
}

}  // namespace flytt::pipeline
