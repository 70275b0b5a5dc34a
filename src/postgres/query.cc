#include "postgres/query.h"

#include <strings.h>

#include <array>
#include <optional>
#include <utility>

#include "postgres/internal/client.h"
#include "postgres/internal/copy_reader.h"
#include "postgres/internal/copy_source.h"
#include "postgres/internal/type_cache.h"
#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

constexpr const char* kBegin =
    // The statement is somebody's own: it finds names, and is stopped, as in any other session of its role.
    "RESET search_path; RESET row_security; RESET statement_timeout; RESET lock_timeout; "
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

SourceType plain_type(std::uint32_t oid, const char* name, std::int32_t modifier = -1) {
  SourceType type;
  type.declared_oid = oid;
  type.declared = name;
  type.modifier = modifier;
  type.base = NamedType{oid, "pg_catalog", name, 'b', ','};
  return type;
}
SourceType text_type() { return plain_type(25, "text"); }

// What is selected for a column, and the type that it then has.
struct Selected {
  std::string expression;
  SourceType type;
};

// BigQuery's documented table for Cloud SQL federation. nullopt: the type is not in it.
std::optional<Selected> federated(const std::string& column, const SourceType& type, DecimalType decimals) {
  static constexpr std::array kAsTheyAre = {"int2",   "int4",    "int8", "float4", "float8",    "bool",        "bytea",
                                            "bpchar", "varchar", "text", "date",   "timestamp", "timestamptz", "time"};
  const std::string& name = type.base.name;
  if (type.is_array || type.base.schema != "pg_catalog" || type.base.kind != 'b') return std::nullopt;
  for (const char* known : kAsTheyAre)
    if (name == known) return Selected{column, type};
  if (name == "json" || name == "xml") return Selected{column + "::pg_catalog.text", text_type()};
  // The send functions write an int32 with the number of bits before the bytes.
  if (name == "bit" || name == "varbit")
    return Selected{"pg_catalog.\"substring\"(pg_catalog." + name + "_send(" + column + "), 5)",
                    plain_type(17, "bytea")};
  if (name != "numeric") return std::nullopt;
  switch (decimals) {
    case DecimalType::kNumeric:
      return Selected{column, plain_type(type.base.oid, "numeric", ((38 << 16) | data::kNumericScale) + 4)};
    case DecimalType::kBigNumeric: return Selected{column, plain_type(type.base.oid, "numeric")};
    case DecimalType::kFloat64: return Selected{column + "::pg_catalog.float8", plain_type(701, "float8")};
    case DecimalType::kString: return Selected{column + "::pg_catalog.text", text_type()};
  }
  return std::nullopt;
}

class Shape final : public QueryShape {
 public:
  const std::vector<QueryColumn>& columns() const override { return columns_; }

  std::string sql_;
  std::vector<QueryColumn> columns_;
  std::vector<std::string> expressions_;
  std::vector<Codec> codecs_;
};

// A statement that is wrong is not a fault of ours here.
Error of_statement(Error error) {
  if (error.code() != ErrorCode::kBug) return error;
  return Error(ErrorCode::kConfig, error.sentence())
      .side(base::Side::kSource)
      .retry(base::Retry::kAfterOperator)
      .cause(error.cause());
}

// Ends the statement at the server when nobody wants the rest of its rows.
class QuerySource final : public flow::Source {
 public:
  QuerySource(std::unique_ptr<CopySource> copy, const ConnectionSettings& settings, int pid, const base::Clock& clock)
      : copy_(std::move(copy)), settings_(settings), pid_(pid), clock_(clock) {}
  ~QuerySource() override {
    if (copy_->is_done() || has_failed_) return;
    copy_.reset();
    end_backend(settings_, pid_, clock_);
  }
  Result<std::optional<flow::Batch>> next(base::Deadline deadline) override {
    auto batch = copy_->next(deadline);
    has_failed_ = !batch;
    if (!batch) return of_statement(std::move(batch).error());
    return batch;
  }
  Status confirm(const flow::Position&) override { return ok(); }
  bool is_done() const override { return copy_->is_done(); }

 private:
  std::unique_ptr<CopySource> copy_;
  const ConnectionSettings settings_;
  const int pid_;
  const base::Clock& clock_;
  bool has_failed_ = false;
};

// A statement may end in a semicolon, and a comment after it; inside parentheses it must not. What stands after -- in the
// last line is a comment if nothing in it could close a string or another comment.
std::string without_semicolon(std::string sql) {
  while (true) {
    const auto end = sql.find_last_not_of(" \t\r\n\f\v;");
    sql.resize(end == sql.npos ? 0 : end + 1);
    const auto line = sql.find_last_of("\r\n") + 1;
    const auto comment = sql.find("--", line);
    if (comment == sql.npos || sql.find_first_of("'\"$*/", comment) != sql.npos) return sql;
    sql.resize(comment);
  }
}

Error no_rows(const std::string& why) {
  return Error(ErrorCode::kConfig, "the query " + why).side(base::Side::kSource).retry(base::Retry::kAfterOperator);
}

class Session final : public QuerySession {
 public:
  Session(const ConnectionSettings& settings, const base::Clock& clock) : settings_(settings), clock_(clock) {}

