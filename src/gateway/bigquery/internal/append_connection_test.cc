#include "gateway/bigquery/internal/append_connection.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace flytt::gateway::internal {
namespace {

// A warehouse that remembers what it was asked and answers when it is told to.
struct ScriptedWarehouse {
  struct Taken {
    std::string table, rows;
    warehouse::AppendDone done;
    std::optional<std::int64_t> offset;
  };
  std::vector<std::string> opened;  // "p.d.t/descriptor"
  std::vector<Taken> taken;
  std::map<std::string, std::string> etags;  // by table; a table without one does not exist

  class Session final : public warehouse::AppendSession {
   public:
    Session(ScriptedWarehouse& owner, std::string table) : owner_(owner), table_(std::move(table)) {}
    void append(std::string_view rows, std::shared_ptr<const void>, std::optional<std::int64_t> offset,
                warehouse::AppendDone done, base::Deadline) override {
      owner_.taken.push_back({table_, std::string(rows), std::move(done), offset});
    }
    data::TableSchema schema() const override {
      data::TableSchema out;
      out.fields.push_back({"now_" + owner_.etags[table_], data::TypeKind::kInt64, false, {}});
      return out;
    }
    std::string schema_etag() const override { return owner_.etags[table_]; }

   private:
    ScriptedWarehouse& owner_;
    const std::string table_;
  };

  Result<std::unique_ptr<warehouse::AppendSession>> open(const StreamName& name, const std::string& descriptor) {
    const data::TablePath& path = name.table;
    if (name.id == "gone")
      return Error(ErrorCode::kNotFound, "Requested entity was not found.").cause("STREAM_NOT_FOUND");
    if (etags.find(path.table) == etags.end())
      return Error(ErrorCode::kNotFound, "Not found: Table " + path.project + ":" + path.dataset + "." + path.table)
          .cause("notFound");
    if (descriptor == "extra")
      return Error(ErrorCode::kSchema, "The proto schema has fields that the table lacks.")
          .cause("SCHEMA_MISMATCH_EXTRA_FIELDS");
    opened.push_back(path.table + "/" + (name.is_default() ? "" : name.id + "/") + descriptor);
    return std::unique_ptr<warehouse::AppendSession>(std::make_unique<Session>(*this, path.table));
  }
};

class AppendConnectionTest : public ::testing::Test {
 protected:
  static std::string stream(const std::string& table) {
    return "projects/p/datasets/d/tables/" + table + "/streams/_default";
  }

  // Sends a request; its answer lands in `answers` under the number that is returned.
  std::size_t send(const std::string& write_stream, std::optional<std::string> descriptor,
                   const std::string& rows = "rows") {
    wire::AppendRequest request;
    request.head.write_stream = write_stream;
    request.head.descriptor = std::move(descriptor);
    request.has_proto_rows = true;
    request.rows.bytes = rows;
    return send(request);
  }
  std::size_t send(const wire::AppendRequest& request) {
    const std::size_t number = answers_.size();
    answers_.emplace_back();
    fatal_ = connection_.handle(
        request, [this, number](wire::AppendResponse response) { answers_[number] = std::move(response); });
    return number;
  }
  void accept(std::size_t number) { warehouse_.taken[number].done(warehouse::AppendOutcome{}); }

