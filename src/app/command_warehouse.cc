#include <cstdio>
#include <cstdlib>
#include <thread>

#include "app/commands.h"
#include "app/internal/local_service.h"
#include "app/internal/session.h"
#include "app/internal/signals.h"
#include "app/output.h"
#include "base/log.h"

namespace flytt::app {

namespace {

Status serve(const WarehouseOptions& wanted) {
  TRY_STATUS(prepare_process());
  TRY(const SignalWatch signals, SignalWatch::start());
  const base::SystemClock clock;
  base::Metrics metrics;
  LocalServiceOptions options;
  options.folder = wanted.data;
  options.project = wanted.project;
  options.verb = "warehouse";
  options.memory_bytes_max = wanted.memory_bytes;
  options.rest_address = wanted.http;
  options.grpc_address = wanted.grpc;
  TRY(const auto service, LocalService::open(options, clock, metrics));
  TRY_STATUS(service->announce(""));
  // One line for programs that start a warehouse: where it listens, once it does.
  std::printf("{\"rest\":\"http://%s\",\"grpc\":\"%s\"}\n", service->rest_address().c_str(),
              service->grpc_address().c_str());
  std::fflush(stdout);
  base::log_info("warehouse open",
                 {{"folder", options.folder}, {"rest", service->rest_address()}, {"grpc", service->grpc_address()}});
  signals.wait(clock, base::Deadline::never());
  base::log_info("closing; a second signal stops at once");
  std::jthread second([&signals, &clock](const std::stop_token& stop) {
    while (!stop.stop_requested())
      if (signals.wait(clock, clock.in(std::chrono::milliseconds(200)))) std::_Exit(kExitFailed);
  });
  return service->close(clock.in(std::chrono::seconds(30)));
}

}  // namespace

int run_warehouse(const CommonOptions&, const WarehouseOptions& options) {
  const auto done = serve(options);
  return done ? kExitDone : report(done.error());
}

}  // namespace flytt::app
