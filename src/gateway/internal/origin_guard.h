#pragma once
// Who may talk to a listener on loopback: programs that call it by a loopback name, and no web page of another site.
// (DNS rebinding: a page of evil.example whose name resolves to 127.0.0.1 sends "Host: evil.example".)

#include <optional>
#include <string>
#include <string_view>

namespace flytt::gateway::internal {

// "localhost", 127.0.0.0/8 or ::1; without a port, without brackets, any case.
bool is_loopback_name(std::string_view host);

struct HostPort {
  std::string host;  // lower case, without brackets
  std::string port;  // digits, may be empty
};
// "host", "host:port", "[v6]", "[v6]:port"; nullopt for anything else.
std::optional<HostPort> split_host_port(std::string_view text);

// nullopt when the request is welcome, else a sentence for the caller. `origin` empty = no such header.
std::optional<std::string> refuse_foreign(std::string_view host, std::string_view origin);

}  // namespace flytt::gateway::internal
