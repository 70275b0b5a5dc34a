// What a configuration takes from outside is known without it.

#include "app/internal/config_references.h"

#include <gtest/gtest.h>

namespace flytt::app {
namespace {

constexpr const char* kFile = R"(
destination: {bigquery: {}}
state: {sqlite: ./state.db}
sources:
  sak: {postgres: "${env:SAK_URL}"}
  arkiv: {postgres: "postgres://leser:${file:/run/hemmelig/arkiv}@db.example/arkiv"}
  plattform: {kafka: {}}
  egen:
    kafka:
      brokers: kafka.example:9093
      tls: {ca: ./ca.pem, certificate: klient.pem, key: "${file:../nøkkel.pem}"}
      sasl: {user: flytt, password: "${env:KAFKA_PASSWORD}"}
streams:
  sak: {from: sak, to: landing}
queries:
  a: {from: sak, schedule: {cron: "0 5 * * *"}, to: landing.a, sql: "${file:sql/a.sql}"}
  b: {from: arkiv, schedule: {cron: "0 5 * * *"}, to: landing.b, sql: "SELECT '${env:IKKE}' AS x"}
)";

std::string line(const Reference& reference) {
  return std::string(reference.kind == Reference::Kind::kFile ? "file " : "env ") + reference.name + " " +
         reference.key + (reference.is_secret ? " secret" : "") + (reference.is_implied ? " implied" : "");
}

TEST(References, AreFoundWithoutTheirValues) {
  const auto config = parse_config_for_elsewhere(kFile, "/somewhere/flytt.yaml");
  ASSERT_TRUE(config) << config.error().text();
  std::vector<std::string> found;
  for (const Reference& reference : config->references) found.push_back(line(reference));
  EXPECT_EQ(found, (std::vector<std::string>{
                       "env SAK_URL sources.sak.postgres secret",
                       "file /run/hemmelig/arkiv sources.arkiv.postgres secret",
                       "file ca.pem sources.egen.kafka.tls.ca",
                       "file klient.pem sources.egen.kafka.tls.certificate",
                       "file ../nøkkel.pem sources.egen.kafka.tls.key secret",
                       "env KAFKA_PASSWORD sources.egen.kafka.sasl.password secret",
                       "file sql/a.sql queries.a.sql",
                       "env KAFKA_BROKERS sources.plattform.kafka.brokers implied",
                       "env KAFKA_CA sources.plattform.kafka.tls.ca implied",
                       "env KAFKA_CERTIFICATE sources.plattform.kafka.tls.certificate implied",
                       "env KAFKA_PRIVATE_KEY sources.plattform.kafka.tls.key secret implied",
                       "env GOOGLE_APPLICATION_CREDENTIALS destination.bigquery.key_file secret implied",
                   }));
}

TEST(References, StayInTheValues) {
  const auto config = parse_config_for_elsewhere(kFile, "/somewhere/flytt.yaml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->sources[0].url.reveal(), "${env:SAK_URL}");
  EXPECT_EQ(config->queries[0].sql, "${file:sql/a.sql}");
  EXPECT_FALSE(
      parse_config_for_elsewhere("sources: {sak: {postgres: \"${vault:x}\"}}\nstreams: {sak: {from: sak, to: l}}\n"
                                 "queries: {a: {from: sak, schedule: {cron: \"0 5 * * *\"}, to: l.a, sql: s}}",
                                 "flytt.yaml"));
}

TEST(References, AnOpenSecretIsFound) {
  const auto found = [](const char* text) { return open_secrets_of(YAML::Load(text)); };
  EXPECT_TRUE(found(kFile).empty());
  EXPECT_EQ(found("sources: {a: {postgres: \"postgres://u:p@h/d\"}}"), std::vector<std::string>{"sources.a.postgres"});
  EXPECT_EQ(found("sources: {a: {postgres: \"postgres://h/d?password=p\"}}"),
            std::vector<std::string>{"sources.a.postgres"});
  for (const char* part : {"postgres://${env:U}:p@h/d", "postgres://u:p${env:P}@h/d", "host=h password=p${env:P}",
                           "postgres://h/d?sslpassword=p"})
    EXPECT_EQ(found((std::string("sources: {a: {postgres: \"") + part + "\"}}").c_str()),
              std::vector<std::string>{"sources.a.postgres"})
        << part;
  for (const char* closed :
       {"postgres://u@h:5432/d", "postgres://${env:U}:${env:P}@h/d", "postgres://h/d?password=${env:P}&user=u",
        "host=h password=${file:/run/p} user=u", "postgres://h/d?password="})
    EXPECT_TRUE(found((std::string("sources: {a: {postgres: \"") + closed + "\"}}").c_str()).empty()) << closed;
  EXPECT_EQ(found("sources: {a: {kafka: {sasl: {user: u, password: p}}}}"),
            std::vector<std::string>{"sources.a.kafka.sasl.password"});
  EXPECT_EQ(found("sources: {a: {kafka: {tls: {key: \"-----BEGIN PRIVATE KEY-----\"}}}}"),
            std::vector<std::string>{"sources.a.kafka.tls.key"});
}

}  // namespace
}  // namespace flytt::app
