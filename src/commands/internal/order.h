#pragma once
// What the owner tells its supervisor over their socket, so that no variable is seen in arguments, environment or a file.
//
//   owner → supervisor   length (u32), the order: fields of length (u32) and bytes. Both are the same program: no versions.
//   supervisor → owner   kReady: it is named in the run's folder. Or a sentence, why it cannot be.
//   owner → supervisor   kGo: only now the command is started. An owner that died before sees to it that it never is, so that
//                        a folder without the file `supervisor` is one where nothing was started.
// Then the owner closes its end, or, with dies_with_parent, keeps it as long as the command may live. With a lease it sends
//   owner → supervisor   renewals: 8 bytes each, nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "commands/command.h"

namespace flytt::commands::internal {

inline constexpr int kOwnerSocket = 3;  // the descriptor in the supervisor
inline constexpr char kReady = 'R';
inline constexpr char kGo = 'G';

struct Order {
  std::string run;
  std::string program;
  std::vector<std::string> arguments;
  std::vector<base::Secret> environment;  // "NAME=value"
  std::string working_folder;
  CommandLimits limits;
  bool dies_with_parent = false;
  base::Deadline lease_until = base::Deadline::never();
};

base::Secret encode(const Order& order);
Result<Order> parse_order(std::string_view bytes);

// Blocking; false when the other side is gone or does not answer in the socket's time (SO_RCVTIMEO, SO_SNDTIMEO).
bool send_all(int socket, std::string_view bytes);
bool receive_all(int socket, char* bytes, std::size_t count);
bool send_order(int socket, const base::Secret& encoded);
Result<Order> receive_order(int socket);

using Renewal = std::int64_t;
Renewal encode_renewal(base::SteadyTime until);
base::SteadyTime decode_renewal(Renewal renewal);
// All of a few bytes or nothing, without waiting.
bool send_at_once(int socket, std::string_view bytes);

}  // namespace flytt::commands::internal
