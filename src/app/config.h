#pragma once
// The configuration file, parsed and validated once, as plain immutable structs.
//
// `load_config` reads YAML, refuses unknown and duplicate keys with their line and the nearest known key, resolves
// `${env:NAME}` and `${file:/path}`, and checks that names refer to each other. Every key is declared once in
// config_keys.h; the reference page comes from the same table.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "bigquery/credentials.h"
#include "commands/command.h"
#include "kafka/config.h"
#include "scheduler/policy.h"

namespace flytt::app {

struct PostgresSourceConfig {
  std::string name;
  base::Secret url;  // empty when its reference cannot be resolved; `url_problem` then says why
  std::string url_problem;
  std::string publication;  // default flytt_<source>
  std::string slot;         // default flytt_<source>
  bool owns_names = true;   // false when publication or slot were named in the file
};

struct StreamConfig {
  std::string name;
  std::string from;     // a source
  std::string dataset;  // the destination dataset
  std::vector<std::string> include{"public.*"};
  std::vector<std::string> exclude;
  std::int64_t freshness_ms = 100;
  std::int64_t max_staleness_ms = 0;
};

struct KafkaSourceConfig {
  std::string name;
  kafka::ConnectionSettings connection;
  std::string problem;                 // why the connection cannot be used: a reference that cannot be resolved
  std::string group_prefix = "flytt";  // a stream's group is <prefix>_<stream>
  std::string instance;
  std::int64_t session_timeout_ms = 45'000;
};

enum class TopicDelivery { kExactlyOnce, kAtLeastOnce, kUpsert };

// A stream of topics.
struct TopicStreamConfig {
  std::string name;
  std::string from;     // a Kafka source
  std::string dataset;  // of the destination
  std::string table;    // empty: each topic has a table of its own
  std::string group;
  kafka::TopicSelection topics;
  kafka::PayloadSettings payload;
  std::string dead_letters;  // a topic; empty: none
  kafka::StartPlace start = kafka::StartPlace::kEarliest;
  kafka::LostPlace lost = kafka::LostPlace::kError;
  TopicDelivery delivery = TopicDelivery::kExactlyOnce;
  std::int64_t freshness_ms = 100;
  std::int64_t max_staleness_ms = 0;
};

enum class QueryWrite { kTruncate, kAppend, kUpsert };

// A query whose result goes into a table on a schedule.
struct QueryConfig {
  std::string name;
  std::string from;  // a PostgreSQL source; empty: GoogleSQL in the destination
  std::string sql;
  std::string dataset;
  std::string table;  // a NameTemplate
  QueryWrite write = QueryWrite::kTruncate;
  std::vector<std::string> key;               // of kUpsert: columns of the result
  std::string version_column;                 // a TIMESTAMP column with the slot's time is added; empty: none
  std::optional<std::int64_t> bytes_max;      // a run that would read more is refused before it starts
  std::map<std::string, std::string> labels;  // of its jobs, beside flytt's own
  std::optional<scheduler::Entry> entry;      // named query:<name>; always there after parsing

