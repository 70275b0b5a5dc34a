#include "state/internal/connection.h"

#include <charconv>

namespace flytt::state::internal {

Statement& Statement::text(std::string_view value) {
  values_.emplace_back(std::string(value));
  return *this;
}

Statement& Statement::blob(std::string_view value) {
  values_.emplace_back(SqlBytes{std::string(value)});
  return *this;
}

Statement& Statement::number(std::int64_t value) {
  values_.emplace_back(value);
  return *this;
}

Result<bool> Statement::step() {
  if (!std::exchange(has_run_, true)) {
    TRY(answer_, connection_->ask(sql_, values_));
    connection_->changes_ = answer_.changes;
  }
  if (row_ == answer_.rows.size()) return false;
  ++row_;
  return true;
}

Status Statement::run() {
  TRY(const bool row, step());
  CHECK(!row);
  return ok();
}

std::int64_t Statement::number_at(std::size_t column) const {
  const std::string& text = text_at(column);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<Transaction> Transaction::begin(Connection& connection) {
  TRY_STATUS(connection.begin());
  return Transaction(connection);
}

Transaction::~Transaction() {
  if (connection_ != nullptr) connection_->rollback();
}

Status Transaction::commit() {
  // What fails to commit is rolled back, too.
  TRY_STATUS(connection_->commit());
  connection_ = nullptr;
  return ok();
}

std::string upsert(std::string_view table, std::string_view columns, std::size_t keys) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at < columns.size();) {
    const std::size_t end = std::min(columns.find(',', at), columns.size());
    names.emplace_back(columns.substr(at, end - at));
    at = columns.find_first_not_of(", ", end);
  }
  std::string values, key, changes;
  for (std::size_t i = 0; i < names.size(); ++i) {
    values += i == 0 ? "?" : ",?";
    std::string& list = i < keys ? key : changes;
    if (!list.empty()) list += ", ";
    list += i < keys ? names[i] : names[i] + "=excluded." + names[i];
  }
  return "INSERT INTO " + std::string(table) + "(" + std::string(columns) + ") VALUES(" + values + ") ON CONFLICT(" +
         key + ") DO UPDATE SET " + changes;
}

}  // namespace flytt::state::internal
