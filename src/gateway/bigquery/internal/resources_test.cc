#include "gateway/bigquery/internal/resources.h"

#include <gtest/gtest.h>

#include "gateway/bigquery/internal/query_request.h"
#include "gateway/bigquery/internal/schema_json.h"

namespace flytt::gateway::internal {
namespace {

using data::TypeKind;

Json parsed(const std::string& text) { return Json::parse(text); }

warehouse::TableInfo table_of(const std::string& body) {
  warehouse::TableInfo empty;
  empty.path = {"p", "d", ""};
  auto out = parse_table(parsed(body), empty, WriteMode::kInsert);
  EXPECT_TRUE(out) << out.error().text();
  return out ? *out : empty;
}

std::string refusal(const std::string& body) {
  warehouse::TableInfo empty;
  empty.path = {"p", "d", ""};
  const auto out = parse_table(parsed(body), empty, WriteMode::kInsert);
  return out ? "accepted" : out.error().sentence();
}

const char* const kTable = R"({"tableReference":{"projectId":"p","datasetId":"d","tableId":"t"},"description":"about",
 "labels":{"team":"sak"},"expirationTime":"1700000000000","maxStaleness":"0-0 0 0:10:0",
 "schema":{"fields":[{"name":"id","type":"INT64","mode":"REQUIRED","description":"the key"},
                     {"name":"tags","type":"STRING","mode":"REPEATED"},
                     {"name":"amount","type":"NUMERIC","precision":"10","scale":2},
                     {"name":"place","type":"STRUCT","fields":[{"name":"street","type":"STRING","mode":"REQUIRED","description":"and number"},{"name":"no","type":"INTEGER"}]},
                     {"name":"span","type":"RANGE","rangeElementType":{"type":"DATE"},"policyTags":{"names":["x"]}}]},
 "tableConstraints":{"primaryKey":{"columns":["ID"]}},
 "clustering":{"fields":["id"]},"timePartitioning":null,"view":null})";

TEST(Resources, ReadsATable) {
  const warehouse::TableInfo table = table_of(kTable);
  EXPECT_EQ(table.path.text(), "p.d.t");
  EXPECT_EQ(table.description, "about");
  EXPECT_EQ(table.labels.at("team"), "sak");
  EXPECT_EQ(table.expiration_micros, 1'700'000'000'000'000);
  EXPECT_EQ(table.max_staleness, "0-0 0 0:10:0");
  ASSERT_EQ(table.schema.fields.size(), 5u);
  EXPECT_TRUE(table.schema.fields[0].required);
  EXPECT_EQ(table.schema.fields[1].type.sql_name(), "ARRAY<STRING>");
  EXPECT_EQ(table.schema.fields[2].type.sql_name(), "NUMERIC(10, 2)");
  EXPECT_EQ(table.schema.fields[3].type.sql_name(), "STRUCT<street STRING, no INT64>");
  EXPECT_EQ(table.schema.fields[4].type.sql_name(), "RANGE<DATE>");
  EXPECT_EQ(table.schema.key, std::vector<std::uint32_t>{0});
}

TEST(Resources, ShowsATableAsGoogleDoes) {
  warehouse::TableInfo table = table_of(kTable);
  table.etag = "e1";
  table.created_micros = 1'700'000'000'123'456;
  table.modified_micros = 1'700'000'001'000'000;
  const std::string shown = dump(table_json(table, {7, 4096, 0, 0}, "US", "http://h/bigquery/v2/"));
  EXPECT_EQ(
      shown,
      R"({"kind":"bigquery#table","etag":"e1","id":"p:d.t","selfLink":"http://h/bigquery/v2/projects/p/datasets/d/tables/t",)"
      R"("tableReference":{"projectId":"p","datasetId":"d","tableId":"t"},"description":"about","labels":{"team":"sak"},)"
      R"("schema":{"fields":[{"name":"id","type":"INTEGER","mode":"REQUIRED","description":"the key"},)"
      R"({"name":"tags","type":"STRING","mode":"REPEATED"},{"name":"amount","type":"NUMERIC","precision":"10","scale":"2"},)"
      R"({"name":"place","type":"RECORD","fields":[{"name":"street","type":"STRING","mode":"REQUIRED","description":"and number"},{"name":"no","type":"INTEGER"}]},)"
      R"({"name":"span","type":"RANGE","rangeElementType":{"type":"DATE"},"policyTags":{"names":["x"]}}]},)"
      R"("numBytes":"4096","numLongTermBytes":"0","numRows":"7","creationTime":"1700000000123","expirationTime":"1700000000000",)"
      R"("lastModifiedTime":"1700000001000","type":"TABLE","location":"US","clustering":{"fields":["id"]},"maxStaleness":"0-0 0 0:10:0",)"
      R"("tableConstraints":{"primaryKey":{"columns":["id"]}},"numTotalLogicalBytes":"4096","numActiveLogicalBytes":"4096","numLongTermLogicalBytes":"0"})");
}

TEST(Resources, PatchKeepsWhatItDoesNotName) {
  const warehouse::TableInfo before = table_of(kTable);
  const auto after =
      parse_table(parsed(R"({"schema":null,"labels":{"team":null,"new":"1"},"resourceTags":{},"description":"other"})"),
                  before, WriteMode::kPatch);
  ASSERT_TRUE(after) << after.error().text();
  EXPECT_EQ(after->schema, before.schema);
  EXPECT_EQ(after->labels, (std::map<std::string, std::string>{{"new", "1"}}));
  EXPECT_EQ(after->description, "other");
  EXPECT_EQ(after->max_staleness, "0-0 0 0:10:0");
  EXPECT_EQ(after->expiration_micros, before.expiration_micros);
  EXPECT_NE(after->properties.find("policyTags"), std::string::npos);
  EXPECT_NE(after->properties.find("clustering"), std::string::npos);
}

TEST(Resources, UpdateForgetsWhatItDoesNotName) {
  const auto after = parse_table(parsed(R"({"labels":{"a":"b"}})"), table_of(kTable), WriteMode::kUpdate);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->labels, (std::map<std::string, std::string>{{"a", "b"}}));
  EXPECT_EQ(after->description, "");
  EXPECT_FALSE(after->expiration_micros);
  EXPECT_EQ(after->schema.fields.size(), 5u);  // a schema is never erased
}

