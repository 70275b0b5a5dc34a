#include "gateway/internal/origin_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

namespace flytt::gateway::internal {

namespace {

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Shown back to the caller, so only as much as a name can be.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 100)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

}  // namespace

bool is_loopback_name(std::string_view host) {
  const std::string name = lower(host);
  if (name == "localhost" || name == "localhost.") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, name.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::optional<HostPort> split_host_port(std::string_view text) {
  HostPort out;
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == text.npos) return std::nullopt;
    out.host = lower(text.substr(1, close - 1));
    rest = text.substr(close + 1);
  } else {
    const auto colon = text.find(':');
    out.host = lower(text.substr(0, colon));
    rest = colon == text.npos ? std::string_view{} : text.substr(colon);
  }
  if (out.host.empty()) return std::nullopt;
  if (rest.empty()) return out;
  if (rest.front() != ':' || !is_digits(rest.substr(1)) || rest.size() > 6) return std::nullopt;
  out.port = rest.substr(1);
  return out;
}

std::optional<std::string> refuse_foreign(std::string_view host, std::string_view origin) {
  const auto target = split_host_port(host);
  if (!target || !is_loopback_name(target->host))
    return "this service answers only on its own machine, under 127.0.0.1, localhost or [::1]; the request asked for "
           "host '" +
           shown(host) + "'";
  if (origin.empty()) return std::nullopt;
  constexpr std::string_view kScheme = "http://";
  std::optional<HostPort> from;
  if (origin.substr(0, kScheme.size()) == kScheme) from = split_host_port(origin.substr(kScheme.size()));
  if (from && from->host == target->host && from->port == target->port) return std::nullopt;
  return "requests from web pages of another site are refused; this one came from '" + shown(origin) + "'";
}

}  // namespace flytt::gateway::internal