  Status start(base::Deadline deadline) {
    TRY(client_, Client::connect(settings_, Client::Mode::kNormal, clock_, deadline));
    TRY(const Rows facts,
        client_->query(std::string("RESET lc_monetary; ") + kBegin +
                           "; SELECT pg_catalog.pg_export_snapshot(), pg_catalog.current_setting('server_encoding'), "
                           "pg_catalog.scale('1'::pg_catalog.money::pg_catalog.numeric)",
                       deadline, "begin a read-only transaction"));
    snapshot_ = facts.text(0, 0);
    rules_.check_utf8 = facts.view(0, 1) == "SQL_ASCII";
    rules_.money_decimals = static_cast<int>(facts.number(0, 2));
    TRY(const Rows set, client_->query("SET LOCAL lc_monetary = 'C'", deadline, "begin a read-only transaction"));
    static_cast<void>(set);
    return ok();
  }

  Result<std::shared_ptr<const QueryShape>> describe(const std::string& sql, QueryTypes types, DecimalType decimals,
                                                     base::Deadline deadline) override {
    auto shape = std::make_shared<Shape>();
    shape->sql_ = without_semicolon(sql);
    auto described = client_->describe(shape->sql_, deadline, "read the columns of the query");
    // The transaction is over for what failed in it, and with it the snapshot: a session serves until its first error.
    if (!described) return of_statement(std::move(described).error());
    const Rows& rows = *described;
    if (rows.columns() == 0) return no_rows("returns no rows; it must be one SELECT");
    std::vector<std::uint32_t> oids;
    for (int i = 0; i < rows.columns(); ++i) oids.push_back(rows.type_of(i));
    TRY_STATUS(types_.load(*client_, oids, deadline));
    for (int i = 0; i < rows.columns(); ++i) TRY_STATUS(add_column(rows, i, types, decimals, *shape));
    return std::shared_ptr<const QueryShape>(std::move(shape));
  }

  Result<std::unique_ptr<flow::Source>> open_rows(std::shared_ptr<const QueryShape> any,
                                                  const std::vector<int>& columns,
                                                  std::shared_ptr<const data::SliceSchema> schema,
                                                  base::Deadline deadline) const override {
    const auto& shape = static_cast<const Shape&>(*any);
    auto plan = std::make_shared<RowPlan>();
    plan->schema = std::move(schema);
    std::string select;
    for (const int column : columns.empty() ? std::vector<int>{0} : columns) {
      const auto index = static_cast<std::size_t>(column);
      select += (select.empty() ? "" : ", ") + shape.expressions_[index];
      plan->codecs.push_back(shape.codecs_[index]);
    }
    CHECK(plan->codecs.size() == plan->schema->table.fields.size());
    const std::string doing = "run the query";
    TRY(auto client, Client::connect(settings_, Client::Mode::kNormal, clock_, deadline));
    TRY(const Rows begun, client->query(kBegin, deadline, doing));
    static_cast<void>(begun);
    if (const auto taken = client->query("SET TRANSACTION SNAPSHOT " + quote_literal(snapshot_), deadline, doing);
        !taken)
      return Error(ErrorCode::kUnavailable, "the snapshot of the query is gone (its connection ended); try again")
          .side(base::Side::kSource)
          .retry(base::Retry::kAfterBackoff)
          .cause(taken.error().cause());
    const int pid = client->backend_pid();
    // A comment at the end of the statement must not swallow the parenthesis.
    const std::string copy =
        "COPY (SELECT " + select + " FROM (" + shape.sql_ + "\n) AS _query) TO STDOUT (FORMAT binary)";
    auto reader = CopyReader::start(std::move(client), copy, deadline, doing);
    if (!reader) return of_statement(std::move(reader).error());
    auto source = std::make_unique<CopySource>(std::move(*reader), std::move(plan), data::Sequence{});
    return std::unique_ptr<flow::Source>(std::make_unique<QuerySource>(std::move(source), settings_, pid, clock_));
  }

 private:
  Status add_column(const Rows& rows, int index, QueryTypes types, DecimalType decimals, Shape& shape) {
    QueryColumn column;
    column.field.name = rows.name_of(index);
    for (const QueryColumn& other : shape.columns_)
      if (strcasecmp(other.field.name.c_str(), column.field.name.c_str()) == 0)
        return no_rows("returns two columns named \"" + column.field.name + "\"; give each a name of its own with AS");
    column.type_oid = rows.type_of(index);
    const auto type = types_.resolve(column.type_oid, rows.modifier_of(index), "");
    if (!type) return no_rows("has a column \"" + column.field.name + "\" of a type that the database does not know");
    column.type_name = type->is_array ? type->element.name + "[]" : type->base.name;
    const std::string quoted = quote_identifier(column.field.name);
    std::optional<Selected> selected =
        types == QueryTypes::kFederated ? federated(quoted, *type, decimals) : std::optional<Selected>({quoted, *type});
    column.is_supported = selected.has_value();
    if (!selected) selected = Selected{quoted, *type};
    shape.codecs_.push_back(make_codec(selected->type, rules_));
    shape.expressions_.push_back(types == QueryTypes::kFederated
                                     ? selected->expression
                                     : copy_expression(column.field.name, shape.codecs_.back()));
    column.field.type = shape.codecs_.back().type;
    shape.columns_.push_back(std::move(column));
    return ok();
  }

  const ConnectionSettings settings_;
  const base::Clock& clock_;
  std::unique_ptr<Client> client_;
  std::string snapshot_;
  ValueRules rules_;
  TypeCache types_;
};

}  // namespace

Result<std::unique_ptr<QuerySession>> QuerySession::open(const ConnectionSettings& settings, const base::Clock& clock,
                                                         base::Deadline deadline) {
  auto session = std::make_unique<Session>(settings, clock);
  TRY_STATUS(session->start(deadline));
  return std::unique_ptr<QuerySession>(std::move(session));
}

}  // namespace flytt::postgres
