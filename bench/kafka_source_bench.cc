// How fast the topic source reads and decodes, against a bare librdkafka consumer that throws its messages away. Both
// read the same topic of a broker that is running already, one after the other, in turns.
//
//   kafka_source_bench BROKERS TOPIC MESSAGES [ROUNDS [bare]]
//
// The topic holds MESSAGES messages of the recipe's four fields. Prints messages per second and CPU seconds per million
// of each, and the ratio of the best rounds. With `bare` only the bare consumer runs, and prints for each round the
// seconds from its first message to its last, alone on a line.

#include <librdkafka/rdkafka.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "kafka/topic_source.h"

namespace {

using namespace flytt;

struct Measured {
  double per_second = 0, cpu_per_million = 0;
  long peak_mib = 0;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

class Stopwatch {
 public:
  explicit Stopwatch(const base::Clock& clock) : clock_(clock), begin_(clock.steady()), cpu_(cpu_seconds()) {}
  Measured read(std::int64_t messages) const {
    const std::chrono::duration<double> span = clock_.steady() - begin_;
    const auto count = static_cast<double>(messages);
    return {count / span.count(), (cpu_seconds() - cpu_) / count * 1e6};
  }

 private:
  const base::Clock& clock_;
  base::SteadyTime begin_;
  double cpu_;
};

std::string group_name(const char* what, int round) {
  return std::string("bench-") + what + "-" + std::to_string(::getpid()) + "-" + std::to_string(round);
}

// In a process of its own, so that each has its own peak of memory.
template <typename Read>
Measured in_child(Read&& read) {
  int ends[2];
  CHECK(::pipe(ends) == 0);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    const Measured measured = read();
    ::_exit(::write(ends[1], &measured, sizeof measured) == sizeof measured ? 0 : 1);
  }
  ::close(ends[1]);
  Measured measured;
  CHECK(::read(ends[0], &measured, sizeof measured) == sizeof measured);
  ::close(ends[0]);
  rusage usage{};
  int status = 0;
  CHECK(::wait4(child, &status, 0, &usage) == child);
  measured.peak_mib = usage.ru_maxrss / 1024;
  return measured;
}

// The clock starts with the first message: joining a group is not what is compared.
Measured bare(const std::string& brokers, const std::string& topic, std::int64_t messages, int round,
              const base::Clock& clock) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[512];
  const std::string group = group_name("bare", round);
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, const char*>>{{"bootstrap.servers", brokers.c_str()},
                                                                  {"group.id", group.c_str()},
                                                                  {"auto.offset.reset", "earliest"},
                                                                  {"enable.auto.commit", "false"},
                                                                  {"enable.auto.offset.store", "false"},
                                                                  {"queued.min.messages", "10000000"},
                                                                  {"queued.max.messages.kbytes", "32768"},
                                                                  {"fetch.queue.backoff.ms", "5"},
                                                                  {"fetch.max.bytes", "16777216"},
                                                                  {"fetch.message.max.bytes", "4194304"},
                                                                  {"check.crcs", "true"}})
    CHECK(rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK);
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  CHECK(consumer != nullptr);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, topic.c_str(), RD_KAFKA_PARTITION_UA);
  CHECK(rd_kafka_subscribe(consumer, topics) == RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_topic_partition_list_destroy(topics);
  std::optional<Stopwatch> watch;
  for (std::int64_t seen = 0; seen < messages;) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 1'000);
    if (!message) continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (!watch) watch.emplace(clock);
      ++seen;
    }
    rd_kafka_message_destroy(message);
  }
  const Measured out = watch->read(messages);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return out;
}

Measured source(const std::string& brokers, const std::string& topic, std::int64_t messages, int round,
                const base::Clock& clock) {
  kafka::TopicSourceOptions options;
  options.connection.brokers = brokers;
  options.group.id = group_name("source", round);
  options.topics.include = {topic};
  options.destination = {"p", "d", "t"};
  options.payload.fields = {{"stringValue", data::TypeKind::kString, true},
                            {"booleanValue", data::TypeKind::kBool},
                            {"numericValue", data::TypeKind::kInt64},
                            {"timestampValue", data::TypeKind::kTimestamp}};
  auto opened = kafka::TopicSource::open(options, {}, {}, clock, clock.in(std::chrono::seconds(30)));
  CHECK(opened.has_value());
  std::optional<Stopwatch> watch;
  for (std::int64_t seen = 0; seen < messages;) {
    auto batch = (*opened)->next(clock.in(std::chrono::seconds(1)));
    if (!batch) std::fprintf(stderr, "%s\n", batch.error().text().c_str());
    CHECK(batch.has_value());
    if (!*batch) continue;
    // The first batch with the lanes comes just before the first message.
    if (!watch) watch.emplace(clock);
    for (const data::TableSlice& slice : (*batch)->tables) CHECK(slice.rejections.empty());
    seen += static_cast<std::int64_t>((*batch)->row_count());
    CHECK((*opened)->confirm((*batch)->end).has_value());
  }
  return watch->read(messages);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: kafka_source_bench BROKERS TOPIC MESSAGES [ROUNDS [bare]]\n");
    return 2;
  }
  const std::string brokers = argv[1], topic = argv[2];
  const std::int64_t messages = std::atoll(argv[3]);
  const int rounds = argc > 4 ? std::atoi(argv[4]) : 3;
  const base::SystemClock clock;
  if (argc > 5 && std::string_view(argv[5]) == "bare") {
    for (int round = 0; round < rounds; ++round)
      std::printf("%.6f\n", static_cast<double>(messages) / bare(brokers, topic, messages, round, clock).per_second);
    return 0;
  }
  Measured best_bare, best_source;
  for (int round = 0; round < rounds; ++round) {
    const Measured a = in_child([&] { return bare(brokers, topic, messages, round, clock); });
    const Measured b = in_child([&] { return source(brokers, topic, messages, round, clock); });
    for (const auto& [name, m] : {std::pair("bare", a), std::pair("source", b)})
      std::printf("%-6s %.2f M messages/s, %.3f CPU s per million, peak %ld MiB\n", name, m.per_second / 1e6,
                  m.cpu_per_million, m.peak_mib);
    if (a.per_second > best_bare.per_second) best_bare = a;
    if (b.per_second > best_source.per_second) best_source = b;
  }
  std::printf("ratio %.2f of the bare consumer (goal 0.5)\n", best_source.per_second / best_bare.per_second);
  return 0;
}
