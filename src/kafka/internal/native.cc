#include "kafka/internal/native.h"

#include <unistd.h>

#include <atomic>
#include <cstring>

#include "base/log.h"
#include "kafka/limits.h"

namespace flytt::kafka {

namespace {

constexpr std::string_view kRecordPrefix = "flytt1:";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int kLogError = 3;  // syslog's LOG_ERR

void on_log(const rd_kafka_t* native, int level, const char*, const char* text) {
  base::log_debug("kafka client", {{"text", text}});
  if (level > kLogError) return;
  auto* client = static_cast<NativeClient*>(rd_kafka_opaque(native));
  // A broker that refuses our certificate just ends the connection; only the text tells.
  const bool is_tls = std::strstr(text, "SSL alert") != nullptr || std::strstr(text, "SSL routines") != nullptr;
  if (client) client->complaint().note(is_tls ? RD_KAFKA_RESP_ERR__SSL : RD_KAFKA_RESP_ERR__TRANSPORT, text);
}

void on_error(rd_kafka_t*, int code, const char* text, void* opaque) {
  static_cast<NativeClient*>(opaque)->complaint().note(static_cast<rd_kafka_resp_err_t>(code), text);
}

// Of every client its own, so that a broker's log and metrics tell members apart.
std::string own_name(const std::string& name) {
  static std::atomic<unsigned> counter{0};
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  return name + "-" + host + "-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

void add_tls(const TlsSettings& tls, Settings& out) {
  const auto add = [&out](const char* name, const std::string& pem, const std::string& file) {
    if (!pem.empty())
      out.emplace_back(std::string(name) + ".pem", pem);
    else if (!file.empty())
      out.emplace_back(std::string(name) + ".location", file);
  };
  add("ssl.ca", tls.ca_pem, tls.ca_file);
  add("ssl.certificate", tls.certificate_pem, tls.certificate_file);
  add("ssl.key", tls.key_pem.reveal(), tls.key_file);
  if (!tls.key_password.empty()) out.emplace_back("ssl.key.password", tls.key_password.reveal());
  out.emplace_back("ssl.endpoint.identification.algorithm", tls.verifies_host_name ? "https" : "none");
}

const char* mechanism_name(SaslMechanism mechanism) {
  switch (mechanism) {
    case SaslMechanism::kPlain: return "PLAIN";
    case SaslMechanism::kScramSha256: return "SCRAM-SHA-256";
    case SaslMechanism::kScramSha512: return "SCRAM-SHA-512";
    case SaslMechanism::kNone: break;
  }
  return "";
}

}  // namespace

void Complaint::note(rd_kafka_resp_err_t code, std::string text) {
  const std::lock_guard lock(mutex_);
  // What a log line says more exactly is not replaced by "all brokers are down".
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !text_.empty()) return;
  const bool is_vaguer = code == RD_KAFKA_RESP_ERR__TRANSPORT && code_ != RD_KAFKA_RESP_ERR_NO_ERROR;
  if (!is_vaguer) code_ = code;
  text_ = std::move(text);
}

void Complaint::clear() {
  const std::lock_guard lock(mutex_);
  code_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  text_.clear();
}

std::pair<rd_kafka_resp_err_t, std::string> Complaint::get() const {
  const std::lock_guard lock(mutex_);
  return {code_, text_};
}

Result<NativeConfig> make_config(const ConnectionSettings& settings, const Settings& more) {
  const bool has_sasl = settings.sasl.mechanism != SaslMechanism::kNone;
  Settings all = {
      {"bootstrap.servers", settings.brokers},
      {"client.id", own_name(settings.client_name)},
      {"security.protocol",
       settings.tls.is_enabled ? (has_sasl ? "sasl_ssl" : "ssl") : (has_sasl ? "sasl_plaintext" : "plaintext")},
      {"allow.auto.create.topics", "false"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"isolation.level", "read_committed"},
      {"enable.partition.eof", "true"},
      {"check.crcs", "true"},
      {"reconnect.backoff.max.ms", "5000"},
      {"socket.keepalive.enable", "true"},
  };
  if (settings.tls.is_enabled) add_tls(settings.tls, all);
  if (has_sasl) {
    all.emplace_back("sasl.mechanism", mechanism_name(settings.sasl.mechanism));
    all.emplace_back("sasl.username", settings.sasl.user);
    all.emplace_back("sasl.password", settings.sasl.password.reveal());
  }
  all.insert(all.end(), more.begin(), more.end());
  NativeConfig config(rd_kafka_conf_new());
  for (const auto& [name, value] : all) {
    char why[512];
    // The reason may repeat the value, which can be a key or a password: it is left out.
    if (rd_kafka_conf_set(config.get(), name.c_str(), value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK)
      return Error(ErrorCode::kConfig,
                   "the Kafka client refuses the value of its setting " + name + ": correct the source's settings");
  }
  return config;
}

Result<std::unique_ptr<NativeClient>> NativeClient::open(NativeConfig config, std::string source,
                                                         rd_kafka_type_t type) {
  auto client = std::make_unique<NativeClient>();
  client->source_ = std::move(source);
  rd_kafka_conf_set_opaque(config.get(), client.get());
  rd_kafka_conf_set_log_cb(config.get(), on_log);
  rd_kafka_conf_set_error_cb(config.get(), on_error);
  char why[512] = {};
  client->native_ = rd_kafka_new(type, config.get(), why, sizeof why);
  if (!client->native_)
    return Error(ErrorCode::kConfig,
                 "the Kafka client cannot be made from the source's settings: check certificates, key and mechanism")
        .cause(why);
  static_cast<void>(config.release());  // it belongs to the client now
  if (type == RD_KAFKA_CONSUMER) rd_kafka_poll_set_consumer(client->native_);
  return client;
}

NativeClient::~NativeClient() {
  // Without its own attempt to leave a group: that one may wait for ever.
  if (native_) rd_kafka_destroy_flags(native_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Error NativeClient::error(rd_kafka_resp_err_t code, const std::string& doing) {
  rd_kafka_poll(native_, 0);  // serves on_error
  const auto [said, text] = complaint_.get();
  const bool is_vague = code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
                        code == RD_KAFKA_RESP_ERR__WAIT_COORD || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
  if (is_vague && said != RD_KAFKA_RESP_ERR_NO_ERROR) code = said;
  return translate_error(code, source_.empty() ? doing : doing + " of source '" + source_ + "'", text);
}

int milliseconds_left(const base::Clock& clock, base::Deadline deadline) {
  return static_cast<int>(clock.left(deadline).count());
}

std::string partition_text(const std::string& topic, std::int32_t partition) {
  return topic + "/" + std::to_string(partition);
}

bool is_pattern(std::string_view name) { return name.find_first_of("*?") != name.npos; }

bool matches(std::string_view pattern, std::string_view topic) {
  // The last * is the only place to go back to.
  std::size_t p = 0, t = 0, star = pattern.npos, resume = 0;
  while (t < topic.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == topic[t])) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string to_regex(std::string_view pattern) {
  std::string out = "^";
  for (const char c : pattern) {
    if (c == '*')
      out += ".*";
    else if (c == '?')
      out += '.';
    else if (c == '.')
      out += "\\.";
    else
      out += c;  // topics have letters, digits, '.', '_' and '-' only
  }
  return out + "$";
}

std::string encode_record(std::string_view record) {
  if (record.empty()) return {};
  std::string out(kRecordPrefix);
  for (std::size_t i = 0; i < record.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8 | (i + j < record.size() ? static_cast<unsigned char>(record[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += i + j <= record.size() ? kBase64[bits >> (18 - 6 * j) & 63] : '=';
  }
  if (out.back() != '=') out += '=';  // an end that every version of decode_record knows
  out += '\0';                        // other clients take the text for a C string
  return out;
}

std::string decode_record(const void* metadata, std::size_t size) {
  std::string_view text(static_cast<const char*>(metadata), metadata ? size : 0);
  if (text.substr(0, kRecordPrefix.size()) != kRecordPrefix) return {};
  text.remove_prefix(kRecordPrefix.size());
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::size_t six = kBase64.find(c);
    if (six == kBase64.npos) return {};
    bits = bits << 6 | static_cast<std::uint32_t>(six);
    if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8));
  }
  return out;
}

}  // namespace flytt::kafka
