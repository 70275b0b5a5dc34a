#include "app/output.h"

#include <gtest/gtest.h>

namespace flytt::app {
namespace {

TEST(TextTable, AlignsByCodePointsAndHidesControlCharacters) {
  TextTable table({"navn", "rader"}, {false, true});
  table.add({"blåbær", "7"});
  table.add({"a\x1b[2J", "12"});
  EXPECT_EQ(table.text(), "navn      rader\n--------  -----\nblåbær        7\na\\x1b[2J     12\n");
}

TEST(Csv, QuotesAsTheRfcSays) {
  EXPECT_EQ(csv_line({"a", "b,c", "say \"x\"", "", ""}, {false, false, false, false, true}),
            "a,\"b,c\",\"say \"\"x\"\"\",\"\",\r\n");
}

TEST(Human, NumbersThatPeopleRead) {
  EXPECT_EQ(human_count(1234567), "1 234 567");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_duration(850), "850 ms");
  EXPECT_EQ(human_duration(185'000), "3 min 5 s");
}

}  // namespace
}  // namespace flytt::app
