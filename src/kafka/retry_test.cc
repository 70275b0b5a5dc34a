#include "kafka/retry.h"

#include <gtest/gtest.h>

namespace flytt::kafka {
namespace {

TEST(Retry, MessagesBecomeRowsOnceTheirSettingsAllowIt) {
  data::SliceSchema known;
  known.source_table = "topic";
  known.destination = {"p", "d", "t"};
  known.table.fields = {{"number", data::Type(data::TypeKind::kInt64), false, ""},
                        {"_kafka_topic", data::Type(data::TypeKind::kString), true, ""},
                        {"_kafka_partition", data::Type(data::TypeKind::kInt64), true, ""},
                        {"_kafka_offset", data::Type(data::TypeKind::kInt64), true, ""},
                        {"_kafka_timestamp", data::Type(data::TypeKind::kTimestamp), false, ""}};
  PayloadSettings settings;
  settings.fields = {{"number", data::Type(data::TypeKind::kInt64)}};
  settings.numbers_in_strings = false;
  const std::vector<SetAsideMessage> messages{{3, 41, 1'700'000'000'123, std::nullopt, R"({"number":"12"})", {}, {}},
                                              {3, 44, -1, std::nullopt, R"({"number":)", {{"a", std::nullopt}}, {}}};
  const auto before = read_again(settings, "topic", known, messages);
  ASSERT_TRUE(before) << before.error().text();
  ASSERT_EQ(before->size(), 1U);
  EXPECT_EQ(before->front().row_count(), 0U);
  ASSERT_EQ(before->front().rejections.size(), 2U);
  EXPECT_EQ(before->front().rejections[1].position, "topic/3/44");
  settings.numbers_in_strings = true;
  const auto after = read_again(settings, "topic", known, messages);
  ASSERT_TRUE(after) << after.error().text();
  ASSERT_EQ(after->front().row_count(), 1U);
  EXPECT_EQ(after->front().columns[0].int64(0), 12);
  EXPECT_EQ(after->front().columns[3].int64(0), 41);
  EXPECT_EQ(after->front().columns[4].int64(0), 1'700'000'000'123'000);
  ASSERT_EQ(after->front().rejections.size(), 1U);
  const data::Rejection& left = after->front().rejections.front();
  EXPECT_EQ(left.message_micros, std::nullopt);
  ASSERT_EQ(left.message_headers.size(), 1U);
  EXPECT_EQ(left.message_headers.front().first, "a");
}

TEST(Retry, MessagesKeepThePlaceInTheOrderThatTheyHad) {
  data::SliceSchema known;
  known.source_table = "topic";
  known.destination = {"p", "d", "t"};
  PayloadSettings settings;
  settings.is_upsert = true;
  settings.key_fields = {"id"};
  settings.fields = {{"id", data::Type(data::TypeKind::kInt64), true}, {"v", data::Type(data::TypeKind::kInt64)}};
  known.table.fields = {{"id", data::Type(data::TypeKind::kInt64), true, ""},
                        {"v", data::Type(data::TypeKind::kInt64), false, ""}};
  known.table.key = {0};
  const data::Sequence had = data::Sequence::of(2, 1'700'000'000'123, 41);
  const auto slices = read_again(settings, "topic", known, {{3, 41, 9, "7", R"({"v":1})", {}, had}});
  ASSERT_TRUE(slices) << slices.error().text();
  ASSERT_EQ(slices->front().row_count(), 1U);
  EXPECT_EQ(slices->front().sequence(0), had);
}

}  // namespace
}  // namespace flytt::kafka