  ScriptedWarehouse warehouse_{{}, {}, {{"a", "1"}, {"b", "1"}}};
  base::SystemClock clock_;
  AppendConnection connection_{
      [this](const StreamName& name, const std::string& descriptor) { return warehouse_.open(name, descriptor); },
      clock_};
  std::vector<std::optional<wire::AppendResponse>> answers_;
  std::optional<wire::AppendFailure> fatal_;
};

TEST_F(AppendConnectionTest, LaterRequestsMayLeaveStreamAndSchemaOut) {
  send(stream("a"), "s1", "one");
  send("", std::nullopt, "two");
  ASSERT_EQ(warehouse_.taken.size(), 2u);
  EXPECT_EQ(warehouse_.opened, std::vector<std::string>{"a/s1"});
  EXPECT_FALSE(answers_[0]);  // not before it is durable
  accept(1);
  accept(0);
  EXPECT_EQ(answers_[0]->failure.grpc_code, 0);
  EXPECT_FALSE(answers_[0]->offset);
  EXPECT_EQ(answers_[1]->write_stream, stream("a"));
}

TEST_F(AppendConnectionTest, TheOldFormOfTheDefaultStreamIsTaken) {
  send("projects/p/datasets/d/tables/a/_default", "s1");
  accept(0);
  EXPECT_EQ(answers_[0]->write_stream, stream("a"));
}

TEST_F(AppendConnectionTest, TheFirstRequestNamesAStream) {
  send("", "s1");
  ASSERT_TRUE(fatal_);
  EXPECT_EQ(fatal_->grpc_code, 3);
}

TEST_F(AppendConnectionTest, TheFirstRequestBringsASchema) {
  send(stream("a"), std::nullopt);
  EXPECT_FALSE(fatal_);
  EXPECT_EQ(answers_[0]->failure.grpc_code, 3);
  send(stream("a"), "s1");
  EXPECT_EQ(warehouse_.taken.size(), 1u);
}

TEST_F(AppendConnectionTest, AnotherTableNeedsItsSchemaAndThenEveryRequestItsStream) {
  send(stream("a"), "s1");
  EXPECT_EQ(answers_[send(stream("b"), std::nullopt)]->failure.grpc_code, 3);
  send(stream("b"), "s2");
  EXPECT_EQ(answers_[send("", std::nullopt)]->failure.grpc_code, 3);
  send(stream("b"), std::nullopt);
  send(stream("a"), "s1");
  EXPECT_EQ(warehouse_.taken.size(), 4u);
  EXPECT_EQ(warehouse_.opened, (std::vector<std::string>{"a/s1", "b/s2"}));  // going back compiles nothing anew
}

TEST_F(AppendConnectionTest, AnotherSchemaOfTheSameTableIsCompiled) {
  send(stream("a"), "s1");
  send(stream("a"), "s2");
  EXPECT_EQ(warehouse_.opened, (std::vector<std::string>{"a/s1", "a/s2"}));
}

TEST_F(AppendConnectionTest, RefusesWithoutEndingTheConnection) {
  const auto code = [this](std::size_t number) { return answers_[number]->failure.grpc_code; };
  EXPECT_EQ(code(send("nonsense", "s")), 3);
  EXPECT_EQ(answers_.back()->failure.message, "Invalid stream name. Entity: nonsense");
  EXPECT_EQ(code(send("projects/p/datasets/d/tables/a/streams/gone", "s")), 5);
  EXPECT_EQ(answers_.back()->failure.storage_code, wire::StorageCode::kStreamNotFound);
  EXPECT_EQ(code(send(stream("a$20240101"), "s")), 12);
  EXPECT_EQ(code(send(stream("missing"), "s")), 5);
  EXPECT_EQ(answers_.back()->failure.storage_code, wire::StorageCode::kTableNotFound);
  EXPECT_EQ(code(send(stream("a"), "extra")), 3);
  EXPECT_EQ(answers_.back()->failure.storage_code, wire::StorageCode::kSchemaMismatchExtraFields);
  EXPECT_EQ(answers_.back()->failure.entity, stream("a"));

  wire::AppendRequest request;
  request.head.write_stream = stream("a");
  request.head.descriptor = "s1";
  EXPECT_EQ(code(send(request)), 3);  // no rows
  request.has_arrow_rows = true;
  EXPECT_EQ(code(send(request)), 12);
  request.has_arrow_rows = false;
  request.has_proto_rows = true;
  request.head.offset = 0;
  EXPECT_EQ(code(send(request)), 3);
  request.head.offset.reset();
  request.head.missing_values = {{"c", wire::MissingValue::kUnspecified}};
  EXPECT_EQ(code(send(request)), 3);
  EXPECT_TRUE(warehouse_.taken.empty());
  EXPECT_FALSE(fatal_);
  request.head.missing_values = {{"c", wire::MissingValue::kDefault}};
  send(request);
  EXPECT_EQ(warehouse_.taken.size(), 1u);
}

TEST_F(AppendConnectionTest, RowErrorsKeepTheirRow) {
  send(stream("a"), "s1");
  warehouse_.taken[0].done(
      {Error(ErrorCode::kBadData, "Errors found").cause("ROW_ERRORS"), {{4, "bad"}, {9, "worse"}}});
  EXPECT_EQ(answers_[0]->failure.grpc_code, 3);
  ASSERT_EQ(answers_[0]->row_faults.size(), 2u);
  EXPECT_EQ(answers_[0]->row_faults[1].index, 9);
}

TEST_F(AppendConnectionTest, TellsOfAChangedTableOnce) {
  send(stream("a"), "s1");
  warehouse_.etags["a"] = "2";
  send(stream("a"), std::nullopt);
  send(stream("a"), std::nullopt);
  for (std::size_t i = 0; i < 3; ++i) accept(i);
  EXPECT_FALSE(answers_[0]->updated_schema);
  ASSERT_TRUE(answers_[1]->updated_schema);
  EXPECT_EQ(answers_[1]->updated_schema->fields[0].name, "now_2");
  EXPECT_FALSE(answers_[2]->updated_schema);
}

TEST_F(AppendConnectionTest, ATableThatComesBackIsOpenedAgain) {
  send(stream("a"), "s1");
  warehouse_.taken[0].done({Error(ErrorCode::kNotFound, "the table is gone"), {}});
  EXPECT_EQ(answers_[0]->failure.grpc_code, 5);
  send(stream("a"), std::nullopt);
  EXPECT_EQ(warehouse_.opened, (std::vector<std::string>{"a/s1", "a/s1"}));
  accept(1);
  EXPECT_EQ(answers_[1]->failure.grpc_code, 0);
}

TEST_F(AppendConnectionTest, AMadeStreamTakesOffsetsAndAnswersWithThem) {
  const std::string name = "projects/p/datasets/d/tables/a/streams/w1-2";
  wire::AppendRequest request;
  request.head.write_stream = name;
  request.head.descriptor = "s1";
  request.head.offset = 7;
  request.has_proto_rows = true;
  send(request);
  request.head.offset.reset();
  request.head.descriptor.reset();
  send(request);
  ASSERT_EQ(warehouse_.taken.size(), 2u);
  EXPECT_EQ(warehouse_.opened, std::vector<std::string>{"a/w1-2/s1"});
  EXPECT_EQ(warehouse_.taken[0].offset, 7);
  EXPECT_FALSE(warehouse_.taken[1].offset);
  warehouse_.taken[0].done({ok(), {}, 7});
  EXPECT_EQ(answers_[0]->offset, 7);
  EXPECT_EQ(answers_[0]->write_stream, name);
}

TEST_F(AppendConnectionTest, AMadeStreamHasItsConnectionForItself) {
  const std::string made = "projects/p/datasets/d/tables/a/streams/w1-2";
  send(made, "s1");
  for (const std::string& other : {stream("a"), std::string("projects/p/datasets/d/tables/a/streams/w2-2")}) {
    EXPECT_EQ(answers_[send(other, "s1")]->failure.grpc_code, 3);
    EXPECT_FALSE(fatal_);
  }
  send(made, std::nullopt);
  EXPECT_EQ(warehouse_.taken.size(), 2u);
}

TEST(AppendFailure, OfAStreamHasGooglesCodes) {
  const auto seen = [](ErrorCode code, const char* cause) {
    const auto failure = append_failure_of(Error(code, "It is so.").cause(cause), "e");
    EXPECT_EQ(failure.message, "It is so. Entity: e");
    EXPECT_EQ(failure.entity, "e");
    return std::make_pair(failure.grpc_code, failure.storage_code);
  };
  using wire::StorageCode;
  EXPECT_EQ(seen(ErrorCode::kConflict, "OFFSET_ALREADY_EXISTS"), std::make_pair(6, StorageCode::kOffsetAlreadyExists));
  EXPECT_EQ(seen(ErrorCode::kBadData, "OFFSET_OUT_OF_RANGE"), std::make_pair(11, StorageCode::kOffsetOutOfRange));
  EXPECT_EQ(seen(ErrorCode::kBadData, "STREAM_FINALIZED"), std::make_pair(3, StorageCode::kStreamFinalized));
  EXPECT_EQ(seen(ErrorCode::kNotFound, "STREAM_NOT_FOUND"), std::make_pair(5, StorageCode::kStreamNotFound));
  EXPECT_EQ(seen(ErrorCode::kBadData, "STREAM_NOT_FOUND"), std::make_pair(3, StorageCode::kStreamNotFound));
  EXPECT_EQ(seen(ErrorCode::kBadData, "INVALID_STREAM_TYPE"), std::make_pair(3, StorageCode::kInvalidStreamType));
}

TEST(StreamName, HasTwoForms) {
  EXPECT_EQ(parse_stream_name("projects/p/datasets/d/tables/t/streams/_default")->table.text(), "p.d.t");
  EXPECT_TRUE(parse_stream_name("projects/p/datasets/d/tables/t/_default")->is_default());
  EXPECT_FALSE(parse_stream_name("projects/p/datasets/d/tables/t/streams/x")->is_default());
  for (const char* text : {"", "/", "projects/p/datasets/d/tables/t", "projects/p/datasets/d/tables/t/other",
                           "projects/p/datasets/d/tables/t/streams/", "projects//datasets/d/tables/t/streams/x",
                           "x/p/datasets/d/tables/t/streams/x", "projects/p/datasets/d/tables/t/streams/x/y"})
    EXPECT_FALSE(parse_stream_name(text)) << text;
  EXPECT_EQ(parse_table_name("projects/p/datasets/d/tables/t")->text(), "p.d.t");
  for (const char* text : {"", "projects/p/datasets/d/tables/t/", "projects/p/datasets/d/tables/t/streams/x",
                           "projects/p/datasets/d", "x/p/datasets/d/tables/t"})
    EXPECT_FALSE(parse_table_name(text)) << text;
}

}  // namespace
}  // namespace flytt::gateway::internal
