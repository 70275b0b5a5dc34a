// What offsets cost: the same rows through the default stream, COMMITTED and PENDING streams of the warehouse, without gRPC.
//
//   write_stream_bench [--rows=N]      rows of each run (1,000,000)
//
// Several lanes append to one table at the same time, with many requests of each in flight, as the partitions of a topic do.
// The ratio is to the default stream of the same run.

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "data/table_slice.h"
#include "warehouse/warehouse.h"
#include "wire/row_buffer.h"
#include "wire/row_encoder.h"

namespace {

using namespace flytt;
using Steady = std::chrono::steady_clock;

constexpr int kLanes = 4;
constexpr int kInFlightMax = 256;  // of all lanes

[[noreturn]] void die(const Error& error) {
  std::fprintf(stderr, "%s\n", error.text().c_str());
  std::exit(1);
}

data::TableSchema events() {
  data::TableSchema schema;
  schema.fields = {{"id", data::TypeKind::kInt64, false, ""}, {"text", data::TypeKind::kString, false, ""}};
  return schema;
}

class Bench {
 public:
  explicit Bench(warehouse::Warehouse& house) : house_(house), schema_(std::make_shared<data::SliceSchema>()) {
    schema_->table = events();
    auto encoder = wire::RowEncoder::make(schema_->table, wire::ChangeColumns::kNone);
    if (!encoder) die(encoder.error());
    encoder_ = std::move(*encoder);
  }

  // Rows a second through streams of this kind; nullopt = the default stream.
  double run(std::optional<warehouse::StreamKind> kind, std::int64_t rows, std::int64_t rows_each) {
    const data::TablePath path{"p", "bench", "t" + std::to_string(++tables_)};
    warehouse::TableInfo table;
    table.path = path;
    table.schema = events();
    if (auto made = house_.create_table(table); !made) die(made.error());
    std::vector<std::unique_ptr<warehouse::AppendSession>> lanes;
    std::vector<std::string> ids;
    for (int i = 0; i < kLanes; ++i) lanes.push_back(open(path, kind, ids));
    const std::shared_ptr<std::string> message = encode(rows_each);
    const auto begin = Steady::now();
    std::vector<std::int64_t> offsets(kLanes, 0);
    for (std::int64_t sent = 0, i = 0; sent < rows; sent += rows_each, ++i) {
      const auto lane = static_cast<std::size_t>(i % kLanes);
      append(*lanes[lane], message, kind ? std::optional<std::int64_t>(offsets[lane]) : std::nullopt);
      offsets[lane] += rows_each;
    }
    wait_until_in_flight(0);
    if (kind == warehouse::StreamKind::kPending) commit(path, ids);
    return static_cast<double>(rows) / std::chrono::duration<double>(Steady::now() - begin).count();
  }

 private:
  std::unique_ptr<warehouse::AppendSession> open(const data::TablePath& path, std::optional<warehouse::StreamKind> kind,
                                                 std::vector<std::string>& ids) {
    if (kind) {
      auto made = house_.create_stream(path, *kind);
      if (!made) die(made.error());
      ids.push_back(made->path.id);
    }
    auto session = kind ? house_.open_stream_append({path, ids.back()}, encoder_->descriptor())
                        : house_.open_append(path, encoder_->descriptor());
    if (!session) die(session.error());
    return std::move(*session);
  }

  std::shared_ptr<std::string> encode(std::int64_t rows) const {
    data::TableSlice slice(schema_);
    for (std::int64_t i = 0; i < rows; ++i) {
      slice.columns[0].append_int64(i);
      slice.columns[1].append_bytes(std::string(100, 'x'));
    }
    wire::RowBuffer buffer;
    auto done = encoder_->encode(slice, 0, static_cast<std::size_t>(rows), std::size_t{1} << 30, buffer);
    if (!done) die(done.error());
    return std::make_shared<std::string>(buffer.view());
  }

  void append(warehouse::AppendSession& session, const std::shared_ptr<std::string>& rows,
              std::optional<std::int64_t> offset) {
    wait_until_in_flight(kInFlightMax - 1);
    {
      std::lock_guard lock(mutex_);
      ++in_flight_;
    }
    session.append(
        *rows, rows, offset,
        [this](warehouse::AppendOutcome outcome) {
          if (!outcome.status) die(outcome.status.error());
          std::lock_guard lock(mutex_);
          --in_flight_;
          changed_.notify_all();
        },
        base::Deadline::never());
  }

  void wait_until_in_flight(int most) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return in_flight_ <= most; });
  }

  void commit(const data::TablePath& path, const std::vector<std::string>& ids) {
    for (const std::string& id : ids)
      if (auto done = house_.finalize_stream({path, id}); !done) die(done.error());
    auto done = house_.commit_streams(path, ids);
    if (!done) die(done.error());
    if (!done->refused.empty()) die(done->refused.front().second);
  }

  warehouse::Warehouse& house_;
  std::shared_ptr<data::SliceSchema> schema_;
  std::optional<wire::RowEncoder> encoder_;
  int tables_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  int in_flight_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::int64_t rows = 1'000'000;
  for (int i = 1; i < argc; ++i)
    if (std::strncmp(argv[i], "--rows=", 7) == 0) rows = std::atoll(argv[i] + 7);
  std::string folder = (std::filesystem::temp_directory_path() / "flytt-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  const base::SystemClock clock;
  base::Metrics metrics;
  warehouse::WarehouseOptions options;
  options.folder = folder;
  options.project = "p";
  auto house = warehouse::Warehouse::open(options, clock, metrics);
  if (!house) die(house.error());
  if (auto made = (*house)->create_dataset({{"p", "bench"}}); !made) die(made.error());
  Bench bench(**house);
  for (const std::int64_t rows_each : {std::int64_t{1}, std::int64_t{500}, std::int64_t{10'000}}) {
    const std::int64_t total = rows_each == 1 ? rows / 20 : rows;
    bench.run(std::nullopt, total / 10, rows_each);  // warm
    const double limit = bench.run(std::nullopt, total, rows_each);
    const double committed = bench.run(warehouse::StreamKind::kCommitted, total, rows_each);
    const double pending = bench.run(warehouse::StreamKind::kPending, total, rows_each);
    std::printf(
        "%6lld rows each: default %9.0f rows/s, COMMITTED %9.0f (ratio %.2f), PENDING with commit %9.0f (%.2f)\n",
        static_cast<long long>(rows_each), limit, committed, committed / limit, pending, pending / limit);
  }
  house->reset();
  std::filesystem::remove_all(folder);
  return 0;
}
