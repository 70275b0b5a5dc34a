#pragma once
// The admin endpoint of a running engine: loopback, a port of its own, found through LOCK by `status` and `resync`; with a shared
// state through the lease's row by `status`, on the host of the replica that leads.
//
//   GET  /flytt/v1/status                        the JSON of `flytt status --json`
//   POST /flytt/v1/resync?stream=S&table=T       202, or 404 with {"error":"…"}

#include <functional>
#include <string>

#include "base/result.h"
#include "gateway/http.h"
#include "pipeline/engine.h"
#include "state/store.h"

namespace flytt::app {

class AdminHandler final : public gateway::HttpHandler {
 public:
  // The array of schedule_status.h; called by the threads of the server.
  using Schedules = std::function<Result<std::string>()>;
  // All outlive the handler. `leader` as of status_json.
  AdminHandler(pipeline::Engine& engine, const base::Clock& clock, Schedules schedules, std::string leader)
      : engine_(engine), clock_(clock), schedules_(std::move(schedules)), leader_(std::move(leader)) {}
  gateway::HttpResponse handle(const gateway::HttpRequest& request) override;

 private:
  pipeline::Engine& engine_;
  const base::Clock& clock_;
  const Schedules schedules_;
  const std::string leader_;
};

// {"running":true,"leader":null,"streams":[…],"schedules":[…]}; `schedules` is the JSON of schedule_status.h. `leader`: the
// replica that works, with a shared state.
std::string status_json(const std::vector<pipeline::PipelineStatus>& streams, const std::string& schedules,
                        bool is_running, std::int64_t now_micros, const std::string& leader = "");
// What state remembers while nothing runs, or somebody else (`is_led`) writes it now and then.
Result<std::vector<pipeline::PipelineStatus>> remembered_status(state::Store& store, bool is_led = false);

std::string percent_encode(std::string_view text);

}  // namespace flytt::app
