// Credentials files from anybody. What is taken has what its kind needs, and nothing that could end a header's line; an error
// holds no text of the file that is long enough to be a secret.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "bigquery/internal/credentials_json.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_one_line(const std::string& text) { return text.find_first_of("\r\n") == std::string::npos; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flytt::bigquery;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto file = parse_credentials(flytt::base::Secret(text));
  if (!file) {
    require(!file.error().sentence().empty() && is_one_line(file.error().text()));
    return 0;
  }
  require(is_one_line(file->project) && is_one_line(file->quota_project));
  if (const auto* key = std::get_if<ServiceAccountKey>(&file->source))
    require(!key->email.empty() && is_one_line(key->email) && !key->private_key.empty());
  if (const auto* user = std::get_if<UserLogin>(&file->source))
    require(!user->refresh_token.empty() && !user->token_url.empty() && is_one_line(user->account));
  if (const auto* external = std::get_if<ExternalAccount>(&file->source)) {
    require(external->subject.file.empty() != external->subject.url.empty() && !external->audience.empty());
    for (const auto& [name, value] : external->subject.headers)
      require(is_one_line(name) && is_one_line(value.reveal()));
  }
  if (file->impersonation) require(!file->impersonation->url.empty() && file->impersonation->lifetime_seconds >= 600);
  return 0;
}