  // dataset.table, as it stands in the file but without a partition.
  std::string target() const { return dataset + "." + table.substr(0, table.find('$')); }
};

// A variable of a command whose text must not be seen, or a file. The command gets `value`; a rendering for another
// place has `reference` instead.
struct SecretText {
  std::string reference;  // as it stands in the file, ${env:NAME} or ${file:/path}; empty: a file's plain text
  base::Secret value;     // empty when the reference cannot be resolved; `problem` then says why
  std::string problem;
};

// A command that is run on a schedule, or when what it waits for has changed.
struct JobConfig {
  std::string name;
  std::vector<std::string>
      run;  // the program (a path is absolute after parsing; a bare name is looked for in PATH) and its
            // arguments
  std::map<std::string, std::string> environment;
  std::map<std::string, SecretText> secrets;  // variables
  std::map<std::string, SecretText> files;    // plain name → content, in the fresh working folder
  std::string folder;                         // absolute; empty: a fresh one for each run
  commands::CommandLimits limits;             // but `wall`, which is the entry's run_micros_max
  int completions = 1;                        // so often the command must succeed for a slot to have succeeded
  int parallelism = 1;                        // of them at the same time
  std::optional<scheduler::Entry> entry;      // named job:<name>; always there after parsing
};

// What the file takes from outside: a variable of the environment, or a file that is not the configuration itself.
struct Reference {
  enum class Kind { kVariable, kFile };
  Kind kind = Kind::kVariable;
  std::string name;         // of the variable; or the file, relative to the configuration's folder
  std::string key;          // where it stands, "sources.sak.postgres"; several places are several references
  bool is_secret = true;    // what it holds must not be seen; a statement, addresses, and certificates may be
  bool is_implied = false;  // it is not in the file: a platform's variable that stands in for a key
};

struct DestinationConfig {
  enum class Kind { kLocal, kRemote, kGoogle };
  Kind kind = Kind::kLocal;
  std::string folder = "./warehouse";   // kLocal
  std::string rest_url, grpc_address;   // kRemote: another flytt, or a peer that speaks the same API
  bigquery::CredentialsPlaces sign_in;  // kGoogle
};

struct Config {
  std::string path;               // of the file, for messages
  std::string project = "flytt";  // empty: the credentials know it (internal/destination.h)
  std::string location = "europe-north1";
  DestinationConfig destination;
  std::string state_file;         // empty: the state is in a schema that replicas share
  base::Secret state_url;         // of its database; empty when its reference cannot be resolved
  std::string state_url_problem;  // why
  std::string state_schema = "flytt";
  std::int64_t lease_ms = 15'000;
  std::string state_runs;                       // where runs of jobs are kept, absolute; empty: see runs_folder
  std::string health_address;                   // empty = off
  std::string rest_address = "127.0.0.1:9050";  // of the embedded warehouse
  std::string grpc_address = "127.0.0.1:9060";
  std::int64_t engine_memory_bytes = 256LL << 20;
  std::int64_t warehouse_memory_bytes = 512LL << 20;
  int copy_workers = 2;
  std::vector<PostgresSourceConfig> sources;
  std::vector<StreamConfig> streams;
  std::vector<KafkaSourceConfig> kafka_sources;
  std::vector<TopicStreamConfig> topic_streams;
  std::vector<QueryConfig> queries;
  std::vector<JobConfig> jobs;
  std::vector<std::string> buckets;   // of Cloud Storage, that jobs write
  std::vector<Reference> references;  // in the order of the file, whether or not they can be resolved here

  const PostgresSourceConfig* find_source(std::string_view name) const;
  const StreamConfig* find_stream(std::string_view name) const;
  const KafkaSourceConfig* find_kafka_source(std::string_view name) const;
  const TopicStreamConfig* find_topic_stream(std::string_view name) const;
  const QueryConfig* find_query(std::string_view name) const;
  const JobConfig* find_job(std::string_view name) const;
  // A stream of either kind has this name.
  bool has_stream(std::string_view name) const {
    return find_stream(name) != nullptr || find_topic_stream(name) != nullptr;
  }
  bool has_shared_state() const { return state_file.empty(); }
  // The folder that holds LOCK: the warehouse's own, or one beside the state file; empty with a shared state, of which the
  // lease says who works.
  std::string lock_folder() const;
  // Where the runs of jobs are kept: `state.runs`; without it in the warehouse's folder, or beside the state file; with a
  // shared state, beside the configuration.
  std::string runs_folder() const;
};

// Everything that has a schedule, queries first, in the file's order.
std::vector<const scheduler::Entry*> entries_of(const Config& config);

// Datasets that rows go into, sorted.
std::vector<std::string> datasets_of(const Config& config);
// Those of them in which rows of sources lie as they came: of streams, and of queries in a source.
std::vector<std::string> landing_datasets_of(const Config& config);

// How references reach the outside: `app` passes the process environment, tests pass a map.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

Result<Config> load_config(const std::string& path, const Environment& environment);
// For a place that is not this one: references stay in the values as they stand in the file, ${env:NAME}, and need not
// exist here. Nothing but the file is read.
Result<Config> load_config_for_elsewhere(const std::string& path);
Result<Config> parse_config(const std::string& text, const std::string& path, const Environment& environment);
Result<Config> parse_config_for_elsewhere(const std::string& text, const std::string& path);

// "100ms", "2s", "5m", "1h" → milliseconds; "256MiB", "1GiB" → bytes.
Result<std::int64_t> parse_duration_ms(std::string_view text);
Result<std::int64_t> parse_bytes(std::string_view text);

}  // namespace flytt::app