TEST(Resources, PatchAddsAColumnAndFindsTheKeyAgain) {
  const auto after = parse_table(
      parsed(
          R"({"schema":{"fields":[{"name":"a","type":"STRING"},{"name":"id","type":"INTEGER","mode":"REQUIRED"}]}})"),
      table_of(kTable), WriteMode::kPatch);
  ASSERT_TRUE(after) << after.error().text();
  EXPECT_EQ(after->schema.key, std::vector<std::uint32_t>{1});
}

TEST(Resources, RefusesTables) {
  EXPECT_EQ(refusal("{}"), "Required parameter is missing: tableReference");
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"t"},"schema":{"fields":[{"name":"a"}]}})"),
            "Required parameter is missing: type");
  EXPECT_EQ(
      refusal(
          R"({"tableReference":{"tableId":"t"},"schema":{"fields":[{"name":"a","type":"INT"},{"name":"A","type":"STRING"}]}})"),
      "Duplicate field name: A");
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"t"},"schema":{"fields":[{"name":"a","type":"TEXT"}]}})"),
            "Invalid value for type: TEXT is not a valid value");
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"t"},"schema":{"fields":[{"name":"a","type":"RECORD"}]}})"),
            "Field a is type RECORD but has no schema");
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"t"},"timePartitioning":{"type":"DAY","field":"x"}})"),
            "The field specified for partitioning cannot be found in the schema.");
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"t"},"clustering":{"fields":["c"]}})"),
            "The field specified for clustering cannot be found in the schema. Invalid field: c");
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"t"},"view":{"query":"SELECT 1"}})"),
            "A table with view is not in this version.");
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"t$20240101"}})"),
            "Partition decorators (table$partition) are not in this version.");
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"t","datasetId":"other"}})"),
            "tableReference.datasetId differs from the one in the URL.");
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"a.b"}})").substr(0, 24), "Invalid table ID \"a.b\". ");
  EXPECT_EQ(
      refusal(R"({"tableReference":{"tableId":"t"},"schema":{"fields":[{"name":"_CHANGE_TYPE","type":"STRING"}]}})"),
      "Invalid field name \"_CHANGE_TYPE\". Field names are not allowed to start with the (case-insensitive) prefix "
      "_CHANGE_TYPE.");
  std::string deep = R"({"name":"a","type":"STRING"})";
  for (int level = 0; level < 16; ++level) deep = R"({"name":"r","type":"RECORD","fields":[)" + deep + "]}";
  EXPECT_EQ(refusal(R"({"tableReference":{"tableId":"t"},"schema":{"fields":[)" + deep + "]}}"),
            "Too many nested RECORD fields: at most 15 levels are allowed.");
}

