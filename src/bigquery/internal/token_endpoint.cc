#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "bigquery/internal/token_source.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using base::Secret;
using base::Side;
using nlohmann::json;

constexpr std::size_t kSentenceMax = 300;  // of what an endpoint says
constexpr std::size_t kWordMax = 30;       // what is longer may be a token

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "invalid_grant", "PERMISSION_DENIED"
std::string code_of(const std::string& text) {
  const bool is_code = text.size() <= 60 && std::all_of(text.begin(), text.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
                       });
  return is_code ? text : std::string();
}

// A sentence for people; nothing when it could hold a credential.
std::string sentence_of(const std::string& text) {
  if (text.size() > kSentenceMax) return {};
  std::size_t word = 0;
  for (const char c : text) {
    if (c < ' ' || c > '~') return {};
    word = c == ' ' ? 0 : word + 1;
    if (word > kWordMax) return {};
  }
  return text;
}

// OAuth's {"error": code, "error_description": sentence}, or google.rpc.Status as {"error": {"status": code}}.
std::string words_of(const HttpResponse& response) {
  std::string out = "HTTP status " + std::to_string(response.status);
  const json body = json::parse(response.body, nullptr, false);
  if (!body.is_object() || !body.contains("error")) return out;
  const json& error = body["error"];
  const std::string code = code_of(error.is_object() ? text_of(error, "status") : text_of(body, "error"));
  if (code.empty()) return out;
  const std::string sentence = error.is_object() ? std::string() : sentence_of(text_of(body, "error_description"));
  return out + ", " + code + (sentence.empty() ? "" : ": " + sentence);
}

std::optional<std::int64_t> seconds_of(const json& answer) {
  const auto found = answer.find("expires_in");
  if (found == answer.end()) return std::nullopt;
  if (found->is_number_integer()) return found->get<std::int64_t>();
  if (!found->is_string()) return std::nullopt;
  const std::string& text = found->get_ref<const std::string&>();  // some write a text
  std::int64_t seconds = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

}  // namespace

bool is_passing(int status) { return status == 429 || status >= 500; }

Error refusal(const HttpResponse& response, const std::string& host, const std::string& whom, const std::string& next) {
  if (is_passing(response.status))
    return Error(ErrorCode::kUnavailable, host + " gives no token for " + whom + " now")
        .side(Side::kSink)
        .cause(words_of(response));
  return Error(ErrorCode::kAuth, host + " gives no token for " + whom + ": " + next)
      .side(Side::kSink)
      .cause(words_of(response));
}

Result<AccessToken> token_of(const HttpResponse& response, const std::string& host, std::int64_t asked) {
  const json answer = json::parse(response.body, nullptr, false);
  const Secret token(answer.is_object() ? text_of(answer, "access_token") : std::string());
  const auto seconds = answer.is_object() ? seconds_of(answer) : std::nullopt;
  constexpr std::int64_t kYear = 366LL * 24 * 3'600;
  const bool is_plain =
      std::all_of(token.reveal().begin(), token.reveal().end(), [](char c) { return c > ' ' && c <= '~'; });
  if (token.empty() || !is_plain || !seconds || *seconds <= 0 || *seconds > kYear)
    return Error(ErrorCode::kCorrupt, "the answer of " + host + " holds no access_token with its expires_in")
        .side(Side::kSink);
  return AccessToken{token, asked + *seconds};
}

TokenEndpoint::TokenEndpoint(std::unique_ptr<HttpTransport> transport, std::string host, std::string target,
                             const CredentialsParts& parts)
    : transport_(std::move(transport)),
      host_(std::move(host)),
      target_(std::move(target)),
      clock_(parts.clock),
      retrier_(parts.clock, parts.random, kTokenTriesMax) {}

Result<std::unique_ptr<TokenEndpoint>> TokenEndpoint::open(const std::string& url, const CredentialsParts& parts) {
  const auto scheme = url.find("://");
  const auto path = scheme == url.npos ? url.npos : url.find_first_of("/?", scheme + 3);
  const std::string base = url.substr(0, path);
  // Neither is printed, because there could be a password in it.
  if (scheme == url.npos || base.find('@') != url.npos || base.find_first_of("\r\n ") != url.npos)
    return Error(ErrorCode::kConfig, "a URL of the credentials must begin with https:// and the name of a host");
  std::string target = path == url.npos ? "/" : url.substr(path, url.find('#', path) - path);
  if (target[0] == '?') target = "/" + target;
  TRY(auto transport, parts.connect(HttpPeer::kService, base));
  return std::unique_ptr<TokenEndpoint>(
      new TokenEndpoint(std::move(transport), base.substr(scheme + 3), std::move(target), parts));
}

Result<HttpResponse> TokenEndpoint::send(HttpRequest request) {
  request.target = target_;
  // The last answer is one, whatever its status.
  std::optional<HttpResponse> refused;
  auto response = retrier_.run(
      true, "a token of " + host_,
      [&](base::Deadline deadline) -> Result<HttpResponse> {
        refused.reset();
        TRY(HttpResponse answer, transport_->send(request, deadline.earlier(clock_.in(kTokenTimeout))));
        if (!is_passing(answer.status)) return answer;
        refused = std::move(answer);
        return Error(ErrorCode::kUnavailable, host_ + " gives no token now")
            .side(Side::kSink)
            .cause("HTTP status " + std::to_string(refused->status));
      },
      [](const Error&) {});
  if (!response && refused) return std::move(*refused);
  return response;
}

}  // namespace flytt::bigquery
