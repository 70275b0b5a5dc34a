#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include "app/commands.h"
#include "app/internal/destination.h"
#include "app/internal/finding.h"
#include "app/internal/google_rights.h"
#include "app/internal/job_check.h"
#include "app/internal/origin_adapter.h"
#include "app/internal/query_check.h"
#include "app/internal/session.h"
#include "app/internal/source_state.h"
#include "app/internal/topic_origin_adapter.h"
#include "app/output.h"
#include "base/log.h"
#include "state/store.h"

namespace flytt::app {

namespace {

constexpr std::chrono::seconds kCheckMax{60};

bool has_made_slot(Session& session, const std::string& source) {
  const auto store = open_state_to_read(session.config);
  if (!store || *store == nullptr) return false;
  const auto made = (*store)->made(source);
  if (!made) return false;
  for (const state::MadeObject& object : *made)
    if (object.kind == "slot") return true;
  return false;
}

void check_sources(Session& session, std::vector<Found>& found) {
  for (const StreamConfig& stream : session.config.streams) {
    auto parts = origin_parts(session.config, stream, session.clock);
    if (!parts) {
      found.push_back({stream.from,
                       {postgres::Finding::Severity::kError, "url", stream.from, parts.error().sentence(),
                        "set it, then run check again"}});
      continue;
    }
    postgres::CheckRequest request{parts->publication, parts->slot, parts->selection,
                                   has_made_slot(session, stream.from), "flytt setup postgres " + stream.from};
    for (postgres::Finding& finding :
         postgres::check_source(parts->settings, request, session.clock, session.clock.in(kCheckMax)))
      found.push_back({stream.from, std::move(finding)});
  }
}

constexpr std::chrono::seconds kTopicCheckMax{20};

std::string mending_connection(const std::string& source, const kafka::ConnectionSettings& connection,
                               const Error& error) {
  const std::string key = "sources." + source + ".kafka";
  if (error.code() != ErrorCode::kAuth) return "check brokers, tls and network of '" + key + "'";
  return connection.sasl.mechanism != kafka::SaslMechanism::kNone
             ? "set user, password and mechanism of '" + key + ".sasl', and the ca of its 'tls'"
             : "set ca, certificate and key of '" + key + ".tls'";
}

// What gives this user a right: `resource` is the tool's own option, "--topic a" or "--group g".
std::string granting(const kafka::ConnectionSettings& connection, const std::string& right,
                     const std::string& resource) {
  const bool has_password = connection.sasl.mechanism != kafka::SaslMechanism::kNone;
  const std::string user = has_password                ? connection.sasl.user
                           : connection.tls.is_enabled ? "SUBJECT OF ITS CERTIFICATE"
                                                       : "ANONYMOUS";
  return "grant this application " + right + ": kafka-acls.sh --bootstrap-server " + connection.brokers +
         " --add --allow-principal 'User:" + user + "' --operation " + right + " " + resource;
}

// Rights are tried where nobody notices, a topic by reading one message; else the broker says which the user has.
void check_topics(Session& session, const TopicStreamConfig& stream, std::vector<Found>& found) {
  const auto fail = [&](const std::string& rule, const std::string& object, const Error& error,
                        const std::string& fix) {
    found.push_back({stream.from, {postgres::Finding::Severity::kError, rule, object, error.text(), fix}});
  };
  const auto options = topic_options(session.config, stream);
  if (!options) return fail("brokers", stream.from, options.error(), "set it, then run check again");
  auto client = kafka::Client::open(options->connection, session.clock);
  if (!client)
    return fail("connection", options->connection.brokers, client.error(), "mend 'sources." + stream.from + ".kafka'");
  const auto soon = [&] { return session.clock.in(kTopicCheckMax); };
  if (const auto reached = (*client)->topics({}, soon()); !reached)
    return fail("connection", options->connection.brokers, reached.error(),
                mending_connection(stream.from, options->connection, reached.error()));
  const std::string key = "'streams." + stream.name;
  const auto grant = [&](const char* right, const std::string& resource) {
    return granting(options->connection, right, resource);
  };
  // An error of the network says itself what to look at.
  const auto advice = [](const Error& error, const std::string& refused, const std::string& absent) {
    return error.code() == ErrorCode::kAuth ? refused : error.code() == ErrorCode::kNotFound ? absent : std::string();
  };
  std::map<std::string, kafka::TopicPartitions> topics;
  bool is_any_missing = false;
  for (const std::string& name : options->topics.include) {  // one by one, so that each that is missing is named
    const auto some = (*client)->topics({{name}, options->topics.exclude}, soon());
    is_any_missing |= !some;
    if (!some)
      fail("topics", name, some.error(),
           advice(some.error(), grant("Read", "--topic " + name), "mend " + key + ".topics', or make the topic"));
    for (const kafka::TopicPartitions& topic : some ? *some : std::vector<kafka::TopicPartitions>())
      topics.emplace(topic.topic, topic);
  }
  if (topics.empty() && !is_any_missing)
    fail("topics", stream.name, Error(ErrorCode::kNotFound, "no topic matches " + key + ".topics'"), "");
  for (const auto& [name, topic] : topics)
    if (const auto sample = (*client)->sample(topic, 1, soon()); !sample)
      fail("read", name, sample.error(), advice(sample.error(), grant("Read", "--topic " + name), ""));
  if (const std::string& letters = options->dead_letters; !letters.empty())
    if (const Status writes = (*client)->may_write(letters, soon()); !writes)
      fail("dead_letters", letters, writes.error(),
           advice(writes.error(), grant("Write", "--topic " + letters) + ", or take " + key + ".dead_letters' away",
                  "make the topic, or take " + key + ".dead_letters' away"));
  if (const Status joins = (*client)->may_join(options->group.id, soon()); !joins)
    fail("group", options->group.id, joins.error(),
         advice(joins.error(),
                grant("Read", "--group " + options->group.id) + ", or name another as " + key + ".group'", ""));
}

// Who signs in at Google, for people; not known when `credentials` is empty.
struct SignIn {
  std::string project, account, credentials;
};

void check_rights(Session& session, bigquery::Credentials& credentials, SignIn& sign_in, std::vector<Found>& found) {
  const auto account = credentials.account();
  if (!account) {
    found.push_back({"destination",
                     {postgres::Finding::Severity::kError, "account", credentials.name(), account.error().text(), ""}});
    return;
  }
  const auto request = rights_request(session.config, *account);
  if (!request) {
    found.push_back({"destination",
                     {postgres::Finding::Severity::kError, "connection", session.config.project, request.error().text(),
                      "name the connection as BigQuery does"}});
    return;
  }
  sign_in = {session.config.project, request->account, credentials.name()};
  for (Found& entry : check_google_rights(*request, credentials, {}, session.clock)) found.push_back(std::move(entry));
}

// Whether they are there and may be written is asked with the account of the destination (check_rights).
void check_buckets(const Config& config, std::vector<Found>& found) {
  const auto advise = [&](const std::string& place, const std::string& bucket, const std::string& sentence,
                          const std::string& fix) {
    found.push_back({place, {postgres::Finding::Severity::kAdvice, "bucket", "gs://" + bucket, sentence, fix}});
  };
  if (config.destination.kind != DestinationConfig::Kind::kGoogle)
    for (const std::string& bucket : config.buckets)
      advise("buckets", bucket, "whether it may be written is not looked at, because the destination is not Google's",
             "");
  for (const BucketMention& mention : unlisted_buckets(config))
    advise(mention.place, mention.bucket, "the bucket is named here and not in 'buckets', so nobody looks at it",
           "add '" + mention.bucket + "' to 'buckets'");
}

// A local warehouse that is not there yet is made by run; one that is there, and any other destination, must answer.
// Nothing when it cannot be asked.
std::unique_ptr<OpenDestination> check_destination(Session& session, SignIn& sign_in, std::vector<Found>& found) {
  const Config& config = session.config;
  const bool is_local = config.destination.kind == DestinationConfig::Kind::kLocal;
  if (is_local && !std::filesystem::exists(config.destination.folder + "/warehouse.duckdb")) return nullptr;
  const auto fail = [&](const Error& error, const std::string& fix) {
    found.push_back({"destination",
                     {postgres::Finding::Severity::kError, "destination",
                      is_local ? config.destination.folder : config.project, error.text(), fix}});
  };
  auto open = open_destination_to_ask(session);
  if (!open) {
    fail(open.error(), is_local ? "stop the process that holds the folder" : "");
    return nullptr;
  }
  if (config.destination.kind == DestinationConfig::Kind::kGoogle) {
    check_rights(session, *(*open)->access.credentials, sign_in, found);
    return std::move(*open);
  }
  for (const std::string& name : datasets_of(config)) {
    const auto dataset = (*open)->access.client->get_dataset(config.project, name);
    if (!dataset && dataset.error().code() != ErrorCode::kNotFound)
      fail(dataset.error(),
           "grant the account roles/bigquery.dataEditor and roles/bigquery.jobUser in project " + config.project);
  }
  return std::move(*open);
}

// `run` makes a schema that is missing, where it may.
void check_state(Session& session, std::vector<Found>& found) {
  if (!session.config.has_shared_state()) return;
  const auto fail = [&](const Error& error, const std::string& fix) {
    found.push_back(
        {"state",
         {postgres::Finding::Severity::kError, "state", "schema " + session.config.state_schema, error.text(), fix}});
  };
  const auto database = shared_state(session.config, session.clock);
  if (!database) return fail(database.error(), "set 'state.postgres', then run check again");
  const auto missing = state::missing_state_right(*database);
  if (!missing) return fail(missing.error(), "see to it that the database of 'state.postgres' can be reached and read");
  if (!missing->empty())
    return fail(Error(ErrorCode::kAuth, "the state cannot be kept there: a right is missing"), *missing);
  const auto store = open_state_to_read(session.config);
  if (!store) fail(store.error(), "name another schema in 'state.schema', or use the flytt that made it");
}

std::string findings_json(const SignIn& sign_in, const std::vector<Found>& found) {
  std::string out = "{";
  if (!sign_in.credentials.empty())
    out += "\"sign_in\":{\"project\":" + base::json_quote(sign_in.project) +
           ",\"account\":" + base::json_quote(sign_in.account) +
           ",\"credentials\":" + base::json_quote(sign_in.credentials) + "},";
  out += "\"findings\":[";
  for (const Found& entry : found) {
    if (&entry != &found.front()) out += ",";
    out += "{\"place\":" + base::json_quote(entry.place) +
           ",\"severity\":" + base::json_quote(postgres::to_string(entry.finding.severity)) +
           ",\"rule\":" + base::json_quote(entry.finding.rule) +
           ",\"object\":" + base::json_quote(entry.finding.object) +
           ",\"sentence\":" + base::json_quote(entry.finding.sentence) +
           ",\"fix\":" + (entry.finding.fix.empty() ? "null" : base::json_quote(entry.finding.fix)) + "}";
  }
  return out + "]}\n";
}

std::string findings_text(const SignIn& sign_in, const std::vector<Found>& found) {
  std::string out;
  if (!sign_in.credentials.empty())
    out = "project " + sign_in.project + ", account " + sign_in.account + ", by " + sign_in.credentials + "\n";
  if (found.empty()) return out + "Everything is in order. Next: flytt run\n";
  for (const Found& entry : found) {
    out += std::string(postgres::to_string(entry.finding.severity)) + "  " + entry.place + ", " + entry.finding.object +
           "\n  " + entry.finding.sentence + "\n";
    if (!entry.finding.fix.empty()) out += "  mend: " + entry.finding.fix + "\n";
  }
  return out;
}

}  // namespace

int run_check(const CommonOptions& common) {
  base::set_log(base::LogLevel::kError, base::LogFormat::kText);
  auto session = open_session_with_project(common);
  if (!session) return report(session.error());
  std::vector<Found> found;
  check_state(**session, found);
  check_sources(**session, found);
  for (const TopicStreamConfig& stream : (*session)->config.topic_streams) check_topics(**session, stream, found);
  SignIn sign_in;
  const auto open = check_destination(**session, sign_in, found);
  check_buckets((*session)->config, found);
  check_queries(**session, open ? open->access.client.get() : nullptr, found);
  for (const JobConfig& job : (*session)->config.jobs) check_job(job, command_environment((*session)->config), found);
  const std::string text = common.json ? findings_json(sign_in, found) : findings_text(sign_in, found);
  std::fwrite(text.data(), 1, text.size(), stdout);
  for (const Found& entry : found)
    if (entry.finding.severity != postgres::Finding::Severity::kAdvice) return kExitFindings;
  return kExitDone;
}

}  // namespace flytt::app