TEST(Resources, ReadsAndShowsADataset) {
  warehouse::DatasetInfo empty;
  empty.path.project = "p";
  const auto made = parse_dataset(
      parsed(
          R"({"datasetReference":{"datasetId":"d"},"location":"EU","access":[{"role":"READER","userByEmail":"a@b.no"}],"labels":{"x":"y"}})"),
      empty, WriteMode::kInsert);
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->location, "EU");
  warehouse::DatasetInfo shown = *made;
  shown.etag = "e";
  EXPECT_EQ(
      dump(dataset_json(shown, "b/")),
      R"({"kind":"bigquery#dataset","etag":"e","id":"p:d","selfLink":"b/projects/p/datasets/d","datasetReference":{"datasetId":"d","projectId":"p"},)"
      R"("labels":{"x":"y"},"creationTime":"0","lastModifiedTime":"0","location":"EU","type":"DEFAULT","maxTimeTravelHours":"168",)"
      R"("access":[{"role":"READER","userByEmail":"a@b.no"}]})");
  const auto bad = parse_dataset(parsed(R"({"datasetReference":{"datasetId":"a.b"}})"), empty, WriteMode::kInsert);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().sentence(),
            "Invalid dataset ID \"a.b\". Dataset IDs must be alphanumeric (plus underscores and dashes) and must be at "
            "most 1024 characters long.");
}

TEST(QueryRequest, ReadsAQuery) {
  const auto request = parse_query_request(
      parsed(
          R"({"query":"SELECT @a","useLegacySql":false,"defaultDataset":{"datasetId":"d"},"maxResults":"10","timeoutMs":5,
      "formatOptions":{"useInt64Timestamp":true},"requestId":"r-1","parameterMode":"named","queryParameters":[
        {"name":"a","parameterType":{"type":"INT64"},"parameterValue":{"value":3}},
        {"name":"b","parameterType":{"type":"ARRAY","arrayType":{"type":"STRING"}},"parameterValue":{"arrayValues":[{"value":"x"},{"value":null}]}},
        {"name":"c","parameterType":{"type":"STRUCT","structTypes":[{"name":"f","type":{"type":"BOOL"}},{"name":"g","type":{"type":"DATE"}}]},"parameterValue":{"structValues":{"f":{"value":true}}}}]})"),
      "p");
  ASSERT_TRUE(request) << request.error().text();
  EXPECT_EQ(request->default_dataset->project, "p");
  EXPECT_EQ(request->max_results, 10);
  EXPECT_EQ(request->timeout_ms, 5);
  EXPECT_EQ(request->timestamps, warehouse::TimestampForm::kInt64Micros);
  ASSERT_EQ(request->parameters.size(), 3u);
  EXPECT_EQ(request->parameters[0].value.text, "3");
  EXPECT_EQ(request->parameters[1].type.sql_name(), "ARRAY<STRING>");
  EXPECT_TRUE(request->parameters[1].value.elements[1].is_null);
  EXPECT_EQ(request->parameters[2].value.elements[0].text, "true");
  EXPECT_TRUE(request->parameters[2].value.elements[1].is_null);
}

std::string query_refusal(const std::string& body) {
  const auto out = parse_query_request(parsed(body), "p");
  return out ? "accepted" : out.error().cause() + ": " + out.error().sentence();
}

