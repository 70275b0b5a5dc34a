#include "state/lease.h"

#include "state/internal/schema.h"
#include "state/limits.h"

namespace flytt::state {

namespace {

std::string in_micros(const std::string& instant) { return "(extract(epoch FROM " + instant + ") * 1000000)::bigint"; }

// The tokens only ever grow: the row is never deleted. `taken` is told under a token, as an older program that takes the lease
// leaves it alone; and a table that is only read may be an older one, without these columns.
class SchemaLeaseTable final : public LeaseTable {
 public:
  SchemaLeaseTable(SqlDatabase database, bool writes) : database_(std::move(database)), writes_(writes) {}

  Result<LeaseRow> read() override {
    TRY(const SqlAnswer answer,
        ask("SELECT holder, token, ceil(extract(epoch FROM expires - clock_timestamp()) * 1000)::bigint, " +
                in_micros("expires") + ", CASE WHEN told->>'told_token' = token::text THEN " +
                in_micros("(told->>'taken')::timestamptz") +
                " ELSE 0 END, CASE WHEN told->>'told_token' = token::text THEN told->>'address' END FROM (SELECT "
                "holder, token, expires, to_jsonb(l) AS told FROM lease AS l) AS lease_row",
            {}));
    if (answer.rows.empty()) return LeaseRow{};
    const auto& row = answer.rows.front();
    const auto number = [&row](std::size_t column) { return internal::number_of(row.at(column)); };
    return LeaseRow{row.at(0), number(1), number(2), number(3), number(4), row.at(5)};
  }

  // The row is locked before the condition is looked at, and clock_timestamp() is that very moment.
  Result<std::optional<std::int64_t>> take(const std::string& holder, std::chrono::milliseconds length) override {
    TRY(const SqlAnswer answer,
        ask("INSERT INTO lease(name, holder, token, expires, told_token, taken, address) "
            "VALUES('engine', $1, 1, clock_timestamp() + $2 * interval '1 millisecond', 1, clock_timestamp(), '') "
            "ON CONFLICT(name) DO UPDATE SET "
            "holder=excluded.holder, token=lease.token+1, expires=clock_timestamp() + $2 * interval '1 millisecond', "
            "told_token=lease.token+1, taken=clock_timestamp(), address='' "
            "WHERE lease.expires<=clock_timestamp() OR lease.holder=excluded.holder RETURNING token",
            {holder, length.count()}));
    if (answer.rows.empty()) return std::optional<std::int64_t>();
    return std::optional(internal::number_of(answer.rows.front().at(0)));
  }

  Result<bool> renew(const std::string& holder, std::int64_t token, std::chrono::milliseconds length,
                     const std::string& address) override {
    TRY(const SqlAnswer answer,
        ask("UPDATE lease SET expires=clock_timestamp() + $3 * interval '1 millisecond', address=$4 "
            "WHERE name='engine' AND holder=$1 AND token=$2",
            {holder, token, length.count(), address}));
    return answer.changes == 1;
  }

  Status give_back(const std::string& holder) override {
    TRY(const SqlAnswer answer,
        ask("UPDATE lease SET expires=clock_timestamp() WHERE name='engine' AND holder=$1", {holder}));
    static_cast<void>(answer);
    return ok();
  }

  Result<SqlAnswer> ask(const std::string& sql, const std::vector<SqlValue>& values) {
    if (session_ == nullptr || !session_->is_usable()) {
      TRY(session_, internal::open_session(database_, writes_));
    }
    return session_->ask(sql, values);
  }

 private:
  const SqlDatabase database_;
  const bool writes_;
  std::unique_ptr<SqlSession> session_;
};

}  // namespace

Result<std::unique_ptr<LeaseTable>> open_lease_table(const SqlDatabase& database, LeaseAccess access) {
  const bool writes = access == LeaseAccess::kMake;
  TRY(const auto session, internal::open_session(database, writes));
  TRY_STATUS(writes ? internal::make_schema(*session, database) : internal::require_schema(*session, database));
  return std::unique_ptr<LeaseTable>(new SchemaLeaseTable(database, writes));
}

Result<std::string> missing_state_right(const SqlDatabase& database) {
  TRY(const auto session, internal::open_session(database, false));
  return internal::missing_grant(*session, database);
}

void Lease::hold_from(base::SteadyTime sent) {
  const base::SteadyTime until = sent + length_ - length_ / kLeaseMarginShare;
  work_until_ = until.time_since_epoch().count();
}

Result<bool> Lease::take() {
  const base::SteadyTime sent = clock_.steady();
  was_asked_for_ = true;
  TRY(const auto token, table_.take(holder_, length_));
  if (!token) return false;
  token_ = *token;
  hold_from(sent);
  is_over_ = false;
  return may_work();  // not when the answer came too late
}

Status Lease::renew() {
  const Error lost(ErrorCode::kConflict, "the lease is over: another replica may have taken over");
  if (!may_work()) return lost;
  const base::SteadyTime sent = clock_.steady();
  TRY(const bool is_renewed, table_.renew(holder_, token_, length_, address_));
  if (!is_renewed) is_over_ = true;
  if (!may_work()) return lost;  // also when the answer came after the end of what it renews
  hold_from(sent);
  return ok();
}

Status Lease::give_back() {
  is_over_ = true;
  return was_asked_for_ ? table_.give_back(holder_) : ok();
}

bool Lease::may_work() const {
  if (clock_.steady() >= work_until()) is_over_ = true;
  return !is_over_;
}

Fence Lease::fence() const {
  return {holder_, token_, [this] { return may_work(); }};
}

}  // namespace flytt::state
