#pragma once
// The verbs. Each takes its options and returns the exit status of the process (output.h).

#include <cstdint>
#include <string>
#include <vector>

namespace flytt::app {

struct CommonOptions {
  std::string config_path = "flytt.yaml";
  bool json = false;
};

struct InitOptions {
  std::string postgres_url;
  std::string kafka_brokers;
  bool force = false;
};
struct SetupOptions {
  std::string source;
  std::string print;  // empty = apply; "plain" or "flyway" = print
};
struct TeardownOptions {
  std::string source;
};
struct RunOptions {
  bool once = false;
  bool adopt = false;
  std::vector<std::string> only;
};
struct WarehouseOptions {
  std::string data = "./warehouse";
  std::string http = "127.0.0.1:9050";
  std::string grpc = "127.0.0.1:9060";
  std::int64_t memory_bytes = 512LL << 20;
  std::string project = "flytt";
};
struct QueryOptions {
  std::string sql;
  std::string format = "table";  // table | json | csv
  std::string data;              // folder of a warehouse to ask without a configuration
};
struct StatusOptions {
  bool watch = false;
};
struct ResyncOptions {
  std::string table;  // STREAM.TABLE
};

struct QuarantineOptions {
  std::string action;    // "list", "show", "retry", "drop"
  std::string what;      // STREAM[.TABLE]; of "show" a position
  std::string position;  // of "retry" and "drop"; empty: all of them
  std::int64_t limit = 1000;
};

struct JobOptions {
  std::string action;       // "ls", "next"; "run", "pause", "resume", "backfill"
  std::string name;         // NAME, query:NAME or job:NAME; of "next" also empty: all
  int count = 5;            // of "next"
  std::int64_t limit = 20;  // of "logs"
  std::string slot;         // of "logs": a date, local time or instant; empty: the newest
  bool follow = false;      // of "logs"
  bool wait = false;        // of "run"
  std::string from, to;     // of "backfill": dates, local times, instants
  bool again = false;
};

struct RenderOptions {
  std::string place = "iam";         // or "nais", "k8s", "systemd", "compose"
  std::string account;               // e-mail; empty: of the key that the destination names
  std::vector<std::string> readers;  // "group:…"
  std::string name = "flytt";
  std::string image;
  std::string name_space;  // of Kubernetes; nais' team
  std::string kafka_pool;
  std::string out;   // a folder; empty: standard output
  int replicas = 0;  // 0: as the state allows
  bool jobs_apart = false;
};

int run_init(const CommonOptions& common, const InitOptions& options);
int run_check(const CommonOptions& common);
int run_plan(const CommonOptions& common);
int run_setup(const CommonOptions& common, const SetupOptions& options);
int run_teardown(const CommonOptions& common, const TeardownOptions& options);
int run_run(const CommonOptions& common, const RunOptions& options);
int run_warehouse(const CommonOptions& common, const WarehouseOptions& options);
int run_query(const CommonOptions& common, const QueryOptions& options);
int run_status(const CommonOptions& common, const StatusOptions& options);
int run_resync(const CommonOptions& common, const ResyncOptions& options);
int run_quarantine(const CommonOptions& common, const QuarantineOptions& options);
int run_job(const CommonOptions& common, const JobOptions& options);        // ls, next
int run_job_logs(const CommonOptions& common, const JobOptions& options);   // logs
int run_job_wish(const CommonOptions& common, const JobOptions& options);   // run, pause, resume, backfill
int run_render(const CommonOptions& common, const RenderOptions& options);  // iam, and places
int run_version(const CommonOptions& common);

// Parses the command line and runs the verb.
int run_command_line(int argc, char** argv);

}  // namespace flytt::app
