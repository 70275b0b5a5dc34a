#include <CLI/CLI.hpp>

#include <memory>

#include "app/commands.h"
#include "app/output.h"

namespace flytt::app {

namespace {

// Holds every option while CLI11 points into it; `chosen` is the verb to run.
struct Parsed {
  CommonOptions common;
  InitOptions init;
  SetupOptions setup;
  TeardownOptions teardown;
  RunOptions run;
  WarehouseOptions warehouse;
  QueryOptions query;
  StatusOptions status;
  ResyncOptions resync;
  QuarantineOptions quarantine;
  JobOptions job;
  RenderOptions render;
  std::string memory = "512MiB";
  std::function<int()> chosen;
};

CLI::App* verb(CLI::App& app, Parsed& parsed, const char* name, const char* sentence, const char* example,
               std::function<int()> action, bool takes_config = true, bool takes_json = false) {
  CLI::App* sub = app.add_subcommand(name, sentence);
  sub->footer(std::string("\nExample:\n  ") + example);
  if (takes_config)
    sub->add_option("--config", parsed.common.config_path, "configuration file")
        ->capture_default_str()
        ->type_name("FILE");
  if (takes_json) sub->add_flag("--json", parsed.common.json, "print facts as JSON");
  sub->callback([&parsed, action] { parsed.chosen = action; });
  return sub;
}

void add_source_verbs(CLI::App& app, Parsed& p) {
  CLI::App* init = verb(app, p, "init", "Look at what is there and write a commented flytt.yaml",
                        "flytt init --postgres postgres://me:secret@127.0.0.1:5432/sak",
                        [&p] { return run_init(p.common, p.init); });
  init->add_option("--postgres", p.init.postgres_url, "connection URL of a PostgreSQL database")->type_name("URL");
  init->add_option("--kafka", p.init.kafka_brokers, "addresses of Kafka brokers, host:port,host:port")
      ->type_name("BROKERS");
  init->add_flag("--force", p.init.force, "overwrite an existing configuration");

  verb(
      app, p, "check", "Find what is missing or wrong, with the SQL, command or key that mends it",
      "flytt check --json", [&p] { return run_check(p.common); }, true, true);
  verb(
      app, p, "plan", "Show what run would create or change; changes nothing", "flytt plan",
      [&p] { return run_plan(p.common); }, true, true);

  CLI::App* setup = app.add_subcommand("setup", "Prepare a source");
  setup->require_subcommand(1);
  CLI::App* postgres = verb(
      *setup, p, "postgres", "Make publication, grants and slot in a PostgreSQL source, or print them as a migration",
      "flytt setup postgres sak --print flyway > V12__flytt.sql", [&p] { return run_setup(p.common, p.setup); });
  postgres->add_option("source", p.setup.source, "name of the source in the configuration")
      ->required()
      ->type_name("SOURCE");
  postgres->add_option("--print", p.setup.print, "print instead of apply")->check(CLI::IsMember({"plain", "flyway"}));

  CLI::App* teardown = verb(app, p, "teardown", "Drop slot and publication that flytt made; destination tables stay",
                            "flytt teardown sak", [&p] { return run_teardown(p.common, p.teardown); });
  teardown->add_option("source", p.teardown.source, "name of the source in the configuration")
      ->required()
      ->type_name("SOURCE");
}

void add_running_verbs(CLI::App& app, Parsed& p) {
  CLI::App* run = verb(
      app, p, "run",
      "Run the streams, scheduled queries and jobs, and the embedded warehouse when the destination is local. A slot "
      "of "
      "a query takes effect once; the command of a job may be run more than once for a slot (when a run failed, or "
      "its end is not known), so its effects are there at least once",
      "flytt run --once\n  flytt run --only story", [&p] { return run_run(p.common, p.run); });
  run->add_flag("--once", p.run.once,
                "stop when everything that was in the sources at the start is durable and visible, and after it each "
                "query and job has run for its newest slot that has passed, unless it had succeeded before");
  run->add_flag("--adopt", p.run.adopt, "take over a replication slot that flytt did not create");
  run->add_option("--only", p.run.only, "only these streams, queries and jobs")->type_name("NAME");

  CLI::App* warehouse = verb(
      app, p, "warehouse", "Run only the BigQuery-compatible service",
      "flytt warehouse --data ./warehouse --http 127.0.0.1:9050 --grpc 127.0.0.1:9060",
      [&p] { return run_warehouse(p.common, p.warehouse); }, false);
  warehouse->add_option("--data", p.warehouse.data, "folder of the warehouse")->capture_default_str()->type_name("DIR");
  warehouse->add_option("--http", p.warehouse.http, "REST address, loopback only; port 0 = any free port")
      ->capture_default_str()
      ->type_name("ADDR");
  warehouse->add_option("--grpc", p.warehouse.grpc, "Storage Write address, loopback only; port 0 = any free port")
      ->capture_default_str()
      ->type_name("ADDR");
  warehouse->add_option("--project", p.warehouse.project, "project of queries that name none")->capture_default_str();

  CLI::App* query = verb(app, p, "query", "Ask the destination in GoogleSQL",
                         "flytt query --format csv 'SELECT COUNT(*) AS n FROM landing_sak.person'",
                         [&p] { return run_query(p.common, p.query); });
  query->add_option("sql", p.query.sql, "the query")->required()->type_name("SQL");
  query->add_option("--format", p.query.format, "how rows are printed")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->capture_default_str();
  query->add_option("--data", p.query.data, "folder of a local warehouse, instead of a configuration")
      ->type_name("DIR");

  CLI::App* status = verb(
      app, p, "status", "What runs, how far behind it is, what is wrong", "flytt status --watch",
      [&p] { return run_status(p.common, p.status); }, true, true);
  status->add_flag("--watch", p.status.watch, "repeat every second until Ctrl-C");

  CLI::App* resync = verb(app, p, "resync", "Copy a table again while its stream runs",
                          "flytt resync sak.public.person", [&p] { return run_resync(p.common, p.resync); });
  resync->add_option("table", p.resync.table, "STREAM.TABLE, the table as the source names it")
      ->required()
      ->type_name("STREAM.TABLE");

  verb(
      app, p, "version", "Print the version", "flytt version --json", [&p] { return run_version(p.common); }, false,
      true);
}

void add_quarantine_verbs(CLI::App& app, Parsed& p) {
  CLI::App* quarantine = app.add_subcommand("quarantine", "Rows that could not be written, with position and reason");
  quarantine->require_subcommand(1);
  const auto part = [&p](const char* action) {
    return [&p, action] {
      p.quarantine.action = action;
      return run_quarantine(p.common, p.quarantine);
    };
  };
  CLI::App* list = verb(*quarantine, p, "list", "What is set aside, newest first", "flytt quarantine list hendelser",
                        part("list"), true, true);
  list->add_option("what", p.quarantine.what, "STREAM or STREAM.TABLE; everything without it")
      ->type_name("STREAM[.TABLE]");
  list->add_option("--limit", p.quarantine.limit, "of each dataset")->capture_default_str();
  CLI::App* show = verb(*quarantine, p, "show", "One entry with all that is known of it, the value included",
                        "flytt quarantine show team.hendelser-v1/3/42", part("show"));
  show->add_option("position", p.quarantine.what, "position, as list shows it")->required()->type_name("POSITION");
  CLI::App* retry = verb(
      *quarantine, p, "retry",
      "Read messages again, after a mended schema, and write those that are rows now; copy tables of a database again",
      "flytt quarantine retry hendelser", part("retry"));
  retry->add_option("what", p.quarantine.what, "STREAM, STREAM.TOPIC or STREAM.TABLE")
      ->required()
      ->type_name("STREAM[.TABLE]");
  retry->add_option("--position", p.quarantine.position, "only this one; of a database its whole table")
      ->type_name("POSITION");
  CLI::App* drop = verb(*quarantine, p, "drop", "Forget entries", "flytt quarantine drop hendelser", part("drop"));
  drop->add_option("what", p.quarantine.what, "STREAM or STREAM.TABLE")->required()->type_name("STREAM[.TABLE]");
  drop->add_option("--position", p.quarantine.position, "only this one")->type_name("POSITION");
}

void add_job_verbs(CLI::App& app, Parsed& p) {
  CLI::App* job = app.add_subcommand(
      "job",
      "Schedules of queries and jobs, and their runs. A slot succeeds once; the command of a job may be run more than "
      "once for it, so its effects are there at least once");
  job->require_subcommand(1);
  const auto part = [&](const char* action, const char* sentence, const char* example, auto&& function) {
    return verb(
        *job, p, action, sentence, example,
        [&p, action, function] {
          p.job.action = action;
          return function(p.common, p.job);
        },
        true, true);
  };
  const auto name = [&p](CLI::App* verb, bool is_required) {
    verb->add_option("name", p.job.name, "a job, as ls shows it; query: and job: may be left out")
        ->required(is_required)
        ->type_name("NAME");
  };
  part("ls", "Each job's schedule, next slot, last run, and what it waits for", "flytt job ls", run_job);
  CLI::App* next = part("next", "The next slots, in the schedule's zone and in UTC",
                        "flytt job next dataproducts --count 3", run_job);
  name(next, false);
  next->add_option("--count", p.job.count, "slots of each job")->check(CLI::Range(1, 1000))->capture_default_str();
  CLI::App* logs =
      part("logs", "Runs, newest slot first: outcome, attempts, times; of a command also its output",
           "flytt job logs story --slot '2026-01-15 04:00'\n  flytt job logs story --follow", run_job_logs);
  name(logs, true);
  logs->add_option("--slot", p.job.slot, "only this slot, with all that is kept of its output")->type_name("TIME");
  logs->add_flag("--follow", p.job.follow, "print the output of the newest run as it comes, until its slot is over");
  logs->add_option("--limit", p.job.limit, "slots that are shown")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  CLI::App* run =
      part("run", "Ask for a run at once, beside its schedule and without waiting for what it runs after",
           "flytt job run dataproducts --wait\n  flytt job run story && flytt job logs story --follow", run_job_wish);
  name(run, true);
  run->add_flag("--wait", p.job.wait, "until it has ended, when a flytt runs; then the exit status says how it ended");
  name(part("pause", "Begin no slot until resume", "flytt job pause dataproducts", run_job_wish), true);
  name(part("resume", "Let slots begin again", "flytt job resume dataproducts", run_job_wish), true);
  CLI::App* backfill = part("backfill", "Run the slots of a span that have not succeeded",
                            "flytt job backfill dataproducts --from 2026-01-01 --to 2026-02-01", run_job_wish);
  name(backfill, true);
  backfill->add_option("--from", p.job.from, "first slot: a date or time in the schedule's zone, or an instant (…Z)")
      ->required()
      ->type_name("TIME");
  backfill->add_option("--to", p.job.to, "slots are before it")->required()->type_name("TIME");
  backfill->add_flag("--again", p.job.again, "also slots whose records are gone, which may have succeeded");
}

void add_place(CLI::App& render, Parsed& p, const char* place, const char* sentence, const char* example) {
  const bool is_cluster = std::string_view(place) == "nais" || std::string_view(place) == "k8s";
  CLI::App* sub = verb(
      render, p, place, sentence, example,
      [&p, place] {
        p.render.place = place;
        return run_render(p.common, p.render);
      },
      true, true);
  sub->add_option("--name", p.render.name, "of the engine, and the beginning of all other names")
      ->capture_default_str()
      ->type_name("NAME");
  sub->add_option("--out", p.render.out, "folder that the files are written to; else standard output")
      ->type_name("DIR");
  sub->add_flag(
      "--jobs-apart", p.render.jobs_apart,
      "queries and jobs are started by the place's own scheduler, one by one, where it can say their schedules");
  if (std::string_view(place) == "systemd") return;
  sub->add_option("--image", p.render.image, "image that has flytt, and what jobs need")->type_name("IMAGE");
  sub->add_option("--replicas", p.render.replicas, "processes of the engine; else 1, or 2 with state in PostgreSQL")
      ->check(CLI::Range(1, 100))
      ->type_name("N");
  if (is_cluster)
    sub->add_option("--namespace,--team", p.render.name_space, "namespace; nais' team")->type_name("NAME");
  if (std::string_view(place) == "nais")
    sub->add_option("--kafka-pool", p.render.kafka_pool, "of a source that uses the platform's Kafka; else nav-dev")
        ->type_name("POOL");
}

void add_render_verbs(CLI::App& app, Parsed& p) {
  CLI::App* render = app.add_subcommand("render", "The configuration for another place");
  render->require_subcommand(1);
  CLI::App* iam = verb(
      *render, p, "iam", "Print the commands that give flytt its rights at Google, for somebody who may give them",
      "flytt render iam --account flytt@team.iam.gserviceaccount.com --reader group:team@example.no > rights.sh",
      [&p] { return run_render(p.common, p.render); }, true, true);
  iam->add_option("--account", p.render.account,
                  "service account that flytt runs as; else that of the destination's key")
      ->type_name("EMAIL");
  iam->add_option("--reader", p.render.readers,
                  "who may read landing datasets: group:, user:, serviceAccount: or domain:")
      ->type_name("WHO");
  add_place(*render, p, "nais", "Print an Application, and with --jobs-apart a Naisjob per query and job",
            "flytt render nais --team sak --image team/flytt:1 --out .nais");
  add_place(*render, p, "k8s", "Print Deployment, Service, ConfigMap and claim, and with --jobs-apart CronJobs",
            "flytt render k8s --namespace data --image team/flytt:1 | kubectl apply -f -");
  add_place(*render, p, "systemd", "Print a service, and with --jobs-apart timers", "flytt render systemd --out units");
  add_place(*render, p, "compose", "Print a Compose file", "flytt render compose --image flytt:1 --out deploy");
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Parsed parsed;
  CLI::App app("flytt moves data from PostgreSQL into BigQuery, and holds a BigQuery-compatible warehouse of its own.",
               "flytt");
  app.require_subcommand(1);
  app.footer(
      "\nStart here:\n  flytt init --postgres postgres://me:secret@127.0.0.1:5432/sak\n  flytt check && flytt setup "
      "postgres sak && flytt run");
  add_source_verbs(app, parsed);
  add_running_verbs(app, parsed);
  add_quarantine_verbs(app, parsed);
  add_job_verbs(app, parsed);
  add_render_verbs(app, parsed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitDone : kExitUsage;
  }
  return parsed.chosen();
}

}  // namespace flytt::app
