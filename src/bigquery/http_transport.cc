#include "bigquery/http_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <mutex>

#include "base/handle.h"
#include "bigquery/limits.h"

namespace flytt::bigquery {
namespace {

using base::Side;
using CurlHandle = base::Handle<CURL, &curl_easy_cleanup>;
using CurlList = base::Handle<curl_slist, &curl_slist_free_all>;
using CurlUrl = base::Handle<CURLU, &curl_url_cleanup>;

// libcurl wants one start per process, before threads; a static object does it at first use.
bool library_is_ready() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  return code == CURLE_OK;
}

struct Receiver {
  HttpResponse* response;
  bool is_too_large = false;
};

std::size_t take_body(char* bytes, std::size_t, std::size_t count, void* user) {
  auto& receiver = *static_cast<Receiver*>(user);
  if (receiver.response->body.size() + count > kResponseBytesMax) {
    receiver.is_too_large = true;
    return 0;
  }
  receiver.response->body.append(bytes, count);
  return count;
}

std::size_t take_header(char* bytes, std::size_t, std::size_t count, void* user) {
  auto& response = *static_cast<Receiver*>(user)->response;
  std::string_view line(bytes, count);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) response.headers.clear();  // of an interim answer
  const auto colon = line.find(':');
  if (colon == line.npos) return count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  response.headers.emplace_back(std::move(name), value);
  return count;
}

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  if (host.starts_with('[')) {
    const auto close = host.find(']');
    return close != host.npos && host.substr(0, close + 1) == "[::1]";
  }
  if (host == "::1") return true;
  host = host.substr(0, host.find(':'));
  if (host == "localhost") return true;
  // Only a complete dotted address counts: 127.example.org is somebody else.
  int parts = 0;
  std::string_view rest = host;
  while (!rest.empty()) {
    const auto dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool is_number = !part.empty() && part.size() <= 3 &&
                           std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number || (parts == 0 && part != "127")) return false;
    ++parts;
    rest = dot == rest.npos ? std::string_view() : rest.substr(dot + 1);
  }
  return parts == 4;
}

class CurlTransport::Impl {
 public:
  Impl(std::string base_url, bool is_secure, const base::Clock& clock)
      : base_url_(std::move(base_url)), is_secure_(is_secure), clock_(clock) {}

  bool is_secure() const { return is_secure_; }

  Result<HttpResponse> send(const HttpRequest& request, base::Deadline deadline) {
    if (clock_.is_past(deadline))
      return Error(ErrorCode::kTimeout, "no time was left for a request to " + base_url_).side(Side::kSink);
    CurlHandle curl = take();
    if (!curl) return Error(ErrorCode::kBug, "libcurl could not be started");
    curl_easy_reset(curl.get());  // options only; the connection stays
    HttpResponse response;
    Receiver receiver{&response};
    CurlList headers;
    prepare(curl.get(), request, receiver, headers, deadline);
    const CURLcode code = curl_easy_perform(curl.get());
    if (code != CURLE_OK) return failure(code, receiver);
    long status = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    give_back(std::move(curl));
    return response;
  }

