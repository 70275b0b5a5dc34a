#pragma once
// WriteStreams: streams that an application makes itself (Storage Write API), as far as they are made, looked at and ended.
//
// Thread-safe; calls block. A call repeats requests that failed for a passing reason, as `Client` does; repeating any of
// them is harmless: a second stream that nobody uses is no stream, and the others say what is so already. Errors carry
// side kSink: kNotFound when there is no such stream or table (streams that are not used expire), kConflict when the
// stream is in a state that does not allow it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "bigquery/credentials.h"
#include "bigquery/retrier.h"
#include "data/schema.h"
#include "wire/grpc_channel.h"

namespace flytt::bigquery {

enum class WriteStreamKind { kCommitted = 1, kPending = 2, kBuffered = 3 };

struct WriteStreamInfo {
  std::string name;  // "projects/p/datasets/d/tables/t/streams/…"
  WriteStreamKind kind = WriteStreamKind::kCommitted;
  std::int64_t created_micros = 0;
  std::int64_t committed_micros = 0;  // of kPending: 0 = not committed
};

class WriteStreams {
 public:
  struct Parts {
    wire::GrpcChannel channel;
    Credentials& credentials;  // its tokens go only over TLS
    const base::Clock& clock;
    base::Random& random;
  };
  explicit WriteStreams(Parts parts) : parts_(std::move(parts)), retrier_(parts_.clock, parts_.random) {}

  Result<WriteStreamInfo> create(const data::TablePath& table, WriteStreamKind kind);
  Result<WriteStreamInfo> get(const std::string& name);
  // Nothing can be appended any more, by anybody. The number of its rows; nullopt when the service does not say it.
  Result<std::optional<std::int64_t>> finalize(const std::string& name);
  // Rows up to and including `offset` of a kBuffered stream become visible. Returns that offset.
  Result<std::int64_t> flush(const std::string& name, std::int64_t offset);
  // The rows of finalized kPending streams of one table become visible, all together. Streams that an earlier try has
  // committed are fine. Returns the commit time, or 0 when it was an earlier try.
  Result<std::int64_t> batch_commit(const data::TablePath& table, const std::vector<std::string>& names);

  // Any thread: calls that wait return kCancelled, and so do all later ones.
  void cancel() { retrier_.cancel(); }

 private:
  template <typename Request, typename Response, typename Method>
  Result<Response> call(Method method, const Request& request, const std::string& routing, const std::string& object);

  const Parts parts_;
  Retrier retrier_;
};

}  // namespace flytt::bigquery
