#include "postgres/sql_session.h"

#include "postgres/internal/client.h"

namespace flytt::postgres {

namespace {

constexpr std::uint32_t kByteaOid = 17;

std::string hexadecimal(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\\x";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

// bytea_output is hex in every session (client.h).
std::string bytes_of(std::string_view text) {
  std::string out;
  for (std::size_t at = 2; at + 1 < text.size(); at += 2)
    out += static_cast<char>(digit(text[at]) << 4 | digit(text[at + 1]));
  return out;
}

class ClientSession final : public SqlSession {
 public:
  explicit ClientSession(std::unique_ptr<Client> client) : client_(std::move(client)) {}

  Result<SqlRows> query(const std::string& sql, const std::vector<SqlParameter>& parameters, base::Deadline deadline,
                        const std::string& doing) override {
    std::vector<Parameter> texts;
    for (const SqlParameter& parameter : parameters)
      texts.emplace_back(parameter.is_bytes ? hexadecimal(parameter.value) : parameter.value);
    TRY(const Rows answer, client_->query(sql, deadline, doing, texts));
    SqlRows out;
    out.changes = answer.changes();
    for (int row = 0; row < answer.size(); ++row) {
      auto& cells = out.rows.emplace_back();
      for (int column = 0; column < answer.columns(); ++column)
        cells.push_back(answer.type_of(column) == kByteaOid ? bytes_of(answer.view(row, column))
                                                            : answer.text(row, column));
    }
    return out;
  }

  bool is_usable() const override { return client_->usable(); }

 private:
  std::unique_ptr<Client> client_;
};

}  // namespace

Result<std::unique_ptr<SqlSession>> SqlSession::connect(const ConnectionSettings& settings, const base::Clock& clock,
                                                        base::Deadline deadline) {
  TRY(auto client, Client::connect(settings, Client::Mode::kNormal, clock, deadline));
  return std::unique_ptr<SqlSession>(new ClientSession(std::move(client)));
}

}  // namespace flytt::postgres
