#include "postgres/internal/copy_reader.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "postgres/internal/error_map.h"
#include "postgres/internal/wire.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

constexpr std::size_t kHeaderBytes = 5;  // a type, and a length that counts itself

}  // namespace

Result<std::unique_ptr<CopyReader>> CopyReader::start(std::unique_ptr<Client> client, std::string_view sql,
                                                      base::Deadline deadline, std::string doing, bool through_libpq) {
  std::unique_ptr<CopyReader> reader(new CopyReader(std::move(client), std::move(doing)));
  reader->through_libpq_ = through_libpq || !reader->client_->is_plain();
  if (reader->through_libpq_) {
    TRY_STATUS(reader->client_->start_copy(sql, deadline, reader->doing_));
  } else {
    reader->capacity_ = kCopyChunkBytes;
    reader->buffer_.reset(new char[reader->capacity_]);
    TRY_STATUS(reader->send_query(sql, deadline));
  }
  return reader;
}

Error CopyReader::broken(const std::string& how) {
  return Error(ErrorCode::kUnavailable,
               "could not " + doing_ + ": the connection to " + client_->endpoint().text() + " broke (" + how + ")")
      .side(base::Side::kSource);
}

Status CopyReader::send_query(std::string_view sql, base::Deadline deadline) {
  std::string message = "Q";
  append_big_endian(message, static_cast<std::int32_t>(sql.size() + 5));
  message += sql;
  message += '\0';
  for (std::string_view rest = message; !rest.empty();) {
    const ssize_t sent = ::send(client_->socket(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return broken("it does not take the statement");
    TRY(const bool ready, client_->wait_writable(deadline));
    if (!ready)
      return Error(ErrorCode::kTimeout, "could not " + doing_ + " in time")
          .side(base::Side::kSource)
          .retry(base::Retry::kAfterBackoff);
  }
  return ok();
}

void CopyReader::make_room() {
  if (begin_ > 0) std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ < capacity_) return;
  // One message is larger than the buffer. Its length is bounded by PostgreSQL (1 GiB for a row).
  std::unique_ptr<char[]> larger(new char[capacity_ * 2]);
  std::memcpy(larger.get(), buffer_.get(), end_);
  buffer_ = std::move(larger);
  capacity_ *= 2;
}

Result<bool> CopyReader::receive() {
  if (end_ == capacity_ || begin_ > 0) make_room();
  for (;;) {
    const ssize_t got = ::recv(client_->socket(), buffer_.get() + end_, capacity_ - end_, 0);
    if (got > 0) {
      end_ += static_cast<std::size_t>(got);
      return true;
    }
    if (got == 0) return broken("the server closed it");
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    return broken(std::strerror(errno));
  }
}

Status CopyReader::take_messages() {
  while (end_ - begin_ >= kHeaderBytes && !ended_) {
    const char* at = buffer_.get() + begin_;
    const auto length = read_big_endian<std::int32_t>(at + 1);
    if (length < 4)
      return Error(ErrorCode::kCorrupt, "the server sent a message of an impossible length")
          .side(base::Side::kSource)
          .retry(base::Retry::kAfterBackoff);
    const std::size_t whole = static_cast<std::size_t>(length) + 1;
    if (end_ - begin_ < whole) break;
    begin_ += whole;
    if (*at == 'd')
      rows_.emplace_back(at + kHeaderBytes, whole - kHeaderBytes);
    else
      TRY_STATUS(take_message(*at, {at + kHeaderBytes, whole - kHeaderBytes}));
  }
  return ok();
}

Status CopyReader::take_message(char type, std::string_view body) {
  switch (type) {
    case 'H':  // CopyOutResponse
    case 'C':  // CommandComplete
    case 'N':  // NoticeResponse
    case 'S':  // ParameterStatus
    case 'A':  // NotificationResponse
      return ok();
    case 'c': copy_done_ = true; return ok();
    case 'Z':  // ReadyForQuery
      ended_ = true;
      if (refused_) return std::move(*refused_);
      if (!copy_done_) return Error(ErrorCode::kBug, "could not " + doing_ + ": it is not a copy");
      return ok();
    case 'E': {  // fields of a letter and a text, until an empty letter
      std::string_view sqlstate, message;
      WireReader in(body);
      for (char field = in.character(); field != 0 && !in.failed(); field = in.character()) {
        const std::string_view text = in.text();
        if (field == 'C') sqlstate = text;
        if (field == 'M') message = text;
      }
      if (!refused_) refused_ = translate_error(sqlstate, message, doing_);
      // After a fatal one the server says nothing more.
      if (sqlstate.starts_with("57P") || sqlstate.starts_with("08")) return std::move(*refused_);
      return ok();
    }
    default:
      return Error(ErrorCode::kCorrupt, "the server sent a message that does not belong to a copy")
          .side(base::Side::kSource)
          .retry(base::Retry::kAfterBackoff);
  }
}

Result<const std::vector<std::string_view>*> CopyReader::read(base::Deadline deadline) {
  rows_.clear();
  if (ended_) return &rows_;
  if (through_libpq_) return read_libpq(deadline);
  for (;;) {
    TRY(const bool received, receive());
    if (received) {
      TRY_STATUS(take_messages());
      if (!rows_.empty() || ended_) return &rows_;
      continue;
    }
    TRY(const bool ready, client_->wait_readable(deadline));
    if (!ready) return &rows_;
  }
}

Result<const std::vector<std::string_view>*> CopyReader::read_libpq(base::Deadline deadline) {
  kept_.clear();
  std::vector<std::size_t> ends;
  while (kept_.size() < kCopyChunkBytes) {
    std::string_view row;
    TRY(const CopyState state, client_->read_copy(row));
    ended_ = state == CopyState::kEnd;
    if (state == CopyState::kRow) {
      kept_ += row;
      ends.push_back(kept_.size());
      continue;
    }
    if (ended_ || !ends.empty()) break;
    TRY(const bool arrived, client_->wait_input(deadline));
    if (!arrived) break;
  }
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    rows_.emplace_back(kept_.data() + begin, end - begin);
    begin = end;
  }
  return &rows_;
}

}  // namespace flytt::postgres
