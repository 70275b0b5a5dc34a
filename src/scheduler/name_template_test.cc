#include "scheduler/name_template.h"

#include <gtest/gtest.h>

#include "data/civil.h"

namespace flytt::scheduler {
namespace {

std::string render(const std::string& text, const char* slot = "2018-02-15T00:01:00Z") {
  auto made = NameTemplate::parse(text);
  EXPECT_TRUE(made) << made.error().text();
  return made ? made->render(*data::parse_timestamp(slot)) : "";
}
std::string error(const std::string& text) {
  auto made = NameTemplate::parse(text);
  EXPECT_FALSE(made) << text;
  return made ? "" : made.error().sentence();
}

// The examples of BigQuery's page on scheduled queries.
TEST(NameTemplate, RendersAsBigQueryDocumentsIt) {
  EXPECT_EQ(render("mytable"), "mytable");
  EXPECT_EQ(render("mytable_{run_time|\"%Y%m%d\"}"), "mytable_20180215");
  EXPECT_EQ(render("mytable_{run_time+25h|\"%Y%m%d\"}"), "mytable_20180216");
  EXPECT_EQ(render("mytable_{run_time-1h|\"%Y%m%d\"}"), "mytable_20180214");
  EXPECT_EQ(render("mytable_{run_time+1.5h|\"%Y%m%d%H\"}"), "mytable_2018021501");
  EXPECT_EQ(render("{run_time+97s|\"%Y%m%d\"}_mytable_{run_time+97s|\"%H%M%S\"}"), "20180215_mytable_000237");
  EXPECT_EQ(render("mytable_{run_date}"), "mytable_20180215");
  EXPECT_EQ(render("mytable${run_date}"), "mytable$20180215");
}

TEST(NameTemplate, OffsetsAddUp) {
  EXPECT_EQ(render("{run_time+1h2m3s|\"%T\"}"), "01:03:03");
  EXPECT_EQ(render("{run_time-1h1m0.5s|\"%F %H:%M:%E3S\"}"), "2018-02-14 22:59:59.500");
  EXPECT_EQ(render("{run_time+0.25m|\"%S\"}"), "15");
  EXPECT_EQ(render("{run_time|\"%s\"}", "1969-12-31T23:59:59.5Z"), "-1");
}

TEST(NameTemplate, KnowsTheConversions) {
  EXPECT_EQ(
      render("{run_time|\"%Y %y %m %d %e %j %H %M %S %b %B %a %A %F %T %D %R %s %z %Z %% %E6S\"}",
             "2024-03-05T07:08:09.012345Z"),
      "2024 24 03 05  5 065 07 08 09 Mar March Tue Tuesday 2024-03-05 07:08:09 03/05/24 07:08 1709622489 +0000 UTC % "
      "09.012345");
}

TEST(NameTemplate, EscapesStandForThemselves) {
  EXPECT_EQ(render(R"(a\{b\}c\"d\|e\\f)"), R"(a{b}c"d|e\f)");
  EXPECT_EQ(render(R"({run_time|"%Y\"\}\|x"})"), R"(2018"}|x)");
  EXPECT_FALSE(NameTemplate::parse(R"(\{run_date\})")->depends_on_slot());
  EXPECT_TRUE(NameTemplate::parse("{run_date}")->depends_on_slot());
}

TEST(NameTemplate, WhatIsUnknownIsToldWithItsColumn) {
  EXPECT_EQ(error("a{run_day}"),
            "'a{run_day}' at column 3: only run_date and run_time are known; write {run_date}, {run_time|\"%Y%m%d\"}, "
            "or \\{ for "
            "the character");
  EXPECT_NE(error("{run_time}").find("at column 10: write an offset"), std::string::npos);
  EXPECT_NE(error("{run_date+1h}").find("at column 10: the brace must be closed"), std::string::npos);
  EXPECT_NE(error("{run_time+1d|\"%Y\"}").find("at column 12: an offset has h, m and s"), std::string::npos);
  EXPECT_NE(error("{run_time+1m1h|\"%Y\"}").find("at column 14"), std::string::npos);
  EXPECT_NE(error("{run_time+1h1h|\"%Y\"}").find("at column 14"), std::string::npos);
  EXPECT_NE(error("{run_time+|\"%Y\"}").find("at column 11"), std::string::npos);
  EXPECT_NE(error("{run_time + 1h|\"%Y\"}").find("at column 10"), std::string::npos);
  EXPECT_NE(error("{run_time|%Y}").find("double quotes"), std::string::npos);
  EXPECT_NE(error("{run_time|\"%Y}").find("not closed"), std::string::npos);
  EXPECT_NE(error("{run_time|\"%Q\"}").find("at column 12: the conversion '%Q'"), std::string::npos);
  EXPECT_NE(error("{run_time|\"%\"}").find("the conversion '%\"'"), std::string::npos);
  EXPECT_NE(error("{run_time|\"%E7S\"}").find("the conversion '%E'"), std::string::npos);
  EXPECT_NE(error("{run_time+9999999999h|\"%Y\"}").find("too long"), std::string::npos);
  EXPECT_NE(error("a}").find("at column 2: no brace is open"), std::string::npos);
  EXPECT_NE(error("a\\x").find("at column 2: a backslash"), std::string::npos);
  EXPECT_NE(error("{").find("only run_date"), std::string::npos);
}

}  // namespace
}  // namespace flytt::scheduler
