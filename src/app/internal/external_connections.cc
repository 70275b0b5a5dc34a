#include "app/internal/external_connections.h"

#include <strings.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "postgres/query.h"

namespace flytt::app {

namespace {

constexpr auto kConnectPatience = std::chrono::seconds(30);
constexpr std::size_t kConnectionsMax = 10;  // BigQuery: different ones of a query

// BigQuery's way to say it.
Error refused(const std::string& what, const std::string& place) {
  return Error(ErrorCode::kBadData, "Invalid table-valued function EXTERNAL_QUERY " + what + " at " + place)
      .cause("invalidQuery");
}

std::string text_of(const Error& error) {
  return error.sentence() + (error.cause().empty() ? "" : ": " + error.cause());
}

struct ConnectionName {
  std::string project, location, id;  // the first two may be empty
};
std::optional<ConnectionName> parse_name(const std::string& text) {
  std::vector<std::string> parts;
  const bool is_resource = text.rfind("projects/", 0) == 0;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(is_resource ? '/' : '.', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const std::string& part : parts)
    if (part.empty()) return std::nullopt;
  if (is_resource) {
    if (parts.size() != 6 || parts[2] != "locations" || parts[4] != "connections") return std::nullopt;
    return ConnectionName{parts[1], parts[3], parts[5]};
  }
  ConnectionName name;
  name.id = parts.back();
  if (parts.size() > 1) name.location = parts[parts.size() - 2];
  for (std::size_t i = 0; i + 2 < parts.size(); ++i) name.project += (i > 0 ? "." : "") + parts[i];
  return name;
}

Result<postgres::DecimalType> parse_options(const googlesql::ExternalCall& call) {
  if (call.options.empty()) return postgres::DecimalType::kNumeric;
  const auto json = nlohmann::json::parse(call.options, nullptr, false);
  if (!json.is_object()) return refused("Options must be a JSON object", call.place);
  auto decimals = postgres::DecimalType::kNumeric;
  for (const auto& [key, value] : json.items()) {
    if (key != "default_type_for_decimal_columns")
      return refused("Unknown option " + key + "; there is default_type_for_decimal_columns", call.place);
    static const std::map<std::string, postgres::DecimalType> kTypes = {
        {"numeric", postgres::DecimalType::kNumeric},
        {"bignumeric", postgres::DecimalType::kBigNumeric},
        {"float64", postgres::DecimalType::kFloat64},
        {"string", postgres::DecimalType::kString}};
    std::string wanted = value.is_string() ? value.get<std::string>() : "";
    for (char& c : wanted) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    const auto known = kTypes.find(wanted);
    if (known == kTypes.end())
      return refused("default_type_for_decimal_columns must be numeric, bignumeric, float64 or string", call.place);
    decimals = known->second;
  }
  return decimals;
}

class Rows final : public warehouse::ExternalRows {
 public:
  Rows(std::shared_ptr<postgres::QuerySession> session, std::shared_ptr<const postgres::QueryShape> shape)
      : session_(std::move(session)), shape_(std::move(shape)) {
    for (const postgres::QueryColumn& column : shape_->columns()) fields_.push_back(column.field);
  }
  const std::vector<data::Field>& columns() const override { return fields_; }
  Result<std::unique_ptr<flow::Source>> open(const std::vector<int>& columns, base::Deadline deadline) override {
    auto schema = std::make_shared<data::SliceSchema>();
    schema->source_table = "the query";
    for (const int column : columns) schema->table.fields.push_back(fields_[static_cast<std::size_t>(column)]);
    return session_->open_rows(shape_, columns, std::move(schema), deadline);
  }

 private:
  const std::shared_ptr<postgres::QuerySession> session_;
  const std::shared_ptr<const postgres::QueryShape> shape_;
  std::vector<data::Field> fields_;
};

class Session final : public warehouse::ExternalSession {
 public:
  explicit Session(const ExternalConnections& connections) : connections_(connections) {}

  Result<std::shared_ptr<warehouse::ExternalRows>> describe(const googlesql::ExternalCall& call,
                                                            base::Deadline deadline) override {
    const auto source = connections_.find(call.connection);
    if (!source) return refused(source.error().sentence(), call.place);
    TRY(const postgres::DecimalType decimals, parse_options(call));
    const base::Deadline patience = deadline.earlier(connections_.clock().in(kConnectPatience));
    std::shared_ptr<postgres::QuerySession>& session = sessions_[(*source)->name];
    if (sessions_.size() > kConnectionsMax)
      return refused("A query may use at most " + std::to_string(kConnectionsMax) + " connections", call.place);
    if (!session) {
      postgres::ConnectionSettings settings;
      settings.url = (*source)->url;
      settings.application_name = "flytt_query";
      auto opened = postgres::QuerySession::open(settings, connections_.clock(), patience);
      if (!opened) return refused("Connect to PostgreSQL server failed: " + text_of(opened.error()), call.place);
      session = std::move(*opened);
    }
    auto shape = session->describe(call.query, postgres::QueryTypes::kFederated, decimals, patience);
    if (!shape)
      return refused("Failed to get query schema from PostgreSQL server: " + text_of(shape.error()), call.place);
    for (const postgres::QueryColumn& column : (*shape)->columns())
      if (!column.is_supported)
        return Error(ErrorCode::kBadData, "Invalid table-valued function external_query Postgres type (OID = " +
                                              std::to_string(column.type_oid) + ") isn't supported now at " +
                                              call.place + "; column " + column.field.name + " is of type " +
                                              column.type_name + ": cast it in the query, for example to text")
            .cause("invalidQuery");
    return std::shared_ptr<warehouse::ExternalRows>(std::make_shared<Rows>(session, std::move(*shape)));
  }

 private:
  const ExternalConnections& connections_;
  std::map<std::string, std::shared_ptr<postgres::QuerySession>> sessions_;  // by source
};

}  // namespace

std::unique_ptr<warehouse::ExternalSession> ExternalConnections::begin(const std::string&) {
  return std::make_unique<Session>(*this);
}

Result<const PostgresSourceConfig*> ExternalConnections::find(const std::string& connection) const {
  const auto bad = [&](const std::string& what) { return Error(ErrorCode::kBadData, what); };
  const auto name = parse_name(connection);
  if (!name)
    return bad("Invalid connection name '" + connection +
               "'; write 'location.connection' or 'project.location.connection'");
  if (!name->project.empty() && name->project != project_)
    return bad("Connection '" + connection + "' is of another project than " + project_);
  if (!name->location.empty() && strcasecmp(name->location.c_str(), location_.c_str()) != 0)
    return bad("Connection '" + connection + "' is in another location than the warehouse, which is in " + location_);
  std::string known;
  for (const PostgresSourceConfig& source : sources_) {
    known += (known.empty() ? "" : ", ") + source.name;
    if (source.name != name->id) continue;
    if (source.url.empty()) return bad("Connection '" + name->id + "' cannot be used: " + source.url_problem);
    return &source;
  }
  return bad("Not found: Connection " + name->id + "; PostgreSQL sources of the configuration are " +
             (known.empty() ? "none" : known));
}

}  // namespace flytt::app
