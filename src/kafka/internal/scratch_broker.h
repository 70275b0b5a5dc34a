#pragma once
// A throw-away Kafka broker for tests: one for each test program, started at its first use on free ports of 127.0.0.1 and
// ended with the program (by its process id, and by the kernel if the program is killed). Its folder is removed.

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "kafka/config.h"

namespace flytt::kafka {

struct Produced {
  std::optional<std::string> value, key;
  std::int32_t partition = 0;
  std::int64_t timestamp_ms = 0;  // 0: now
};

class ScratchBroker {
 public:
  // Stops the test program when the broker cannot be started.
  ScratchBroker();
  ~ScratchBroker();
  ScratchBroker(const ScratchBroker&) = delete;
  ScratchBroker& operator=(const ScratchBroker&) = delete;
  static ScratchBroker& shared();

  ConnectionSettings settings() const;

  // These stop the test program when they fail.
  void create_topic(const std::string& name, int partitions,
                    const std::vector<std::pair<std::string, std::string>>& config = {});
  void add_partitions(const std::string& name, int total);
  void delete_topic(const std::string& name);
  void delete_messages(const std::string& topic, std::int32_t partition, std::int64_t before);
  void produce(const std::string& topic, const std::vector<Produced>& messages);
  void transaction(const std::string& topic, const std::vector<Produced>& messages, bool commit);
  void set_offset(const std::string& group, const std::string& topic, std::int32_t partition, std::int64_t offset,
                  const std::string& record = {});

  void suspend();
  void resume();

 private:
  void start();
  std::string folder_;
  int port_ = 0, controller_port_ = 0;
  pid_t pid_ = -1;
};

// A name that no other test has.
std::string unique_name(std::string_view what);
const base::Clock& test_clock();
// Far enough for a busy machine; a test that needs it has failed anyway.
base::Deadline patience();

}  // namespace flytt::kafka
