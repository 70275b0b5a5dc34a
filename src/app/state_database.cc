#include "app/state_database.h"

#include <poll.h>

#include <utility>

#include "data/utf8.h"
#include "postgres/sql_session.h"

namespace flytt::app {

namespace {

constexpr std::chrono::milliseconds kPause{200};  // between two tries to connect

Error ours(Error error) { return std::move(error).side(base::Side::kLocal); }

// PostgreSQL refuses what is not UTF-8, and NUL: a sentence of somebody else that was cut may end inside of a character.
std::string storable(const std::string& text) {
  if (data::is_valid_utf8(text) && text.find('\0') == std::string::npos) return text;
  std::string out;
  for (const char c : text) out += c == '\0' || static_cast<unsigned char>(c) >= 0x80 ? '?' : c;
  return out;
}

struct ToParameter {
  postgres::SqlParameter operator()(std::int64_t value) const { return {std::to_string(value)}; }
  postgres::SqlParameter operator()(const std::string& value) const { return {storable(value)}; }
  postgres::SqlParameter operator()(const state::SqlBytes& value) const { return {value.bytes, true}; }
};

class StateSession final : public state::SqlSession {
 public:
  StateSession(std::unique_ptr<postgres::SqlSession> session, const base::Clock& clock,
               std::chrono::milliseconds patience)
      : session_(std::move(session)), clock_(clock), patience_(patience) {}

  Result<state::SqlAnswer> ask(const std::string& sql, const std::vector<state::SqlValue>& values) override {
    std::vector<postgres::SqlParameter> parameters;
    for (const state::SqlValue& value : values) parameters.push_back(std::visit(ToParameter(), value));
    auto answer = session_->query(sql, parameters, clock_.in(patience_), "use the state");
    if (!answer) return ours(std::move(answer).error());
    return state::SqlAnswer{std::move(answer->rows), answer->changes};
  }
  bool is_usable() const override { return session_->is_usable(); }

 private:
  std::unique_ptr<postgres::SqlSession> session_;
  const base::Clock& clock_;
  const std::chrono::milliseconds patience_;
};

}  // namespace

Result<state::SqlDatabase> state_database(const base::Secret& url, const std::string& schema, const base::Clock& clock,
                                          std::chrono::milliseconds patience) {
  const postgres::ConnectionSettings settings{url, "flytt_state"};
  TRY(const postgres::Endpoint endpoint, postgres::parse_endpoint(settings));
  state::SqlDatabase database;
  database.schema = schema;
  database.place = endpoint.text();
  database.connect = [settings, &clock, patience]() -> Result<std::unique_ptr<state::SqlSession>> {
    const base::Deadline deadline = clock.in(patience);
    while (true) {
      auto session = postgres::SqlSession::connect(settings, clock, deadline);
      if (session) return std::unique_ptr<state::SqlSession>(new StateSession(std::move(*session), clock, patience));
      if (session.error().retry() != base::Retry::kAfterBackoff || clock.left(deadline) <= kPause)
        return ours(std::move(session).error());
      ::poll(nullptr, 0, static_cast<int>(kPause.count()));
    }
  };
  return database;
}

}  // namespace flytt::app
