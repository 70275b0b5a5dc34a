#include "warehouse/internal/stream_state.h"

#include <algorithm>

#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

std::string make_id(std::int64_t number, std::int64_t created_micros) {
  return "w" + std::to_string(number) + "-" + std::to_string(created_micros);
}

bool is_digits(const std::string& text, std::size_t begin, std::size_t end) {
  return begin < end &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char c) { return c >= '0' && c <= '9'; });
}

// As the service writes them.
const char* mode_of(StreamKind kind) {
  switch (kind) {
    case StreamKind::kCommitted: return "WRITE_OPTIMIZED";
    case StreamKind::kPending: return "PENDING";
    case StreamKind::kBuffered: return "BUFFERED";
  }
  return "UNKNOWN";
}

}  // namespace

StreamState::StreamState(std::int64_t its_number, StreamKind its_kind, std::shared_ptr<TableState> its_table,
                         std::int64_t created, const StreamFacts& facts)
    : number(its_number),
      kind(its_kind),
      table(std::move(its_table)),
      created_micros(created),
      id(make_id(its_number, created)),
      facts_(facts),
      taken_(facts.rows) {}

StreamFacts StreamState::facts() const {
  std::lock_guard lock(mutex_);
  return facts_;
}

bool StreamState::is_gone() const {
  std::lock_guard lock(mutex_);
  return gone_;
}

bool StreamState::is_expired(std::int64_t now_micros) const {
  const std::int64_t idle_max = kind == StreamKind::kCommitted ? kCommittedStreamIdleMicros : kStagedStreamIdleMicros;
  std::lock_guard lock(mutex_);
  return now_micros - facts_.used_micros > idle_max;
}

WriteStream StreamState::describe() const {
  const StreamFacts now = facts();
  WriteStream out;
  out.path = {table->version()->info.path, id};
  out.kind = kind;
  out.created_micros = created_micros;
  out.committed_micros = now.committed_micros;
  out.row_count = now.rows;
  out.flushed_rows = now.flushed;
  out.finalized = now.finalized;
  return out;
}

Result<std::int64_t> StreamState::take(std::optional<std::int64_t> wanted, std::int64_t rows) {
  {
    std::lock_guard lock(mutex_);
    if (gone_) return stream_not_found(id);
    if (facts_.finalized) return stream_finalized();
  }
  if (wanted && *wanted != taken_) {
    const bool is_within = *wanted < taken_;
    const std::string numbers = ", expected offset " + std::to_string(taken_) + ", received " + std::to_string(*wanted);
    if (is_within)
      return Error(ErrorCode::kConflict, "The offset is within stream" + numbers).cause("OFFSET_ALREADY_EXISTS");
    return Error(ErrorCode::kBadData, "The offset is beyond stream" + numbers).cause("OFFSET_OUT_OF_RANGE");
  }
  const std::int64_t first = taken_;
  taken_ += rows;
  return first;
}

void StreamState::keep_taken(std::int64_t now_micros) {
  std::lock_guard lock(mutex_);
  facts_.rows = taken_;
  facts_.used_micros = now_micros;
}

void StreamState::give_back() {
  std::lock_guard lock(mutex_);
  taken_ = facts_.rows;
}

void StreamState::publish(const StreamFacts& facts) {
  std::lock_guard lock(mutex_);
  facts_ = facts;
}

void StreamState::mark_gone() {
  std::lock_guard lock(mutex_);
  gone_ = true;
}

std::shared_ptr<StreamState> StreamDirectory::find(const std::string& id) const {
  std::lock_guard lock(mutex_);
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<StreamState>> StreamDirectory::of_table(std::int64_t table_id) const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<StreamState>> found;
  for (const auto& [id, stream] : streams_)
    if (stream->table->id == table_id) found.push_back(stream);
  return found;
}

std::vector<std::shared_ptr<StreamState>> StreamDirectory::expired(std::int64_t now_micros) const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<StreamState>> found;
  for (const auto& [id, stream] : streams_)
    if (stream->is_expired(now_micros)) found.push_back(stream);
  return found;
}

std::size_t StreamDirectory::size() const {
  std::lock_guard lock(mutex_);
  return streams_.size();
}

void StreamDirectory::put(std::shared_ptr<StreamState> stream) {
  std::lock_guard lock(mutex_);
  const std::string id = stream->id;
  streams_[id] = std::move(stream);
}

void StreamDirectory::remove(const StreamState& stream) {
  std::lock_guard lock(mutex_);
  streams_.erase(stream.id);
}

Error stream_not_found(const std::string& id) {
  const auto dash = id.find('-');
  const bool is_ours = dash != id.npos && id[0] == 'w' && is_digits(id, 1, dash) && is_digits(id, dash + 1, id.size());
  if (!is_ours) return Error(ErrorCode::kBadData, "Invalid stream name.").cause("STREAM_NOT_FOUND");
  return Error(ErrorCode::kNotFound, "Requested entity was not found.").cause("STREAM_NOT_FOUND");
}

Error stream_finalized() {
  return Error(ErrorCode::kBadData, "Stream has been finalized and cannot be appended.").cause("STREAM_FINALIZED");
}

Error wrong_stream_kind(const char* wanted, StreamKind actual) {
  return Error(ErrorCode::kBadData,
               "Stream must be created in " + std::string(wanted) + " mode, actual: " + mode_of(actual))
      .cause("INVALID_STREAM_TYPE");
}

}  // namespace flytt::warehouse::internal
