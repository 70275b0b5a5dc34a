#pragma once
// CopyReader: the messages of one COPY … TO STDOUT, many at a time and where they lie.
//
// libpq hands out a copy of every row (an allocation and two passes over its bytes, some 50 ns). On a plain connection
// this class therefore speaks the few messages of a copy itself, on libpq's socket, while libpq believes the connection
// to be idle: it sends Query and reads CopyOutResponse, CopyData …, CopyDone, CommandComplete, ReadyForQuery into one
// buffer (PostgreSQL manual, "Message Formats"). Under TLS or GSS encryption the rows come from libpq.
//
// Owned and called by one thread; it owns the connection. After an error it is of no further use.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/internal/client.h"

namespace flytt::postgres {

class CopyReader {
 public:
  static Result<std::unique_ptr<CopyReader>> start(std::unique_ptr<Client> client, std::string_view sql,
                                                   base::Deadline deadline, std::string doing,
                                                   bool through_libpq = false);

  // CopyData contents that have arrived, up to about kCopyChunkBytes; none when the deadline passed first or the copy
  // has ended. The views are valid until the next call.
  Result<const std::vector<std::string_view>*> read(base::Deadline deadline);
  bool ended() const { return ended_; }
  const base::Clock& clock() const { return client_->clock(); }

 private:
  CopyReader(std::unique_ptr<Client> client, std::string doing)
      : client_(std::move(client)), doing_(std::move(doing)) {}

  Status send_query(std::string_view sql, base::Deadline deadline);
  Result<const std::vector<std::string_view>*> read_libpq(base::Deadline deadline);
  Status take_messages();  // of what is in the buffer
  Status take_message(char type, std::string_view body);
  Result<bool> receive();  // false when nothing is there yet
  void make_room();
  Error broken(const std::string& how);

  std::unique_ptr<Client> client_;
  std::string doing_;
  bool through_libpq_ = false, ended_ = false, copy_done_ = false;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;  // of what was received and not taken
  std::vector<std::string_view> rows_;
  std::string kept_;  // rows of libpq, one after the other
  std::optional<Error> refused_;
};

}  // namespace flytt::postgres
