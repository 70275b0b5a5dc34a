#include "app/config_keys.h"

#include <algorithm>
#include <deque>
#include <iterator>

namespace flytt::app {

namespace {

constexpr ConfigKey kGeneralKeys[] = {
    {"project", KeyKind::kString, true, "flytt",
     "BigQuery project of every dataset in this file. With BigQuery itself, what is not given is GOOGLE_CLOUD_PROJECT, "
     "GCP_TEAM_PROJECT_ID, or the project of the credentials."},
    {"location", KeyKind::kString, true, "europe-north1", "Location of datasets that flytt creates."},
    {"destination", KeyKind::kMap, true, "", "Where rows go: exactly one of the keys below."},
    {"destination.local", KeyKind::kString, true, "./warehouse", "Folder of the embedded warehouse."},
    {"destination.bigquery", KeyKind::kMap, true, "", "BigQuery itself, or another flytt by its addresses."},
    {"destination.bigquery.rest", KeyKind::kString, true, "", "REST address of another flytt, http://127.0.0.1:9050."},
    {"destination.bigquery.grpc", KeyKind::kString, true, "",
     "Storage Write address of another flytt, 127.0.0.1:9060."},
    {"destination.bigquery.key_file", KeyKind::kString, true, "",
     "Service account key, or another credentials file. Without it credentials are found as Google's libraries find "
     "them: "
     "GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, the metadata server (Workload "
     "Identity)."},
    {"state", KeyKind::kMap, true, "", "Where progress is remembered; beside the local warehouse unless given."},
    {"state.sqlite", KeyKind::kString, true, "<warehouse folder>/state.db", "File of the embedded state store."},
    {"state.postgres", KeyKind::kReference, true, "",
     "URL of a PostgreSQL database instead, in which several replicas of one `flytt run` share it: one works, the "
     "others "
     "stand by. Not behind a pooler that shares sessions."},
    {"state.schema", KeyKind::kString, true, "flytt", "Schema in that database, made when it is missing."},
    {"state.lease", KeyKind::kDuration, true, "15s",
     "After so long without a sign of life another replica takes over; 3s to 5m. Renewed each third of it."},
    {"state.runs", KeyKind::kString, true, "beside the state",
     "Folder with records and output of the runs of jobs: `runs` in the warehouse's folder, `<state file>.runs`, or "
     "with "
     "state in PostgreSQL `flytt.runs` beside this file, unless given. It is made when it is missing, in a folder that "
     "is "
     "there."},
    {"listen", KeyKind::kMap, true, "", "Addresses that flytt listens on."},
    {"listen.health", KeyKind::kString, true, "", "Address of /isalive, /isready and /metrics; off unless given."},
    {"listen.rest", KeyKind::kString, true, "127.0.0.1:9050", "REST address of the embedded warehouse; loopback only."},
    {"listen.grpc", KeyKind::kString, true, "127.0.0.1:9060",
     "Storage Write address of the embedded warehouse; loopback only."},
    {"memory", KeyKind::kMap, true, "", "Bounds on memory."},
    {"memory.engine", KeyKind::kBytes, true, "256MiB", "Rows on their way, all streams together."},
    {"memory.warehouse", KeyKind::kBytes, true, "512MiB", "The embedded warehouse's own bound."},
    {"copy_workers", KeyKind::kNumber, true, "2", "Connections that copy tables in parallel, per stream; 1 to 16."},
};

constexpr ConfigKey kSourceKeys[] = {
    {"sources", KeyKind::kMap, true, "", "Systems that rows come from, by a name of your choice."},
    {"sources.*", KeyKind::kMap, true, "", "One source."},
    {"sources.*.postgres", KeyKind::kReference, true, "", "Connection URL, usually ${env:NAME} or ${file:/path}."},
    {"sources.*.publication", KeyKind::kString, true, "flytt_<source>",
     "Publication to read, when it is not flytt's own."},
    {"sources.*.slot", KeyKind::kString, true, "flytt_<source>",
     "Replication slot to read, when it is not flytt's own."},
    {"sources.*.kafka", KeyKind::kMap, true, "",
     "A Kafka cluster. What is not given is taken from the platform's variables KAFKA_BROKERS, KAFKA_CA, "
     "KAFKA_CERTIFICATE, KAFKA_PRIVATE_KEY (or …_PATH)."},
    {"sources.*.kafka.brokers", KeyKind::kReference, true, "${env:KAFKA_BROKERS}", "Addresses, host:port,host:port."},
    {"sources.*.kafka.tls", KeyKind::kMap, true, "",
     "Encrypted connections; on as soon as one of its keys, or of the platform's variables, is there."},
    {"sources.*.kafka.tls.ca", KeyKind::kReference, true, "the system's list",
     "Certificate of the authority: a file, or the PEM text itself."},
    {"sources.*.kafka.tls.certificate", KeyKind::kReference, true, "", "Our certificate: a file, or the PEM text."},
    {"sources.*.kafka.tls.key", KeyKind::kReference, true, "", "Its private key: a file, or the PEM text."},
    {"sources.*.kafka.tls.key_password", KeyKind::kReference, true, "", "Password of the private key."},
    {"sources.*.kafka.tls.verify_host_name", KeyKind::kBool, true, "true",
     "Whether a broker's certificate must be for its host name."},
    {"sources.*.kafka.sasl", KeyKind::kMap, true, "", "Name and password."},
    {"sources.*.kafka.sasl.mechanism", KeyKind::kString, true, "scram-sha-512",
     "plain, scram-sha-256 or scram-sha-512."},
    {"sources.*.kafka.sasl.user", KeyKind::kReference, true, "", "Name."},
    {"sources.*.kafka.sasl.password", KeyKind::kReference, true, "", "Password."},
    {"sources.*.kafka.group", KeyKind::kReference, true, "flytt",
     "Beginning of consumer groups' names: a stream's group is <group>_<stream>."},
    {"sources.*.kafka.instance", KeyKind::kReference, true, "a name kept in state",
     "This process's own name in its groups, the same after a restart: one that was killed and comes back within "
     "session_timeout has its partitions again at once. Each process needs its own. With a name that is given here "
     "they "
     "wait for it after an orderly stop, too; with the default they go to other processes then."},
    {"sources.*.kafka.session_timeout", KeyKind::kDuration, true, "45s",
     "After so long without a sign of life the group gives our partitions to others."},
};

constexpr ConfigKey kStreamKeys[] = {
    {"streams", KeyKind::kMap, true, "", "What moves continuously, by a name of your choice."},
    {"streams.*", KeyKind::kMap, true, "", "One stream."},
    {"streams.*.from", KeyKind::kString, true, "", "Name of a source."},
    {"streams.*.to", KeyKind::kString, true, "",
     "Dataset that the tables land in, or dataset.table for a stream of topics."},
    {"streams.*.tables", KeyKind::kMap, true, "", "Which tables."},
    {"streams.*.tables.include", KeyKind::kStringList, true, "[\"public.*\"]",
     "Patterns schema.table; * stands for any text."},
    {"streams.*.tables.exclude", KeyKind::kStringList, true, "[]", "Patterns that are left out of what is included."},
    {"streams.*.mode", KeyKind::kString, true, "mirror",
     "mirror: a table shows the source's rows as they are. (append: not in this version.)"},
    {"streams.*.freshness", KeyKind::kDuration, true, "100ms", "Longest time that a row waits for its batch to fill."},
    {"streams.*.max_staleness", KeyKind::kDuration, true, "0s", "BigQuery's own setting for reads of mirror tables."},
    {"streams.*.columns", KeyKind::kMap, false, "", "Columns that are masked or dropped."},
    {"streams.*.names", KeyKind::kString, false, "", "Template for destination table names."},
};

constexpr ConfigKey kTopicKeys[] = {
    {"streams.*.topics", KeyKind::kStringList, true, "",
     "Kafka topics; * stands for any text. `to` then names a dataset, in which each topic has a table, or "
     "dataset.table for all of them."},
    {"streams.*.exclude_topics", KeyKind::kStringList, true, "[]", "Patterns that are left out of `topics`."},
    {"streams.*.format", KeyKind::kString, true, "json", "Of messages: json, text or bytes."},
    {"streams.*.delivery", KeyKind::kString, true, "exactly_once",
     "Of messages: exactly_once, at_least_once, or upsert (the message's key is the primary key, one without a value "
     "deletes)."},
    {"streams.*.schema", KeyKind::kFieldList, true, "inferred",
     "Columns of messages: {name, type, mode: REQUIRED or REPEATED, from: member of the JSON object, description}; a "
     "type is BigQuery's, STRUCT has `fields`."},
    {"streams.*.unknown_fields", KeyKind::kString, true, "ignore with a schema, else grow",
     "What becomes of members that the schema does not have: ignore, rest (one JSON column _rest), or grow (nullable "
     "columns are added)."},
    {"streams.*.nested", KeyKind::kString, true, "struct", "Objects in inferred columns: struct or json."},
    {"streams.*.metadata", KeyKind::kStringList, true, "[topic, partition, offset, timestamp]",
     "Columns _kafka_… beside the message: topic, partition, offset, timestamp, key, key_bytes, headers."},
    {"streams.*.key", KeyKind::kStringList, true, "_kafka_key", "Of upsert: the columns that the message's key holds."},
    {"streams.*.start", KeyKind::kString, true, "earliest",
     "Where a partition begins that was never read: earliest, latest or error."},
    {"streams.*.lost", KeyKind::kString, true, "error",
     "Where it goes on when the remembered place is gone (retention, or a topic made anew): error, earliest or latest. "
     "A topic that was made anew needs, with exactly_once, a table without rows of the old one; an upsert goes on with "
     "it in any case, from its first message unless this says latest."},
    {"streams.*.times", KeyKind::kMap, true, "", "How texts and numbers become times."},
    {"streams.*.times.detect", KeyKind::kBool, true, "true",
     "Inferred columns: texts that are all RFC 3339 become TIMESTAMP, DATETIME or DATE."},
    {"streams.*.times.strict", KeyKind::kBool, true, "false", "Only RFC 3339, with a zone for TIMESTAMP."},
    {"streams.*.times.epoch", KeyKind::kString, true, "refused",
     "Unit of a number in a time column: refused, seconds, millis, micros or nanos."},
    {"streams.*.numbers_in_strings", KeyKind::kBool, true, "true", "\"12\" is taken where a number is declared."},
    {"streams.*.scalars_as_strings", KeyKind::kBool, true, "false",
     "12, true and {…} are taken as their text where a STRING is declared."},
    {"streams.*.dead_letters", KeyKind::kString, true, "",
     "A topic of the same cluster that gets the messages which cannot be rows, beside their entry in quarantine (where "
     "`quarantine retry` finds them): key, value and headers as they were, also with `raw: false`, and the "
     "headers flytt.topic, flytt.partition, flytt.offset, flytt.reason, flytt.timestamp (of the message, in "
     "milliseconds) and, when one is to blame, flytt.column, all text, behind those of the message. They are stored, "
     "acks=all, before their place is saved; after a failure one "
     "may be there again, with the same topic, partition and offset. What only the destination refuses is in "
     "quarantine "
     "alone. The topic is not made; it needs the right Write, and a max.message.bytes above that of the topics that "
     "are read. While it cannot be written the stream stands before the message, and its error says why."},
    {"streams.*.raw", KeyKind::kBool, true, "true",
     "Whether quarantine keeps the message itself, with key and headers; false for messages with personal data."},
    {"streams.*.group", KeyKind::kReference, true, "<group>_<stream>", "Consumer group, when it is not the source's."},
};

constexpr ConfigKey kQueryKeys[] = {
    {"queries", KeyKind::kMap, true, "",
     "Queries whose result goes into a table on a schedule, by a name of your choice."},
    {"queries.*", KeyKind::kMap, true, "", "One query; `schedule` (or `after`), `to` and `sql` are obligatory."},
    {"queries.*.from", KeyKind::kString, true, "the destination",
     "A PostgreSQL source, in which the statement runs, read-only and in one snapshot. Without it the statement is "
     "GoogleSQL in the destination, where EXTERNAL_QUERY reaches sources, too."},
    {"queries.*.sql", KeyKind::kReference, true, "",
     "One statement that returns rows; or ${file:query.sql}, a file that holds it."},
    {"queries.*.to", KeyKind::kString, true, "",
     "dataset.table. The table may hold BigQuery's templates, of the slot's time in UTC: daily_{run_date}, "
     "hourly_{run_time-1h\\|\"%Y%m%d%H\"}. orders${run_date} is one partition of the table orders, which must be "
     "there: "
     "truncate replaces its rows only, and a row that belongs to another partition fails the run."},
    {"queries.*.write", KeyKind::kString, true, "truncate",
     "truncate: the result replaces the rows of the table; append: it is added; upsert: rows with the same `key` are "
     "replaced, others added."},
    {"queries.*.key", KeyKind::kStringList, true, "", "Of upsert: columns of the result that say which row is meant."},
    {"queries.*.version", KeyKind::kString, true, "",
     "Name of a TIMESTAMP column that is added to the result and holds the slot's time."},
    {"queries.*.labels", KeyKind::kMap, true, "", "Labels of its jobs in BigQuery, beside flytt's own."},
    {"queries.*.labels.*", KeyKind::kString, true, "", "Lower case letters, digits, _ and -."},
    {"queries.*.max_bytes", KeyKind::kBytes, true, "none",
     "A query in the destination that would read more is refused before it starts."},
};

// Of queries and of jobs, below each of them.
constexpr ConfigKey kScheduledKeys[] = {
    {"schedule", KeyKind::kMap, true, "",
     "When it runs: `cron` or `every`. Each such time is a slot. Without it, what stands in `after` is what it runs "
     "on: when that "
     "has changed."},
    {"schedule.cron", KeyKind::kString, true, "",
     "Minute, hour, day of month, month, day of week: \"15 5 * * *\"; or @hourly, @daily, @every 90m."},
    {"schedule.every", KeyKind::kString, true, "",
     "A duration (10m, 1h30m), or BigQuery's language: \"24 hours\", \"every monday 09:00\"."},
    {"schedule.timezone", KeyKind::kString, true, "UTC", "IANA name, Europe/Oslo."},
    {"schedule.start", KeyKind::kString, true, "",
     "First instant that may be a slot: 2026-01-15 09:00 in the zone, or 2026-01-15T08:00:00Z."},
    {"schedule.end", KeyKind::kString, true, "", "Slots are before it."},
    {"after", KeyKind::kStringList, true, "[]",
     "What a slot waits for: stream:NAME or table:dataset.table (complete up to the slot), query:NAME or job:NAME "
     "(succeeded "
     "for its newest slot at or before this one). A run that is asked for by hand does not wait. Without `schedule` it "
     "runs when one of them has changed since its last slot, the first time when there is anything; a table of a "
     "stream "
     "has changed when its stream has brought something."},
    {"at_most", KeyKind::kDuration, true, "1m",
     "Without `schedule`: the least time between two slots. What changes meanwhile is one slot after it."},
    {"missed", KeyKind::kString, true, "last",
     "Of slots that passed while nothing could run: none, the last, or all of them."},
    {"missed_max", KeyKind::kNumber, true, "24", "Of missed: all, the newest that still run."},
    {"concurrency", KeyKind::kString, true, "forbid",
     "When a slot comes while a run is on: forbid (it waits), replace (the run is stopped) or allow (both run)."},
    {"retries", KeyKind::kMap, true, "", "Attempts after one that failed and may succeed later."},
    {"retries.max", KeyKind::kNumber, true, "3", "How many, after the first."},
    {"retries.delay", KeyKind::kDuration, true, "10s", "Wait before the first of them."},
    {"retries.delay_max", KeyKind::kDuration, true, "6m", "Longest wait; not below `delay`."},
    {"retries.factor", KeyKind::kNumber, true, "2", "By which each wait is longer than the one before."},
    {"timeout", KeyKind::kDuration, true, "none", "A run that takes longer is stopped and has failed."},
    {"start_within", KeyKind::kDuration, true, "none", "A slot that could not start within this time is skipped."},
};

constexpr ConfigKey kJobKeys[] = {
    {"jobs", KeyKind::kMap, true, "",
     "Commands that run on a schedule, by a name of your choice. A slot succeeds once, but its command may be run more "
     "than once, when a run failed, or its end is not known: its effects are there at least once."},
    {"jobs.*", KeyKind::kMap, true, "", "One job; `run` and `schedule` (or `after`) are obligatory."},
    {"jobs.*.run", KeyKind::kStringList, true, "",
     "[program, argument, …]. A program with a slash is relative to this file, another is looked for in PATH. There is "
     "no shell: a script has its #! line. Exit code 0 is success, 78 is a failure that is not retried."},
    {"jobs.*.env", KeyKind::kMap, true, "",
     "Variables beside PATH, HOME, LANG and TZ of flytt, and FLYTT_RUN, FLYTT_JOB, FLYTT_SLOT (RFC 3339, UTC), "
     "FLYTT_ATTEMPT, FLYTT_TRIGGER (schedule, change, backfill, manual), FLYTT_COMPLETION (from 0), FLYTT_PROGRAM and "
     "FLYTT_CONFIG (paths: \"$FLYTT_PROGRAM\" query --config \"$FLYTT_CONFIG\" 'SELECT …')."},
    {"jobs.*.env.*", KeyKind::kString, true, "", "A plain text."},
    {"jobs.*.secrets", KeyKind::kMap, true, "", "Variables whose value is never shown."},
    {"jobs.*.secrets.*", KeyKind::kReference, true, "",
     "One reference, ${env:NAME} or ${file:/path}, without the line ends at its end; a text is refused."},
    {"jobs.*.files", KeyKind::kMap, true, "",
     "Files that are placed into the fresh working folder, readable by the job alone."},
    {"jobs.*.files.*", KeyKind::kReference, true, "",
     "By plain name: the content, or one reference, without the line ends at its end."},
    {"jobs.*.folder", KeyKind::kString, true, "a fresh one",
     "Working folder, relative to this file. A fresh one is private, and is removed when the run has ended."},
    {"jobs.*.limits", KeyKind::kMap, true, "", "Bounds of each run."},
    {"jobs.*.limits.memory", KeyKind::kBytes, true, "none",
     "Heap and other private writable memory, of each process by itself."},
    {"jobs.*.limits.cpu", KeyKind::kDuration, true, "none",
     "Processor time, of each process by itself; whole seconds."},
    {"jobs.*.limits.disk", KeyKind::kBytes, true, "1GiB of a fresh one",
     "What lies in the working folder, with what lay there before; a run that passes it is killed."},
    {"jobs.*.limits.output", KeyKind::kBytes, true, "4MiB",
     "What is kept of standard output and standard error: the beginning and the newest part."},
    {"jobs.*.limits.open_files", KeyKind::kNumber, true, "1024", "Files that a process may have open."},
    {"jobs.*.grace", KeyKind::kDuration, true, "30s",
     "Between SIGTERM and SIGKILL, when a run is stopped; 0s kills at once."},
    {"jobs.*.completions", KeyKind::kNumber, true, "1",
     "So often the command must succeed for a slot to have succeeded; FLYTT_COMPLETION numbers them from 0. What has "
     "succeeded is not run again by a later attempt of the slot."},
    {"jobs.*.parallelism", KeyKind::kNumber, true, "1", "Of completions, how many run at the same time."},
};

constexpr ConfigKey kOtherKeys[] = {
    {"streams.*.arrays", KeyKind::kString, false, "", "How arrays are stored."},
    {"models", KeyKind::kString, false, "", "Folder of models."},
    {"zones", KeyKind::kMap, false, "", "Access by zone."},
    {"buckets", KeyKind::kStringList, true, "[]",
     "Buckets of Cloud Storage, without gs://, that jobs write. `flytt check` looks whether they are there and may be "
     "written."},
};

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (true) {
    const auto dot = path.find('.');
    parts.emplace_back(path.substr(0, dot));
    if (dot == path.npos) return parts;
    path.remove_prefix(dot + 1);
  }
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path, std::size_t length) {
  if (pattern.size() < length || path.size() < length) return false;
  for (std::size_t i = 0; i < length; ++i)
    if (pattern[i] != "*" && pattern[i] != path[i]) return false;
  return true;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all;
    const auto add = [&](const auto& part) { all.insert(all.end(), std::begin(part), std::end(part)); };
    add(kGeneralKeys);
    add(kSourceKeys);
    add(kStreamKeys);
    add(kTopicKeys);
    static std::deque<std::string> paths;  // that are put together here
    const auto add_scheduled = [&](const std::string& below) {
      for (ConfigKey key : kScheduledKeys) {
        key.path = paths.emplace_back(below + std::string(key.path));
        all.push_back(key);
      }
    };
    add(kQueryKeys);
    add_scheduled("queries.*.");
    add(kJobKeys);
    add_scheduled("jobs.*.");
    add(kOtherKeys);
    return all;
  }();
  return keys;
}

const ConfigKey* find_config_key(const std::vector<std::string>& path) {
  for (const ConfigKey& key : config_keys()) {
    const auto pattern = split_path(key.path);
    if (pattern.size() == path.size() && matches(pattern, path, path.size())) return &key;
  }
  return nullptr;
}

std::vector<std::string> known_names_below(const std::vector<std::string>& path) {
  std::vector<std::string> names;
  for (const ConfigKey& key : config_keys()) {
    const auto pattern = split_path(key.path);
    if (pattern.size() == path.size() + 1 && matches(pattern, path, path.size()) && pattern.back() != "*")
      names.push_back(pattern.back());
  }
  return names;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string config_reference_markdown() {
  std::string out =
      "# Configuration keys\n\nMade from `src/app/config_keys.cc`; a test compares them. A key that is not in this "
      "version is an "
      "error.\n\n| key | default | meaning |\n|---|---|---|\n";
  for (const ConfigKey& key : config_keys())
    out += "| `" + std::string(key.path) + "` | " +
           (key.standard.empty() ? "" : "`" + std::string(key.standard) + "`") + " | " + std::string(key.sentence) +
           (key.works ? "" : " *Not in this version.*") + " |\n";
  return out;
}

}  // namespace flytt::app
