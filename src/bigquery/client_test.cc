#include "bigquery/client.h"

#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>
#include <thread>

#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using data::Type;
using data::TypeKind;
using nlohmann::json;

// Answers from a list, one after the other, and keeps what was asked.
class ScriptedTransport final : public HttpTransport {
 public:
  Result<HttpResponse> send(const HttpRequest& request, base::Deadline) override {
    requests.push_back(request);
    if (answers.empty()) return Error(ErrorCode::kBug, "the script has ended");
    Result<HttpResponse> out = std::move(answers.front());
    answers.pop_front();
    return out;
  }
  bool is_secure() const override { return secure; }
  void say(int status, const json& body) { answers.emplace_back(HttpResponse{status, {}, body.dump()}); }
  void refuse(int status, const std::string& reason) {
    say(status,
        {{"error", {{"code", status}, {"message", "no"}, {"errors", {{{"reason", reason}, {"message", "no"}}}}}}});
  }
  void break_off() { answers.emplace_back(Error(ErrorCode::kUnavailable, "connection reset")); }

  bool secure = false;
  std::deque<Result<HttpResponse>> answers;
  std::vector<HttpRequest> requests;
};

class FixedToken final : public Credentials {
 public:
  Result<base::Secret> token() override { return base::Secret("a-token"); }
  std::string name() const override { return "somebody"; }
  std::string quota_project() const override { return "billed"; }
};

// A clock that is always a little later, so that no pause of a retry takes real time.
class HastyClock final : public base::Clock {
 public:
  base::SteadyTime steady() const override { return base::SteadyTime(now += std::chrono::milliseconds(500)); }
  std::int64_t wall_micros() const override { return 0; }
  mutable base::Duration now{};
};

class ClientTest : public ::testing::Test {
 protected:
  std::string header(std::size_t request, const std::string& name) {
    for (const auto& [key, value] : transport.requests[request].headers) {
      if (key == name) return value;
    }
    return "";
  }
  ScriptedTransport transport;
  FixedToken credentials;
  HastyClock clock;
  base::SeededRandom random{5};
  Client client{{transport, credentials, clock, random}};
};

const json kTable = json::parse(R"({
  "kind": "bigquery#table", "etag": "abc==", "id": "p:d.person", "type": "TABLE", "creationTime": "1700000000123", "numRows": "0",
  "lastModifiedTime": "1700000000456", "expirationTime": "1700086400000",
  "tableReference": {"projectId": "p", "datasetId": "d", "tableId": "person"}, "maxStaleness": "0-0 0 0:10:0", "labels": {"team": "sak"},
  "tableConstraints": {"primaryKey": {"columns": ["id"]}}, "timePartitioning": {"type": "MONTH", "field": "day"},
  "schema": {"fields": [
    {"name": "id", "type": "INTEGER", "mode": "REQUIRED", "description": "number"},
    {"name": "price", "type": "NUMERIC", "precision": "10", "scale": "2"},
    {"name": "tags", "type": "STRING", "mode": "REPEATED", "maxLength": "20"},
    {"name": "span", "type": "RANGE", "rangeElementType": {"type": "DATE"}},
    {"name": "home", "type": "RECORD", "mode": "NULLABLE", "fields": [
      {"name": "street", "type": "STRING"}, {"name": "points", "type": "FLOAT", "mode": "REPEATED"}]}]}})");

data::TableSchema person_schema() {
  data::TableSchema schema;
  Type price(TypeKind::kNumeric);
  price.precision = 10;
  price.scale = 2;
  Type tag(TypeKind::kString);
  tag.max_length = 20;
  schema.fields = {
      {"id", Type(TypeKind::kInt64), true, "number"},
      {"price", price, false, ""},
      {"tags", Type::array(tag), false, ""},
      {"span", Type::range(Type(TypeKind::kDate)), false, ""},
      {"home",
       Type::structure({{"street", Type(TypeKind::kString)}, {"points", Type::array(Type(TypeKind::kFloat64))}}), false,
       ""}};
  schema.key = {0};
  return schema;
}

TEST_F(ClientTest, TablesAreRead) {
  transport.say(200, kTable);
  auto table = client.get_table({"p", "d", "person"});
  ASSERT_TRUE(table) << table.error().text();
  EXPECT_EQ(transport.requests[0].method + " " + transport.requests[0].target,
            "GET /bigquery/v2/projects/p/datasets/d/tables/person");
  EXPECT_EQ(table->schema, person_schema());
  EXPECT_EQ(table->created_ms, 1'700'000'000'123);
  EXPECT_EQ(table->modified_ms, 1'700'000'000'456);
  EXPECT_EQ(table->expires_ms, 1'700'086'400'000);
  EXPECT_EQ(table->etag, "abc==");
  EXPECT_EQ(table->partition_unit, "MONTH");
  EXPECT_EQ(table->max_staleness, "0-0 0 0:10:0");
  EXPECT_EQ(table->labels.at("team"), "sak");
  EXPECT_EQ(table->row_count, 0);
  EXPECT_FALSE(table->has_streaming_buffer);
}

