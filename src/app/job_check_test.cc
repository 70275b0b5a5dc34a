#include "app/internal/job_check.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace flytt::app {
namespace {

class JobCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "flytt-job-check-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    auto schedule = scheduler::Schedule::parse({.every = "1h"});
    ASSERT_TRUE(schedule);
    job_.name = "story";
    job_.entry = scheduler::Entry{"job:story", *schedule, {}};
    job_.run = {file("fine.sh", "#!/bin/sh\n")};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text, bool may_run = true) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    if (may_run) std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  // "rule: sentence | mend", one for each finding.
  std::string found() {
    std::vector<Found> findings;
    check_job(job_, {{"PATH", folder_ + ":/usr/bin:/bin"}}, findings);
    std::string text;
    for (const Found& one : findings) {
      EXPECT_EQ(one.place, "job:story");
      text += one.finding.rule + ": " + one.finding.sentence + " | " + one.finding.fix + "\n";
    }
    return text;
  }

  std::string folder_;
  JobConfig job_;
};

TEST_F(JobCheckTest, WhatCanRunIsFine) {
  EXPECT_EQ(found(), "");
  job_.run = {"fine.sh"};
  EXPECT_EQ(found(), "") << "in PATH";
  job_.run = {"/bin/ls"};
  job_.folder = folder_;
  EXPECT_EQ(found(), "");
}

TEST_F(JobCheckTest, AProgramThatCannotRunIsNamedWithWhatMendsIt) {
  job_.run = {folder_ + "/none"};
  EXPECT_EQ(found(), "program: there is no such file | put it there, or name another in 'jobs.story.run'\n");
  job_.run = {folder_};
  EXPECT_EQ(found(), "program: it is not a file | name a program in 'jobs.story.run'\n");
  job_.run = {file("plain.sh", "#!/bin/sh\n", false)};
  EXPECT_EQ(found(), "program: this user may not execute it | chmod +x " + folder_ + "/plain.sh\n");
  job_.run = {file("bare.sh", "echo\n")};
  EXPECT_EQ(found(),
            "program: it is neither a program nor a script with a #! line, and no shell is involved | begin it with a "
            "line like #!/bin/sh\n");
  job_.run = {file("strange.sh", "#! /no/where -x\n")};
  EXPECT_NE(found().find("its first line names '/no/where', which cannot be executed"), std::string::npos);
  job_.run = {"no-such-program"};
  EXPECT_NE(found().find("no folder of PATH holds a program of this name: " + folder_), std::string::npos);
  job_.environment["PATH"] = "/nowhere";
  job_.run = {"fine.sh"};
  EXPECT_NE(found().find("a program of this name: /nowhere"), std::string::npos) << "its own PATH counts";
}

TEST_F(JobCheckTest, FolderAndSecretsAreLookedAt) {
  job_.folder = folder_ + "/none";
  job_.secrets["TOKEN"].problem = "environment variable 'TOKEN' is not set";
  EXPECT_EQ(found(), "folder: there is no such folder | mkdir " + folder_ +
                         "/none\nsecret: environment variable 'TOKEN' is not set | set it, or mend "
                         "'jobs.story.secrets.TOKEN'; `flytt run` does not start without it\n");
}

}  // namespace
}  // namespace flytt::app
