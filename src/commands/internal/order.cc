#include "commands/internal/order.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "commands/limits.h"

namespace flytt::commands::internal {

namespace {

void put(std::string& out, std::string_view field) {
  const auto length = static_cast<std::uint32_t>(field.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length).append(field);
}

template <typename T>
void put_number(std::string& out, T value) {
  put(out, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::string_view field() {
    std::uint32_t length = 0;
    if (bytes_.size() < sizeof length) return fail();
    std::memcpy(&length, bytes_.data(), sizeof length);
    bytes_.remove_prefix(sizeof length);
    if (bytes_.size() < length) return fail();
    const std::string_view field = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    return field;
  }
  template <typename T>
  T number() {
    T value{};
    const std::string_view bytes = field();
    if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
    is_whole_ = is_whole_ && bytes.size() == sizeof value;
    return value;
  }
  template <typename T>
  void list(std::vector<T>& values) {
    const auto count = number<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && is_whole_; ++i) values.emplace_back(std::string(field()));
  }
  bool is_done() const { return is_whole_ && bytes_.empty(); }

 private:
  std::string_view fail() {
    is_whole_ = false;
    bytes_ = {};
    return {};
  }
  std::string_view bytes_;
  bool is_whole_ = true;
};

}  // namespace

base::Secret encode(const Order& order) {
  std::string out;
  put(out, order.run);
  put(out, order.program);
  put_number(out, static_cast<std::uint32_t>(order.arguments.size()));
  for (const std::string& argument : order.arguments) put(out, argument);
  put_number(out, static_cast<std::uint32_t>(order.environment.size()));
  for (const base::Secret& variable : order.environment) put(out, variable.reveal());
  put(out, order.working_folder);
  put_number(out, order.limits);
  put_number(out, order.dies_with_parent);
  put_number(out, encode_renewal(order.lease_until.at));
  return base::Secret(std::move(out));
}

Result<Order> parse_order(std::string_view bytes) {
  Reader reader(bytes);
  Order order;
  order.run = reader.field();
  order.program = reader.field();
  reader.list(order.arguments);
  reader.list(order.environment);
  order.working_folder = reader.field();
  static_assert(std::is_trivially_copyable_v<CommandLimits>);
  order.limits = reader.number<CommandLimits>();
  order.dies_with_parent = reader.number<bool>();
  order.lease_until.at = decode_renewal(reader.number<Renewal>());
  if (!reader.is_done()) return Error(ErrorCode::kCorrupt, "the order of a supervisor is not whole");
  return order;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool receive_all(int socket, char* bytes, std::size_t count) {
  while (count > 0) {
    const ssize_t got = ::recv(socket, bytes, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

Renewal encode_renewal(base::SteadyTime until) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(until.time_since_epoch()).count();
}

base::SteadyTime decode_renewal(Renewal renewal) {
  return base::SteadyTime(std::chrono::duration_cast<base::Duration>(std::chrono::nanoseconds(renewal)));
}

bool send_at_once(int socket, std::string_view bytes) {
  return ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size());
}

bool send_order(int socket, const base::Secret& encoded) {
  const auto length = static_cast<std::uint32_t>(encoded.reveal().size());
  return send_all(socket, std::string_view(reinterpret_cast<const char*>(&length), sizeof length)) &&
         send_all(socket, encoded.reveal());
}

Result<Order> receive_order(int socket) {
  std::uint32_t length = 0;
  if (!receive_all(socket, reinterpret_cast<char*>(&length), sizeof length) || length > kOrderBytesMax)
    return Error(ErrorCode::kCancelled, "the owner of a supervisor ended before it gave its order");
  std::string bytes(length, '\0');
  const bool is_whole = receive_all(socket, bytes.data(), bytes.size());
  const base::Secret kept(std::move(bytes));
  if (!is_whole) return Error(ErrorCode::kCancelled, "the owner of a supervisor ended before it gave its order");
  return parse_order(kept.reveal());
}

}  // namespace flytt::commands::internal