TEST_F(ClientTest, TablesAreWritten) {
  transport.say(200, kTable);
  TableInfo table;
  table.path = {"p", "d", "person"};
  table.schema = person_schema();
  table.max_staleness = "0-0 0 0:10:0";
  table.expires_ms = 1'700'086'400'000;
  ASSERT_TRUE(client.insert_table(table));
  EXPECT_EQ(transport.requests[0].method + " " + transport.requests[0].target,
            "POST /bigquery/v2/projects/p/datasets/d/tables");
  const json body = json::parse(transport.requests[0].body);
  EXPECT_EQ(body["tableReference"]["tableId"], "person");
  EXPECT_EQ(body["expirationTime"], "1700086400000");
  EXPECT_EQ(body["tableConstraints"]["primaryKey"]["columns"], json::array({"id"}));
  EXPECT_EQ(body["schema"]["fields"][0],
            json::parse(R"({"name":"id","type":"INTEGER","mode":"REQUIRED","description":"number"})"));
  EXPECT_EQ(body["schema"]["fields"][2],
            json::parse(R"({"name":"tags","type":"STRING","mode":"REPEATED","maxLength":"20"})"));
  EXPECT_EQ(body["schema"]["fields"][4]["fields"][1]["mode"], "REPEATED");
}

TEST_F(ClientTest, PatchesHoldOnlyForTheTableThatWasSeen) {
  transport.refuse(412, "conditionNotMet");
  TableInfo table;
  table.path = {"p", "d", "person"};
  table.schema = person_schema();
  table.etag = "abc==";
  const auto patched = client.patch_table(table);
  ASSERT_FALSE(patched);
  EXPECT_EQ(patched.error().code(), ErrorCode::kConflict);
  EXPECT_EQ(transport.requests[0].method, "PATCH");
  EXPECT_EQ(header(0, "if-match"), "abc==");
  EXPECT_FALSE(json::parse(transport.requests[0].body).contains("tableReference"));
}

TEST_F(ClientTest, Datasets) {
  const json dataset = json::parse(
      R"({"datasetReference":{"projectId":"p","datasetId":"d"},"location":"EU","etag":"e","creationTime":"5"})");
  transport.say(200, dataset);
  transport.say(200, dataset);
  transport.say(200, dataset);
  EXPECT_EQ(client.get_dataset("p", "d")->location, "EU");
  DatasetInfo info{"p", "d", "EU", "about", {{"a", "b"}}, "", 0};
  EXPECT_EQ(client.insert_dataset(info)->created_ms, 5);
  EXPECT_EQ(json::parse(transport.requests[1].body)["location"], "EU");
  EXPECT_TRUE(client.patch_dataset(info));
  EXPECT_EQ(transport.requests[2].method + " " + transport.requests[2].target,
            "PATCH /bigquery/v2/projects/p/datasets/d");
}

TEST_F(ClientTest, PassingFailuresAreRepeated) {
  transport.break_off();
  transport.refuse(503, "backendError");
  transport.refuse(403, "rateLimitExceeded");
  transport.say(200, kTable);
  EXPECT_TRUE(client.get_table({"p", "d", "person"}));
  EXPECT_EQ(transport.requests.size(), 4U);
}

TEST_F(ClientTest, LastingFailuresAreNot) {
  for (const auto& [status, reason] : {std::pair(404, "notFound"), std::pair(403, "accessDenied"),
                                       std::pair(403, "quotaExceeded"), std::pair(400, "invalid")}) {
    transport.requests.clear();
    transport.refuse(status, reason);
    EXPECT_FALSE(client.get_table({"p", "d", "person"}));
    EXPECT_EQ(transport.requests.size(), 1U) << reason;
  }
}

