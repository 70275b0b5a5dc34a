#include "commands/internal/output.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "commands/internal/record.h"

namespace flytt::commands::internal {
namespace {

class OutputTest : public testing::Test {
 protected:
  OutputTest() {
    std::string pattern = testing::TempDir() + "flytt-output-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~OutputTest() override { std::filesystem::remove_all(folder_); }

  std::string read(std::size_t bytes_max = 1 << 20) const {
    const auto text = read_output_files(folder_, bytes_max);
    EXPECT_TRUE(text) << text.error().text();
    return *text;
  }
  std::uint64_t bytes_on_disk() const {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) bytes += entry.file_size();
    return bytes;
  }

  std::string folder_;
};

TEST_F(OutputTest, LittleIsKeptAsItIs) {
  OutputFiles files(folder_, 4096);
  files.append("one\n");
  files.append("two");
  EXPECT_EQ(read(), "one\ntwo");
  EXPECT_EQ(read(5), "e\ntwo");
  EXPECT_EQ(read(0), "");
  EXPECT_EQ(files.seen(), 7u);
  EXPECT_EQ(files.kept(), 7u);
}

TEST_F(OutputTest, OfMuchTheFirstAndTheLastLinesAreKeptAndTheGapIsExact) {
  OutputFiles files(folder_, 4096);
  std::string all;
  for (int i = 0; i < 10'000; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    files.append(line);
    all += line;
    ASSERT_LE(bytes_on_disk(), 4096u);
  }
  EXPECT_EQ(files.seen(), all.size());
  EXPECT_EQ(files.kept(), bytes_on_disk());
  const std::string text = read();
  const std::string gap = "[" + std::to_string(all.size() - files.kept()) + " bytes left out]\n";
  const std::size_t at = text.find(gap);
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_EQ(text.substr(0, at), all.substr(0, at));
  EXPECT_EQ(text[at - 1], '\n');
  const std::string last = text.substr(at + gap.size());
  EXPECT_EQ(last, all.substr(all.size() - last.size()));
  EXPECT_EQ(last.substr(0, 5), "line ");
  EXPECT_GT(at, 2000u);
  EXPECT_GE(last.size(), 1000u);
}

TEST_F(OutputTest, WhoFollowsSeesEachByteOnceAndWhatWasLeftOut) {
  OutputFiles files(folder_, 4096);
  std::string all, seen;
  std::uint64_t next = 0;
  const auto look = [&](std::size_t bytes_max) {
    const auto piece = read_output_from(folder_, next, bytes_max);
    ASSERT_TRUE(piece) << piece.error().text();
    next = piece->next;
    seen += piece->text;
  };
  for (int i = 0; i < 500; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    files.append(line);
    all += line;
    look(1000);
  }
  EXPECT_EQ(seen, all) << "what is deleted now was there when it was looked at";
  look(1000);
  EXPECT_EQ(seen, all) << "nothing new";
  seen.clear();
  next = 0;
  for (std::uint64_t before = 1; before != next;) {
    before = next;
    look(100);
  }
  EXPECT_EQ(seen, read()) << "a late one sees the gap, too";
  EXPECT_EQ(next, files.seen());
  EXPECT_EQ(read_output_from(folder_ + "/none", 0, 10).error().code(), ErrorCode::kNotFound);
}

TEST_F(OutputTest, ALineThatIsLongerThanAPartIsCut) {
  OutputFiles files(folder_, 4096);
  files.append(std::string(100'000, 'x'));
  EXPECT_EQ(files.seen(), 100'000u);
  EXPECT_LE(bytes_on_disk(), 4096u);
  EXPECT_NE(read().find("bytes left out]"), std::string::npos);
}

TEST_F(OutputTest, LinesOfTwoPipesAreNotMixed) {
  OutputFiles files(folder_, 4096);
  LineJoiner first, second;
  first.take("a whole line\nhalf of", files);
  second.take("error: ", files);
  first.take(" a line\n", files);
  second.take("bad\nand", files);
  first.take("end", files);
  first.flush(files);
  second.flush(files);
  EXPECT_EQ(read(), "a whole line\nhalf of a line\nerror: bad\nendand");
}

TEST_F(OutputTest, ALineWithoutEndIsTakenInParts) {
  OutputFiles files(folder_, 1 << 20);
  LineJoiner lines;
  for (int i = 0; i < 100; ++i) lines.take(std::string(4096, 'x'), files);
  EXPECT_GT(files.seen(), 300'000u);
}

TEST_F(OutputTest, AFailureIsTold) {
  OutputFiles files(folder_ + "/missing", 4096);
  files.append("one\n");
  files.append("two\n");
  EXPECT_EQ(files.seen(), 8u);
  EXPECT_EQ(files.kept(), 0u);
  EXPECT_EQ(files.failure(), "No such file or directory");
  EXPECT_EQ(read_output_files(folder_ + "/missing", 10).error().code(), ErrorCode::kNotFound);
}

TEST(RecordTest, AnOutcomeIsReadAsItWasWritten) {
  Outcome outcome;
  outcome.reason = EndReason::kTimedOut;
  outcome.signal = 9;
  outcome.started_micros = 1;
  outcome.ended_micros = 2;
  outcome.peak_rss_bytes = 3;
  outcome.output_bytes_seen = 4;
  outcome.output_bytes_kept = 5;
  outcome.processes_left = 6;
  outcome.detail = "two\nlines=";
  const auto read = parse_outcome(encode(outcome));
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->reason, EndReason::kTimedOut);
  EXPECT_EQ(read->signal, 9);
  EXPECT_EQ(read->exit_code, std::nullopt);
  EXPECT_EQ(read->detail, "two?lines=");
  EXPECT_EQ(read->started_micros + read->ended_micros, 3);
  EXPECT_EQ(encode(*read), encode(outcome).replace(encode(outcome).find("two"), 10, "two?lines="));
}

TEST(RecordTest, WhatIsNoRecordIsRefused) {
  const std::string good = encode(Outcome{});
  ASSERT_TRUE(parse_outcome(good));
  for (const std::string& bad : {std::string(), good.substr(0, good.size() - 1), good + "x", good + "detail=again\n",
                                 "format=2\n" + good.substr(9), "reason=" + good, good + "signal=-1\n",
                                 good + "exit_code=99999999999\n", std::string("format=1\n")})
    EXPECT_FALSE(parse_outcome(bad)) << bad;
  EXPECT_FALSE(parse_supervisor("format=1\npid=0\nstart_ticks=1\nboot=b\nrun=r\nfolder=/f\n"));
  EXPECT_FALSE(parse_supervisor("format=1\npid=1\nstart_ticks=1\nboot=b\nrun=a b\nfolder=/f\n"));
  EXPECT_TRUE(parse_supervisor("format=1\npid=1\nstart_ticks=1\nboot=b\nrun=r\nfolder=/f\n"));
}

TEST(ProcessesTest, ANameOfAProcessMayLookLikeAnything) {
  const auto process = parse_stat("12 (a) R 1 (b) S 7 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 2 3");
  ASSERT_TRUE(process);
  EXPECT_EQ(process->id, (ProcessId{12, 4711}));
  EXPECT_EQ(process->parent, 7);
  EXPECT_TRUE(process->is_alive);
  EXPECT_FALSE(parse_stat("12 (a) Z 7 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711")->is_alive);
  EXPECT_TRUE(parse_stat("12 (a) Z 7 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 2 0 4711")->is_alive) << "it has a thread";
  EXPECT_FALSE(parse_stat("12 (a) S 7 12"));
  EXPECT_FALSE(parse_stat(""));
}

TEST(ProcessesTest, ASignalGoesOnlyToTheProcessThatIsMeant) {
  const auto self = look_up(::getpid());
  ASSERT_TRUE(self);
  EXPECT_TRUE(send_signal(self->id, 0));
  EXPECT_FALSE(send_signal(ProcessId{self->id.pid, self->id.start_ticks + 1}, SIGKILL));
}

TEST(ProcessesTest, DescendantsAreFoundThroughZombies) {
  const auto process = [](pid_t pid, pid_t parent, bool is_alive) { return Process{{pid, 1}, parent, is_alive}; };
  const std::vector<Process> all = {process(4, 3, true), process(2, 1, true), process(3, 2, false),
                                    process(9, 8, true)};
  const auto found = descendants_of({2}, all);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, 4);
}

}  // namespace
}  // namespace flytt::commands::internal
