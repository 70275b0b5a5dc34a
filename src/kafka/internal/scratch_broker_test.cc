#include "kafka/internal/scratch_broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "kafka/client.h"
#include "kafka/internal/native.h"

namespace flytt::kafka {

namespace {

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  CHECK(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

std::string jars() {
  const char* folder = std::getenv("FLYTT_DEPS_DIR");
  return (folder ? std::string(folder) : std::string(FLYTT_KAFKA_DEPS)) + "/kafka-4.3.0/lib/*";
}

pid_t start_java(const std::string& folder, std::vector<std::string> words) {
  words.insert(words.begin(), {"java", "-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-cp", folder + ":" + jars()});
  const pid_t pid = ::fork();
  CHECK(pid >= 0);
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open((folder + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

void print_file(const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) std::fprintf(stderr, "%s\n", line.c_str());
}

using Native = base::Handle<rd_kafka_t, rd_kafka_destroy>;

Native client(const ScratchBroker& broker, rd_kafka_type_t type, const Settings& settings) {
  NativeConfig config(rd_kafka_conf_new());
  char why[512];
  Settings all = settings;
  all.emplace_back("bootstrap.servers", broker.settings().brokers);
  all.emplace_back("log_level", "0");
  for (const auto& [name, value] : all)
    CHECK(rd_kafka_conf_set(config.get(), name.c_str(), value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK);
  rd_kafka_t* raw = rd_kafka_new(type, config.release(), why, sizeof why);
  CHECK(raw != nullptr);
  return Native(raw);
}

void must(rd_kafka_error_t* error) {
  if (error) std::fprintf(stderr, "%s\n", rd_kafka_error_string(error));
  CHECK(error == nullptr);
}

void send(rd_kafka_t* producer, const std::string& topic, const std::vector<Produced>& messages) {
  for (const Produced& m : messages) {
    char* value = m.value ? const_cast<char*>(m.value->data()) : nullptr;
    const char* key = m.key ? m.key->data() : nullptr;
    const std::size_t value_size = m.value ? m.value->size() : 0, key_size = m.key ? m.key->size() : 0;
    for (;;) {
      const auto code =
          rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(m.partition),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, value_size),
                            RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_TIMESTAMP(m.timestamp_ms), RD_KAFKA_V_END);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      CHECK(code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
      rd_kafka_poll(producer, 100);
    }
  }
  CHECK(rd_kafka_flush(producer, 60'000) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

// Runs one admin request and checks that it was done.
template <typename Request>
void administer(const ScratchBroker& broker, Request&& request) {
  const Native admin = client(broker, RD_KAFKA_PRODUCER, {});
  const NativeQueue queue(rd_kafka_queue_new(admin.get()));
  request(admin.get(), queue.get());
  const NativeEvent event(rd_kafka_queue_poll(queue.get(), 60'000));
  CHECK(event.get() != nullptr);
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
    std::fprintf(stderr, "%s\n", rd_kafka_event_error_string(event.get()));
  CHECK(rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

std::size_t count_partitions(const std::string& topic) {
  auto questions = Client::open(ScratchBroker::shared().settings(), test_clock());
  CHECK(questions.has_value());
  auto found = (*questions)->topics({{topic + "*"}, {}}, patience());
  CHECK(found.has_value());
  for (const TopicPartitions& t : *found)
    if (t.topic == topic) return static_cast<std::size_t>(t.partition_count);
  return 0;
}

}  // namespace

const base::Clock& test_clock() {
  static const base::SystemClock clock;
  return clock;
}

base::Deadline patience() { return test_clock().in(std::chrono::seconds(60)); }

std::string unique_name(std::string_view what) {
  static int counter = 0;
  return std::string(what) + "-" + std::to_string(++counter);
}

ScratchBroker& ScratchBroker::shared() {
  static ScratchBroker broker;
  return broker;
}

ConnectionSettings ScratchBroker::settings() const {
  ConnectionSettings settings;
  settings.brokers = "127.0.0.1:" + std::to_string(port_);
  return settings;
}

ScratchBroker::ScratchBroker() : port_(free_port()), controller_port_(free_port()) {
  char pattern[] = "/tmp/flytt_kafka_XXXXXX";
  CHECK(::mkdtemp(pattern) != nullptr);
  folder_ = pattern;
  {
    const std::string own = "127.0.0.1:" + std::to_string(port_);
    const std::string controller = "127.0.0.1:" + std::to_string(controller_port_);
    std::ofstream lines(folder_ + "/server.properties");
    lines << "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@" << controller
          << "\nlisteners=PLAINTEXT://" << own << ",CONTROLLER://" << controller
          << "\nadvertised.listeners=PLAINTEXT://" << own
          << "\ncontroller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\n"
             "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nlog.dirs="
          << folder_
          << "/data\nauto.create.topics.enable=false\nnum.network.threads=2\nnum.io.threads=2\n"
             "offsets.topic.replication.factor=1\noffsets.topic.num.partitions=2\n"
             "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
             "transaction.state.log.num.partitions=2\nshare.coordinator.state.topic.replication.factor=1\n"
             "share.coordinator.state.topic.min.isr=1\ngroup.initial.rebalance.delay.ms=0\n"
             "group.min.session.timeout.ms=1000\nlog.cleaner.backoff.ms=100\n";
    std::ofstream(folder_ + "/simplelogger.properties") << "org.slf4j.simpleLogger.defaultLogLevel=warn\n";
  }
  int status = 0;
  const pid_t format = start_java(folder_, {"kafka.tools.StorageTool", "format", "-t", "ZmxpdHQtdGVzdC1ub2RlMQ", "-c",
                                            folder_ + "/server.properties"});
  CHECK(::waitpid(format, &status, 0) == format);
  if (status != 0) print_file(folder_ + "/log");
  CHECK(status == 0);
  start();
}

void ScratchBroker::start() {
  pid_ = start_java(folder_, {"kafka.Kafka", folder_ + "/server.properties"});
  auto questions = Client::open(settings(), test_clock());
  CHECK(questions.has_value());
  for (const base::Deadline limit = patience();;) {
    if ((*questions)->topics({{"*"}, {}}, test_clock().in(std::chrono::seconds(1)))) return;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_ || test_clock().is_past(limit)) {
      print_file(folder_ + "/log");
      std::abort();
    }
  }
}

ScratchBroker::~ScratchBroker() {
  int status = 0;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void ScratchBroker::suspend() { ::kill(pid_, SIGSTOP); }
void ScratchBroker::resume() { ::kill(pid_, SIGCONT); }

void ScratchBroker::create_topic(const std::string& name, int partitions,
                                 const std::vector<std::pair<std::string, std::string>>& config) {
  administer(*this, [&](rd_kafka_t* admin, rd_kafka_queue_t* queue) {
    char why[512];
    base::Handle<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy> topic(
        rd_kafka_NewTopic_new(name.c_str(), partitions, 1, why, sizeof why));
    for (const auto& [key, value] : config) rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str());
    rd_kafka_NewTopic_t* all[] = {topic.get()};
    rd_kafka_CreateTopics(admin, all, 1, nullptr, queue);
  });
  for (const base::Deadline limit = patience(); count_partitions(name) != static_cast<std::size_t>(partitions);)
    CHECK(!test_clock().is_past(limit));
}

void ScratchBroker::add_partitions(const std::string& name, int total) {
  administer(*this, [&](rd_kafka_t* admin, rd_kafka_queue_t* queue) {
    char why[512];
    base::Handle<rd_kafka_NewPartitions_t, rd_kafka_NewPartitions_destroy> wanted(
        rd_kafka_NewPartitions_new(name.c_str(), static_cast<std::size_t>(total), why, sizeof why));
    rd_kafka_NewPartitions_t* all[] = {wanted.get()};
    rd_kafka_CreatePartitions(admin, all, 1, nullptr, queue);
  });
  for (const base::Deadline limit = patience(); count_partitions(name) != static_cast<std::size_t>(total);)
    CHECK(!test_clock().is_past(limit));
}

void ScratchBroker::delete_topic(const std::string& name) {
  administer(*this, [&](rd_kafka_t* admin, rd_kafka_queue_t* queue) {
    base::Handle<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy> topic(rd_kafka_DeleteTopic_new(name.c_str()));
    rd_kafka_DeleteTopic_t* all[] = {topic.get()};
    rd_kafka_DeleteTopics(admin, all, 1, nullptr, queue);
  });
  for (const base::Deadline limit = patience(); count_partitions(name) != 0;) CHECK(!test_clock().is_past(limit));
}

void ScratchBroker::delete_messages(const std::string& topic, std::int32_t partition, std::int64_t before) {
  administer(*this, [&](rd_kafka_t* admin, rd_kafka_queue_t* queue) {
    const NativeList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = before;
    base::Handle<rd_kafka_DeleteRecords_t, rd_kafka_DeleteRecords_destroy> records(
        rd_kafka_DeleteRecords_new(list.get()));
    rd_kafka_DeleteRecords_t* all[] = {records.get()};
    rd_kafka_DeleteRecords(admin, all, 1, nullptr, queue);
  });
}

void ScratchBroker::produce(const std::string& topic, const std::vector<Produced>& messages) {
  const Native producer = client(*this, RD_KAFKA_PRODUCER, {{"linger.ms", "1"}});
  send(producer.get(), topic, messages);
}

void ScratchBroker::transaction(const std::string& topic, const std::vector<Produced>& messages, bool commit) {
  const Native producer = client(*this, RD_KAFKA_PRODUCER, {{"transactional.id", "flytt-test"}});
  must(rd_kafka_init_transactions(producer.get(), 60'000));
  must(rd_kafka_begin_transaction(producer.get()));
  send(producer.get(), topic, messages);
  must(commit ? rd_kafka_commit_transaction(producer.get(), 60'000)
              : rd_kafka_abort_transaction(producer.get(), 60'000));
}

void ScratchBroker::set_offset(const std::string& group, const std::string& topic, std::int32_t partition,
                               std::int64_t offset, const std::string& record) {
  const Native consumer = client(*this, RD_KAFKA_CONSUMER, {{"group.id", group}});
  const NativeList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_t* entry = rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  entry->offset = offset;
  if (const std::string metadata = encode_record(record); !metadata.empty()) {
    entry->metadata = std::malloc(metadata.size());  // the list frees it
    std::memcpy(entry->metadata, metadata.data(), metadata.size());
    entry->metadata_size = metadata.size();
  }
  CHECK(rd_kafka_commit(consumer.get(), list.get(), 0) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

}  // namespace flytt::kafka