TEST_F(ClientTest, TriesAreCounted) {
  for (int i = 0; i < 20; ++i) transport.break_off();
  EXPECT_EQ(client.get_table({"p", "d", "person"}).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(transport.requests.size(), static_cast<std::size_t>(kTriesMax));
}

TEST_F(ClientTest, ATableThatWasMadeByALostAnswerIsOurs) {
  transport.break_off();
  transport.refuse(409, "duplicate");
  transport.say(200, kTable);
  TableInfo table;
  table.path = {"p", "d", "person"};
  EXPECT_EQ(client.insert_table(table)->etag, "abc==");
  transport.refuse(409, "duplicate");
  EXPECT_EQ(client.insert_table(table).error().code(), ErrorCode::kConflict);
}

TEST_F(ClientTest, DeletingWhatIsAbsentIsDone) {
  transport.refuse(404, "notFound");
  EXPECT_TRUE(client.delete_table({"p", "d", "person"}));
  transport.answers.emplace_back(HttpResponse{204, {}, ""});
  EXPECT_TRUE(client.delete_table({"p", "d", "person"}));
  transport.refuse(403, "accessDenied");
  EXPECT_FALSE(client.delete_table({"p", "d", "person"}));
}

TEST_F(ClientTest, TokensGoOnlyOverSecureTransports) {
  transport.say(200, kTable);
  ASSERT_TRUE(client.get_table({"p", "d", "person"}));
  EXPECT_EQ(header(0, "authorization"), "");
  EXPECT_EQ(header(0, "x-goog-user-project"), "");
  transport.secure = true;
  transport.say(200, kTable);
  ASSERT_TRUE(client.get_table({"p", "d", "person"}));
  EXPECT_EQ(header(1, "authorization"), "Bearer a-token");
  EXPECT_EQ(header(1, "x-goog-user-project"), "billed");
}

TEST_F(ClientTest, QueriesArePolledAndPaged) {
  const json reference = {{"projectId", "p"}, {"jobId", "job 1"}, {"location", "EU"}};
  const json schema = json::parse(
      R"({"fields":[{"name":"n","type":"INTEGER"},{"name":"s","type":"RECORD","fields":[{"name":"a","type":"STRING","mode":"REPEATED"}]}]})");
  transport.say(200, {{"jobReference", reference}, {"jobComplete", false}});
  transport.say(200, {{"jobReference", reference}, {"jobComplete", false}});
  transport.say(
      200, {{"jobReference", reference},
            {"jobComplete", true},
            {"schema", schema},
            {"totalRows", "3"},
            {"pageToken", "next"},
            {"rows",
             json::parse(
                 R"([{"f":[{"v":"1"},{"v":{"f":[{"v":[{"v":"x"},{"v":null}]}]}}]},{"f":[{"v":null},{"v":null}]}])")}});
  transport.say(200, {{"jobReference", reference},
                      {"jobComplete", true},
                      {"schema", schema},
                      {"totalRows", "3"},
                      {"rows", json::parse(R"([{"f":[{"v":"3"},{"v":null}]}])")}});
  auto result = client.query({"p", "SELECT 1", "", "d", false, 2});
  ASSERT_TRUE(result) << result.error().text();
  const json body = json::parse(transport.requests[0].body);
  EXPECT_EQ(body["useLegacySql"], false);
  EXPECT_EQ(body["requestId"].get<std::string>().size(), 32U);
  EXPECT_EQ(body["defaultDataset"]["datasetId"], "d");
  EXPECT_EQ(transport.requests[1].target,
            "/bigquery/v2/projects/p/queries/"
            "job%201?formatOptions.useInt64Timestamp=true&timeoutMs=10000&location=EU&maxResults=2");
  EXPECT_EQ(result->total_rows(), 3);
  EXPECT_EQ(result->schema().fields[1].type.sql_name(), "STRUCT<a ARRAY<STRING>>");
  auto page = result->next_page();
  ASSERT_TRUE(page);
  ASSERT_EQ(page->size(), 2U);
  EXPECT_EQ((*page)[0][0].text, "1");
  EXPECT_EQ((*page)[0][1].children[0].children[0].text, "x");
  EXPECT_TRUE((*page)[0][1].children[0].children[1].is_null);
  EXPECT_TRUE((*page)[1][0].is_null);
  EXPECT_EQ(result->next_page()->size(), 1U);
  EXPECT_NE(transport.requests.back().target.find("pageToken=next"), std::string::npos);
  EXPECT_TRUE(result->next_page()->empty());
}

TEST_F(ClientTest, ARepeatedQueryKeepsItsRequestId) {
  transport.break_off();
  transport.say(200, {{"jobReference", {{"jobId", "j"}}}, {"jobComplete", true}, {"numDmlAffectedRows", "7"}});
  auto result = client.query({"p", "DELETE FROM t WHERE TRUE", "", "", false, 0});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->affected_rows(), 7);
  EXPECT_TRUE(result->schema().fields.empty());
  EXPECT_EQ(json::parse(transport.requests[0].body)["requestId"], json::parse(transport.requests[1].body)["requestId"]);
}

TEST_F(ClientTest, MalformedAnswersAreErrors) {
  for (const char* body :
       {"", "[]", "null", R"({"jobComplete":true,"rows":[{"f":3}]})", R"({"jobComplete":true,"rows":{}})",
        R"({"jobComplete":true,"schema":{"fields":[{"name":"a","type":"NOPE"}]}})", R"({"jobComplete":false})"}) {
    transport.answers.emplace_back(HttpResponse{200, {}, body});
    EXPECT_FALSE(client.query({"p", "SELECT 1", "", "", false, 0})) << body;
  }
  for (const char* body :
       {"", "7", "{}", R"({"tableReference":{},"tableConstraints":{"primaryKey":{"columns":["ghost"]}}})"}) {
    transport.answers.emplace_back(HttpResponse{200, {}, body});
    EXPECT_FALSE(client.get_table({"p", "d", "t"})) << body;
  }
  transport.answers.emplace_back(HttpResponse{200, {}, R"({"tableReference":{},"tableConstraints":"x"})"});
  EXPECT_TRUE(client.get_table({"p", "d", "t"}));
}

TEST_F(ClientTest, CancelEndsEverything) {
  client.cancel();
  EXPECT_EQ(client.get_table({"p", "d", "t"}).error().code(), ErrorCode::kCancelled);
  EXPECT_TRUE(transport.requests.empty());
}

}  // namespace
}  // namespace flytt::bigquery
