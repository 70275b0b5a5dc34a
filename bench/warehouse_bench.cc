// What the warehouse's write and read paths cost without PostgreSQL and gRPC: rows are encoded beforehand, as pgbench_accounts.
//
//   warehouse_bench [load] [commits] [churn] [reads]    all parts but `reads` when none is named
//     --rows=N        rows of the first load (5,000,000)
//     --folder=DIR    where the database lies (a new folder below TMPDIR)
//     --threads=N     DuckDB's workers (default: one per core)
//     --seconds=N     of the churn part (20)
//     --log=N         changes of the reads part (500,000)
//     --text=N        bytes of their text column (84)
//
// load: rows/s, CPU per row of the whole process and of the writer, peak memory. commits: latency of answers for 1, 50, 1,000
// and 10,000 changes. churn: 1,000 changes/s over the loaded table with apply and checkpoint running; the time from an answer
// until a point read shows the row, and the longest stalls. reads: no maintenance; the time of a point read and of sums over
// a number and over the text column, over base and log, first when the log outranks the base, then when ranks are compared.

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "data/table_slice.h"
#include "warehouse/rest_json.h"
#include "warehouse/warehouse.h"
#include "wire/row_buffer.h"
#include "wire/row_encoder.h"

namespace {

using namespace flytt;
using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point begin) { return std::chrono::duration<double>(Steady::now() - begin).count(); }

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

long status_kilobytes(const char* name) {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  char line[256];
  long value = 0;
  while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr)
    if (std::strncmp(line, name, std::strlen(name)) == 0) value = std::atol(line + std::strlen(name) + 1);
  if (file != nullptr) std::fclose(file);
  return value;
}

void die(const Error& error) {
  std::fprintf(stderr, "%s\n", error.text().c_str());
  std::exit(1);
}

struct Options {
  std::int64_t rows = 5'000'000;
  std::string folder;
  int threads = 0;
  int seconds = 20;
  std::int64_t log = 500'000;
  std::size_t text = 84;
  std::vector<std::string> parts;
  bool has(const char* part) const {
    return parts.empty() || std::find(parts.begin(), parts.end(), part) != parts.end();
  }
};

data::TableSchema accounts() {
  data::TableSchema schema;
  schema.fields = {{"aid", data::TypeKind::kInt64, true, ""},
                   {"bid", data::TypeKind::kInt64, false, ""},
                   {"abalance", data::TypeKind::kInt64, false, ""},
                   {"filler", data::TypeKind::kString, false, ""}};
  schema.key = {0};
  return schema;
}

const data::TablePath kPath{"p", "bench", "accounts"};
const std::string kFiller(84, ' ');

class Messages {
 public:
  Messages() : schema_(std::make_shared<data::SliceSchema>()), encoder_(make_encoder()) { schema_->table = accounts(); }
  const std::string& descriptor() const { return encoder_.descriptor(); }

  std::shared_ptr<std::string> encode(const std::vector<std::int64_t>& keys, data::Sequence sequence,
                                      std::int64_t balance, const std::string& filler = kFiller) {
    data::TableSlice slice(schema_);
    for (const std::int64_t key : keys) {
      slice.columns[0].append_int64(key);
      slice.columns[1].append_int64(key / 100'000);
      slice.columns[2].append_int64(balance);
      slice.columns[3].append_bytes(filler);
    }
    slice.sequences = {sequence};
    wire::RowBuffer buffer;
    auto done = encoder_.encode(slice, 0, keys.size(), std::size_t{1} << 30, buffer);
    if (!done) die(done.error());
    return std::make_shared<std::string>(buffer.view());
  }

 private:
  static wire::RowEncoder make_encoder() {
    auto encoder = wire::RowEncoder::make(accounts(), wire::ChangeColumns::kTypeAndSequence);
    if (!encoder) die(encoder.error());
    return std::move(*encoder);
  }
  std::shared_ptr<data::SliceSchema> schema_;
  wire::RowEncoder encoder_;
};

// Appends with a bounded number in flight.
class Window {
 public:
  Window(warehouse::AppendSession& session, int in_flight_max) : session_(session), in_flight_max_(in_flight_max) {}
  void append(const std::shared_ptr<std::string>& rows) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return in_flight_ < in_flight_max_; });
      ++in_flight_;
    }
    session_.append(
        *rows, rows,
        [this](warehouse::AppendOutcome outcome) {
          if (!outcome.status) die(outcome.status.error());
          {
            std::lock_guard lock(mutex_);
            --in_flight_;
            changed_.notify_all();
          }
        },
        base::Deadline::never());
  }
  void drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return in_flight_ == 0; });
  }

 private:
  warehouse::AppendSession& session_;
  const int in_flight_max_;
  int in_flight_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
};