TEST(QueryRequest, RefusesLegacySql) {
  EXPECT_EQ(query_refusal(R"({"query":"SELECT 1"})").substr(0, 13), "invalidQuery:");
  EXPECT_EQ(query_refusal(R"({"query":"SELECT 1","useLegacySql":true})").substr(0, 13), "invalidQuery:");
  EXPECT_EQ(query_refusal(R"({"query":"#legacySQL\nSELECT 1","useLegacySql":false})").substr(0, 13), "invalidQuery:");
  EXPECT_EQ(query_refusal(R"({"query":"#standardSQL\nSELECT 1"})"), "accepted");
  EXPECT_EQ(query_refusal(R"({"query":"SELECT 1","useLegacySql":false})"), "accepted");
}

TEST(QueryRequest, RefusesWhatItDoesNotDo) {
  const auto with = [](const std::string& more) {
    return query_refusal(R"({"query":"SELECT 1","useLegacySql":false,)" + more + "}");
  };
  EXPECT_EQ(with(R"("createSession":true)"), "notImplemented: A query with createSession is not in this version.");
  EXPECT_EQ(with(R"("connectionProperties":[{"key":"a","value":"b"}])"),
            "notImplemented: A query with connectionProperties is not in this version.");
  EXPECT_EQ(with(R"("connectionProperties":[],"createSession":false)"), "accepted");
  EXPECT_EQ(with(R"("timeoutMs":-1)"), "invalid: Invalid value for 'timeoutMs': it must not be negative.");
  EXPECT_EQ(with(R"("maxResults":"many")"), "invalid: Invalid value for 'maxResults': an integer is expected.");
  EXPECT_EQ(with(R"("requestId":"0123456789012345678901234567890123456")"),
            "invalid: Invalid value for 'requestId': at most 36 ASCII characters are allowed.");
  EXPECT_EQ(
      with(R"("queryParameters":[{"parameterType":{"type":"INT64"}},{"name":"a","parameterType":{"type":"INT64"}}])"),
      "invalid: Query parameters must be all named or all positional.");
  EXPECT_EQ(query_refusal("{}"), "required: Required parameter is missing: query");
  const auto job = parse_query_job(parsed(R"({"configuration":{"load":{}}})"), "p");
  EXPECT_EQ(job.error().sentence(), "A load job is not in this version.");
  EXPECT_EQ(with(R"("destinationTable":{"datasetId":"d","tableId":"t"})"),
            "notImplemented: jobs.query with destinationTable is not in this version.");
  const auto id = parse_query_job(
      parsed(R"({"jobReference":{"jobId":"a b"},"configuration":{"query":{"query":"SELECT 1","useLegacySql":false}}})"),
      "p");
  EXPECT_EQ(id.error().sentence().substr(0, 15), "Invalid job ID.");
}

TEST(QueryRequest, ReadsADestination) {
  using Write = warehouse::Destination::Write;
  const auto with = [](const std::string& more) {
    return parse_query_job(
        parsed(R"({"configuration":{"query":{"query":"SELECT 1","useLegacySql":false,)" + more + "}}}"), "p");
  };
  const auto plain = with(R"("destinationTable":{"datasetId":"d","tableId":"t"})");
  ASSERT_TRUE(plain && plain->destination);
  EXPECT_EQ(plain->destination->table.text(), "p.d.t");
  EXPECT_EQ(plain->destination->write, Write::kEmpty);
  EXPECT_TRUE(plain->destination->may_create);
  const auto full = with(R"("destinationTable":{"projectId":"q","datasetId":"d","tableId":"t"},)"
                         R"("writeDisposition":"WRITE_APPEND","createDisposition":"CREATE_NEVER")");
  ASSERT_TRUE(full && full->destination);
  EXPECT_EQ(full->destination->table.text(), "q.d.t");
  EXPECT_EQ(full->destination->write, Write::kAppend);
  EXPECT_FALSE(full->destination->may_create);
  EXPECT_FALSE(with(R"("writeDisposition":"WRITE_TRUNCATE")")->destination.has_value());
  EXPECT_EQ(with(R"("destinationTable":{"tableId":"t"})").error().cause(), "required");
  EXPECT_EQ(with(R"("destinationTable":{"datasetId":"d","tableId":"t"},"writeDisposition":"WRITE_TRUNCATE_DATA")")
                ->destination->write,
            Write::kTruncateData);
  EXPECT_EQ(
      with(R"("destinationTable":{"datasetId":"d","tableId":"t"},"writeDisposition":"WRITE_SOME")").error().cause(),
      "invalid");
  const auto into = [&](const std::string& table) {
    return with(R"("destinationTable":{"datasetId":"d","tableId":")" + table + "\"}");
  };
  EXPECT_EQ(into("t")->destination->partition, "");
  EXPECT_EQ(into("t$20260115")->destination->table.text(), "p.d.t");
  EXPECT_EQ(into("t$20260115")->destination->partition, "20260115");
  EXPECT_EQ(into("t$__NULL__").error().cause(), "notImplemented");
  for (const char* table : {"t$", "$20260115", "t$2026-01-15", "t$1$2"})
    EXPECT_EQ(into(table).error().cause(), "invalid") << table;
  EXPECT_EQ(with(R"("maximumBytesBilled":"1048576")")->bytes_billed_max, 1048576);
  EXPECT_EQ(
      with(R"("destinationTable":{"datasetId":"d","tableId":"t"},"clustering":{"fields":["x"]})").error().sentence(),
      "A query with clustering is not in this version.");
}

TEST(Json, BoundsAndRefusesBodies) {
  EXPECT_TRUE(parse_body("")->is_object());
  EXPECT_TRUE(parse_body(" \n")->is_object());
  for (const char* text : {"[]", "1", "{", "{\"a\":\"\xff\"}", "{}x", "{'a':1}"})
    EXPECT_FALSE(parse_body(text)) << text;
  EXPECT_TRUE(parse_body(R"({"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["})"));
  EXPECT_FALSE(parse_body("{\"a\":" + std::string(1'000'000, '[')));
}

TEST(Pages, TokensGoRound) {
  EXPECT_EQ(parse_page_token(page_token(12345)).value(), 12345);
  for (const char* token : {"", "rows-", "rows--1", "rows-1x", "12", "rows-99999999999999999999"})
    EXPECT_FALSE(parse_page_token(token)) << token;
}

}  // namespace
}  // namespace flytt::gateway::internal