 private:
  void prepare(CURL* curl, const HttpRequest& request, Receiver& receiver, CurlList& headers,
               base::Deadline deadline) const {
    for (const auto& [name, value] : request.headers) {
      headers.reset(curl_slist_append(headers.release(), (name + ": " + value).c_str()));
    }
    headers.reset(curl_slist_append(headers.release(), "Expect:"));  // no round trip for 100-continue
    const auto left = static_cast<long>(std::max<std::int64_t>(1, clock_.left(deadline).count()));
    curl_easy_setopt(curl, CURLOPT_URL, (base_url_ + request.target).c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, is_secure_ ? "https" : "http");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    if (!is_secure_)
      curl_easy_setopt(curl, CURLOPT_PROXY, "");  // loopback and metadata servers are never behind a proxy
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     std::min(left, static_cast<long>(std::chrono::milliseconds(kConnectTimeout).count())));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &receiver);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &receiver);
    if (request.method != "GET") {
      curl_easy_setopt(curl, CURLOPT_POST, 1L);
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
  }

  Error failure(CURLcode code, const Receiver& receiver) const {
    const std::string cause = curl_easy_strerror(code);
    if (receiver.is_too_large)
      return Error(ErrorCode::kConfig, "the answer of " + base_url_ + " is too large; ask for fewer rows")
          .side(Side::kSink);
    if (code == CURLE_OPERATION_TIMEDOUT)
      return Error(ErrorCode::kTimeout, base_url_ + " did not answer in time").side(Side::kSink).cause(cause);
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
      return Error(ErrorCode::kAuth,
                   "the certificate of " + base_url_ + " cannot be verified: check the system's certificates")
          .side(Side::kSink)
          .cause(cause);
    }
    return Error(ErrorCode::kUnavailable, base_url_ + " cannot be reached").side(Side::kSink).cause(cause);
  }

  CurlHandle take() {
    std::lock_guard lock(mutex_);
    if (idle_.empty()) return CurlHandle(library_is_ready() ? curl_easy_init() : nullptr);
    CurlHandle out = std::move(idle_.back());
    idle_.pop_back();
    return out;
  }
  void give_back(CurlHandle curl) {
    std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleConnectionsMax) idle_.push_back(std::move(curl));
  }

  const std::string base_url_;
  const bool is_secure_;
  const base::Clock& clock_;
  std::mutex mutex_;
  std::vector<CurlHandle> idle_;
};

CurlTransport::CurlTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CurlTransport::~CurlTransport() = default;

Result<std::unique_ptr<CurlTransport>> CurlTransport::make(const std::string& base_url, const base::Clock& clock,
                                                           HttpPeer peer) {
  const CurlUrl url(library_is_ready() ? curl_url() : nullptr);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, base_url.c_str(), 0) != CURLUE_OK) {
    return Error(ErrorCode::kConfig, "'" + base_url + "' is not a URL: write https://host or http://127.0.0.1:port");
  }
  const std::string scheme = url_part(url.get(), CURLUPART_SCHEME);
  if (scheme != "https" && scheme != "http")
    return Error(ErrorCode::kConfig, "'" + base_url + "' must begin with https:// or http://");
  if (!url_part(url.get(), CURLUPART_QUERY).empty() || !url_part(url.get(), CURLUPART_USER).empty()) {
    return Error(ErrorCode::kConfig, "'" + base_url + "' must hold nothing but scheme, host, port and path");
  }
  const bool is_secure = scheme == "https";
  if (!is_secure && peer == HttpPeer::kService && !is_loopback_host(url_part(url.get(), CURLUPART_HOST))) {
    return Error(ErrorCode::kConfig, "'" + base_url + "' is plain http to another machine: use https://");
  }
  std::string base = base_url;
  while (!base.empty() && base.back() == '/') base.pop_back();
  return std::unique_ptr<CurlTransport>(new CurlTransport(std::make_unique<Impl>(std::move(base), is_secure, clock)));
}

Result<HttpResponse> CurlTransport::send(const HttpRequest& request, base::Deadline deadline) {
  if (!impl_->is_secure()) {
    for (const auto& header : request.headers) {
      std::string name = header.first;
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (name == "authorization") return Error(ErrorCode::kBug, "a token must not be sent over plain http");
    }
  }
  return impl_->send(request, deadline);
}

bool CurlTransport::is_secure() const { return impl_->is_secure(); }

HttpConnector connector(const base::Clock& clock) {
  return [&clock](HttpPeer peer, const std::string& base_url) -> Result<std::unique_ptr<HttpTransport>> {
    TRY(auto transport, CurlTransport::make(base_url, clock, peer));
    return std::unique_ptr<HttpTransport>(std::move(transport));
  };
}

}  // namespace flytt::bigquery