void load(warehouse::Warehouse& house, Messages& messages, const Options& options) {
  constexpr std::int64_t kRowsPerMessage = 14'000;  // about 2 MB
  std::vector<std::shared_ptr<std::string>> encoded;
  const data::Sequence snapshot = data::Sequence::of(1, 1'000'000, 0);
  for (std::int64_t from = 0; from < options.rows; from += kRowsPerMessage) {
    std::vector<std::int64_t> keys;
    for (std::int64_t key = from; key < std::min(options.rows, from + kRowsPerMessage); ++key) keys.push_back(key + 1);
    encoded.push_back(messages.encode(keys, snapshot, 0));
  }
  ::malloc_trim(0);
  const long resident = status_kilobytes("VmRSS:");
  auto session = house.open_append(kPath, messages.descriptor());
  if (!session) die(session.error());
  const double cpu = cpu_seconds();
  const auto begin = Steady::now();
  Window window(**session, 32);
  for (auto& message : encoded) window.append(message);
  window.drain();
  const double wall = seconds_since(begin), used = cpu_seconds() - cpu;
  const auto rows = static_cast<double>(options.rows);
  std::printf("load: %.0f krows/s wall, %.0f ns CPU a row, memory above the messages: now %.0f MB, peak %.0f MB\n",
              rows / wall / 1e3, used / rows * 1e9, static_cast<double>(status_kilobytes("VmRSS:") - resident) / 1e3,
              static_cast<double>(status_kilobytes("VmHWM:") - resident) / 1e3);
}

struct Latencies {
  std::vector<double> millis;
  void print(const char* what) {
    std::sort(millis.begin(), millis.end());
    if (millis.empty()) return;
    const auto at = [&](double part) {
      return millis[std::min(millis.size() - 1, static_cast<std::size_t>(part * static_cast<double>(millis.size())))];
    };
    std::printf("%s: n %zu, p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms\n", what, millis.size(), at(0.5),
                at(0.99), at(0.999), millis.back());
  }
};

