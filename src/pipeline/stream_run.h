#pragma once
// StreamRun: one life of a stream, from a checkpoint until it is stopped or something breaks.
//
//   StreamReader ──Channel (bounded by bytes)──▶ StreamWriter ──▶ sink
//        ▲                                            │ receipts → watermark → saved position
//        └──────────── Latest<Position> ◀─────────────┘
//
// The reader owns the source and is its heartbeat: it confirms the newest saved position at least every kHeartbeat, also
// while the channel is full and after it stopped reading. The writer owns the sink. They are actors; StreamRun owns them,
// outlives their jobs, and is used by the supervisor.
//
// Orderly end: request_stop → the reader stops reading and closes the channel → the writer drains it, collects all
// receipts, saves → the reader confirms that and is done. abort: both are done at their next step, nothing more is saved.
// An error on either side ends the run the orderly way as far as the other side can.

#include <atomic>
#include <mutex>
#include <optional>

#include "base/channel.h"
#include "flow/source.h"
#include "pipeline/actor.h"
#include "pipeline/delivery.h"
#include "pipeline/gauges.h"
#include "pipeline/ledger.h"
#include "pipeline/limits.h"

namespace flytt::pipeline {

// A batch on its way, with the time at which the source returned it.
struct MovingBatch {
  flow::Batch batch;
  base::SteadyTime read_at;
};

class StreamRun {
 public:
  struct Parts {
    Ledger& ledger;
    const base::Clock& clock;
    Gauges& gauges;
    std::size_t channel_bytes = kChannelBytes;
  };

  StreamRun(Parts parts, flow::Position start, std::unique_ptr<flow::Source> source,
            std::unique_ptr<Delivery> delivery);

  Actor& reader() { return reader_; }
  Actor& writer() { return writer_; }

  void request_stop() { is_stopping_ = true; }
  void abort() {
    is_aborted_ = true;
    channel_.close();
  }
  // Both actors are done.
  bool is_finished() const { return reader_is_done_ && writer_is_done_; }
  // What ended the run; nullopt while it runs and after an orderly stop.
  std::optional<Error> error() const;
  // The position that is saved in state.
  flow::Position saved() const;
  std::size_t channel_weight() const { return channel_.weight(); }

 private:
  class Reader final : public Actor {
   public:
    Reader(StreamRun& run, std::unique_ptr<flow::Source> source) : run_(run), source_(std::move(source)) {}
    Progress step(base::Duration wait) override;

   private:
    Result<Progress> read(base::Duration wait);
    Result<Progress> push(base::Duration wait);
    Result<Progress> see_out(base::Duration wait);
    Status confirm_if_due();
    void end();

    StreamRun& run_;
    std::unique_ptr<flow::Source> source_;
    std::optional<MovingBatch> pending_;
    std::size_t pending_bytes_ = 0;
    flow::Position confirmed_;
    base::SteadyTime confirmed_at_{};
    bool is_reading_ = true;
  };

  class Writer final : public Actor {
   public:
    Writer(StreamRun& run, std::unique_ptr<Delivery> delivery) : run_(run), delivery_(std::move(delivery)) {}
    Progress step(base::Duration wait) override;

   private:
    Result<Progress> work(base::Duration wait);
    Status save(bool is_last);
    void end();

    StreamRun& run_;
    std::unique_ptr<Delivery> delivery_;
    std::optional<Watermark::Passed> unsaved_;
    base::SteadyTime saved_at_{};
  };

  void fail(Error error);

  const Parts parts_;
  base::Channel<MovingBatch> channel_;
  base::Latest<flow::Position> newest_saved_;
  mutable std::mutex mutex_;
  std::condition_variable writer_ended_;
  flow::Position saved_;
  std::optional<Error> error_;
  std::atomic<bool> is_stopping_{false}, is_aborted_{false}, reader_is_done_{false}, writer_is_done_{false};
  Reader reader_;
  Writer writer_;
};

}  // namespace flytt::pipeline
