#pragma once
// FlightBook: which batches are on their way, what each still waits for, and the receipts that are ready.
//
// A batch has its receipt when it is sealed (all its requests are known), each request is settled, and no refused row of it
// is waiting to be taken or resolved. Used under the sink's lock.

#include <map>
#include <vector>

#include "bigquery/storage_write_sink.h"

namespace flytt::bigquery {

class FlightBook {
 public:
  void open(flow::BatchSequence batch) { flights_[batch.value]; }
  void add_request(flow::BatchSequence batch) { ++flights_.at(batch.value).requests; }
  void seal(flow::BatchSequence batch) {
    flights_.at(batch.value).is_sealed = true;
    settle(batch.value);
  }
  void settle_request(flow::BatchSequence batch) {
    Flight& flight = flights_.at(batch.value);
    CHECK(flight.requests > 0);
    --flight.requests;
    settle(batch.value);
  }
  void refuse(RefusedRow row) {
    ++flights_.at(row.batch.value).untaken;
    refused_.push_back(std::move(row));
  }

  std::vector<RefusedRow> take_refused() {
    for (auto& [sequence, flight] : flights_) {
      flight.is_unresolved |= flight.untaken != 0;
      flight.untaken = 0;
    }
    return std::exchange(refused_, {});
  }
  void resolve(flow::BatchSequence batch) {
    const auto found = flights_.find(batch.value);
    if (found == flights_.end()) return;
    found->second.is_unresolved = false;
    settle(batch.value);
  }

  bool has_refused() const { return !refused_.empty(); }
  bool has_receipts() const { return !receipts_.empty(); }
  std::vector<flow::Receipt> take_receipts() { return std::exchange(receipts_, {}); }

 private:
  struct Flight {
    std::size_t requests = 0;  // not settled
    std::size_t untaken = 0;   // refused rows that nobody has taken
    bool is_unresolved = false;
    bool is_sealed = false;
  };

  void settle(std::uint64_t batch) {
    const auto found = flights_.find(batch);
    const Flight& flight = found->second;
    if (!flight.is_sealed || flight.requests != 0 || flight.untaken != 0 || flight.is_unresolved) return;
    receipts_.push_back({flow::BatchSequence(batch), {}});
    flights_.erase(found);
  }

  std::map<std::uint64_t, Flight> flights_;
  std::vector<RefusedRow> refused_;
  std::vector<flow::Receipt> receipts_;
};

}  // namespace flytt::bigquery