void commits(warehouse::Warehouse& house, Messages& messages, const Options& options, std::uint64_t& position) {
  auto session = house.open_append(kPath, messages.descriptor());
  if (!session) die(session.error());
  for (const int size : {1, 50, 1'000, 10'000}) {
    Latencies latencies;
    for (int i = 0; i < (size > 1'000 ? 60 : 400); ++i) {
      std::vector<std::int64_t> keys;
      for (int k = 0; k < size; ++k)
        keys.push_back(static_cast<std::int64_t>((position * 7919 + static_cast<std::uint64_t>(k)) %
                                                 static_cast<std::uint64_t>(options.rows)) +
                       1);
      const auto rows = messages.encode(keys, data::Sequence::of(1, ++position, 1), 1);
      std::promise<void> answered;
      const auto begin = Steady::now();
      (*session)->append(
          *rows, rows,
          [&](warehouse::AppendOutcome outcome) {
            if (!outcome.status) die(outcome.status.error());
            answered.set_value();
          },
          base::Deadline::never());
      answered.get_future().get();
      latencies.millis.push_back(seconds_since(begin) * 1e3);
    }
    latencies.print(("commit of " + std::to_string(size) + " changes").c_str());
  }
}

std::int64_t read_balance(warehouse::Warehouse& house, std::int64_t key, double* millis) {
  warehouse::QueryOptions options;
  options.project = "p";
  const auto begin = Steady::now();
  auto result = house.query("SELECT abalance FROM bench.accounts WHERE aid = " + std::to_string(key), options);
  if (!result) die(result.error());
  auto page = (*result)->next();
  if (!page) die(page.error());
  *millis = seconds_since(begin) * 1e3;
  return *page ? (*page)->columns[0].int64(0) : -1;
}

void churn(warehouse::Warehouse& house, Messages& messages, const Options& options, std::uint64_t& position,
           base::Metrics& metrics) {
  auto session = house.open_append(kPath, messages.descriptor());
  if (!session) die(session.error());
  double warm = 0;
  const auto first = Steady::now();
  read_balance(house, 1, &warm);
  std::printf("first read (verification, analyzer start): %.0f ms\n", seconds_since(first) * 1e3);
  std::atomic<bool> stop{false};
  Latencies answers, reads, visible;
  std::mutex mutex;
  std::deque<std::pair<std::int64_t, std::int64_t>> newest;  // key, balance of answered changes
  std::int64_t changes = 0;
  std::thread writer([&] {
    // Transactions of 4 rows, one append each, 250 a second.
    auto next = Steady::now();
    while (!stop) {
      std::vector<std::int64_t> keys;
      for (int k = 0; k < 4; ++k) keys.push_back(std::rand() % options.rows + 1);
      const auto balance = static_cast<std::int64_t>(++position);
      const auto rows = messages.encode(keys, data::Sequence::of(1, position, 1), balance);
      const auto begin = Steady::now();
      (*session)->append(
          *rows, rows,
          [&, begin, key = keys[0], balance](warehouse::AppendOutcome outcome) {
            if (!outcome.status) die(outcome.status.error());
            std::lock_guard lock(mutex);
            answers.millis.push_back(seconds_since(begin) * 1e3);
            newest.emplace_back(key, balance);
            if (newest.size() > 64) newest.pop_front();
          },
          base::Deadline::never());
      changes += 4;
      next += std::chrono::milliseconds(4);
      std::this_thread::sleep_until(next);
    }
  });
  const auto begin = Steady::now();
  std::int64_t wrong = 0;
  while (seconds_since(begin) < options.seconds) {
    std::pair<std::int64_t, std::int64_t> probe{1, 0};
    {
      std::lock_guard lock(mutex);
      if (!newest.empty()) probe = newest.back();
    }
    double millis = 0;
    if (read_balance(house, probe.first, &millis) < probe.second) ++wrong;
    reads.millis.push_back(millis);
  }
  stop = true;
  writer.join();
  answers.print("churn: answer of 4 changes");
  reads.print("churn: point read of a just answered row");
  std::printf("churn: %lld changes in %.0f s, reads that missed an answered change: %lld\n%s",
              static_cast<long long>(changes), seconds_since(begin), static_cast<long long>(wrong),
              metrics.prometheus_text().c_str());
}

void time_question(warehouse::Warehouse& house, const char* what, const std::string& sql) {
  warehouse::QueryOptions options;
  options.project = "p";
  constexpr int kTimes = 7;
  double best = 1e300;
  std::int64_t answer = 0;
  const double cpu = cpu_seconds();
  for (int i = 0; i < kTimes; ++i) {
    const auto begin = Steady::now();
    auto result = house.query(sql, options);
    if (!result) die(result.error());
    auto page = (*result)->next();
    if (!page) die(page.error());
    answer = *page ? (*page)->columns[0].int64(0) : -1;
    best = std::min(best, seconds_since(begin) * 1e3);
  }
  std::printf("reads: %s: best %.1f ms, CPU %.1f ms (answer %lld)\n", what, best, (cpu_seconds() - cpu) * 1e3 / kTimes,
              static_cast<long long>(answer));
  std::fflush(stdout);
}

void reads(warehouse::Warehouse& house, Messages& messages, const Options& options, std::uint64_t& position) {
  auto session = house.open_append(kPath, messages.descriptor());
  if (!session) die(session.error());
  const std::string text(options.text, 'x');
  const auto rows_per_message = static_cast<std::int64_t>(std::max<std::size_t>(1, (2u << 20) / (options.text + 30)));
  const auto ask = [&](const std::string& shape) {
    time_question(house, (shape + ", one row").c_str(), "SELECT abalance FROM bench.accounts WHERE aid = 4711");
    time_question(house, (shape + ", sum of a number").c_str(), "SELECT SUM(abalance) FROM bench.accounts");
    time_question(house, (shape + ", sum of text lengths").c_str(), "SELECT SUM(LENGTH(filler)) FROM bench.accounts");
  };
  ask("no log");
  {
    Window window(**session, 16);
    std::uint64_t random = 88172645463325252ull;
    for (std::int64_t done = 0; done < options.log; done += rows_per_message) {
      std::vector<std::int64_t> keys;
      for (std::int64_t i = done; i < std::min(options.log, done + rows_per_message); ++i) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        keys.push_back(static_cast<std::int64_t>(random % static_cast<std::uint64_t>(options.rows)) + 1);
      }
      window.append(messages.encode(keys, data::Sequence::of(1, ++position, 1), 1, text));
    }
    window.drain();
  }
  ask("log outranks base");
  Window last(**session, 1);
  last.append(messages.encode({1}, data::Sequence::of(1, 1, 1), -1));
  last.drain();
  ask("ranks compared");
  std::printf("reads: peak memory %.0f MB\n", static_cast<double>(status_kilobytes("VmHWM:")) / 1e3);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&](const char* name) {
      return argument.compare(0, std::strlen(name), name) == 0 ? argument.substr(std::strlen(name)) : std::string();
    };
    if (const auto rows = value("--rows="); !rows.empty())
      options.rows = std::stoll(rows);
    else if (const auto folder = value("--folder="); !folder.empty())
      options.folder = folder;
    else if (const auto threads = value("--threads="); !threads.empty())
      options.threads = std::stoi(threads);
    else if (const auto seconds = value("--seconds="); !seconds.empty())
      options.seconds = std::stoi(seconds);
    else if (const auto log = value("--log="); !log.empty())
      options.log = std::stoll(log);
    else if (const auto text = value("--text="); !text.empty())
      options.text = std::stoull(text);
    else
      options.parts.push_back(argument);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const bool asks_reads = !options.parts.empty() && options.has("reads");
  std::string folder = options.folder;
  if (folder.empty()) {
    folder = (std::filesystem::temp_directory_path() / "flytt-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return 1;
  }
  const base::SystemClock clock;
  base::Metrics metrics;
  base::set_log(base::LogLevel::kInfo, base::LogFormat::kText);
  warehouse::WarehouseOptions warehouse_options;
  warehouse_options.folder = folder;
  warehouse_options.project = "p";
  warehouse_options.thread_count = options.threads;
  warehouse_options.maintenance = !asks_reads;
  auto house = warehouse::Warehouse::open(warehouse_options, clock, metrics);
  if (!house) die(house.error());
  Messages messages;
  std::uint64_t position = 2'000'000;
  if (!(*house)->table(kPath)) {
    if (auto made = (*house)->create_dataset({{"p", "bench"}}); !made) die(made.error());
    warehouse::TableInfo info;
    info.path = kPath;
    info.schema = accounts();
    if (auto made = (*house)->create_table(info); !made) die(made.error());
  }
  if (options.has("load")) load(**house, messages, options);
  if (options.has("commits")) commits(**house, messages, options, position);
  if (asks_reads) reads(**house, messages, options, position);
  if (options.has("churn")) churn(**house, messages, options, position, metrics);
  const auto closing = Steady::now();
  if (auto closed = (*house)->close(clock.in(std::chrono::seconds(60))); !closed)
    std::fprintf(stderr, "%s\n", closed.error().text().c_str());
  std::printf("close with checkpoint: %.0f ms; file %.0f MB\n", seconds_since(closing) * 1e3,
              static_cast<double>(std::filesystem::file_size(folder + "/warehouse.duckdb")) / 1e6);
  house->reset();
  if (options.folder.empty()) std::filesystem::remove_all(folder);
  return 0;
}
