#include "googlesql/translator.h"

#include <utility>

#include "googlesql/internal/analyzer_impl.h"
#include "googlesql/internal/catalog_build.h"
#include "googlesql/internal/external_calls.h"
#include "googlesql/internal/literal_guard.h"
#include "googlesql/internal/statement_gen.h"
#include "googlesql/internal/types.h"
#include "googlesql/limits.h"

namespace flytt::googlesql {
namespace {

using internal::service::AnalyzeRequest;

// Spaces and comments (-- … , # … , /* … */) from `begin` on; the position of what follows them.
std::size_t skip_blanks(std::string_view sql, std::size_t begin) {
  std::size_t at = begin;
  while (at < sql.size()) {
    const std::string_view rest = sql.substr(at);
    if (rest[0] == ' ' || (rest[0] >= '\t' && rest[0] <= '\r')) {
      ++at;
    } else if (rest[0] == '#' || rest.substr(0, 2) == "--") {
      const std::size_t end = rest.find('\n');
      at = end == std::string_view::npos ? sql.size() : at + end + 1;
    } else if (rest.substr(0, 2) == "/*") {
      const std::size_t end = rest.find("*/", 2);
      if (end == std::string_view::npos) break;
      at += end + 2;
    } else {
      break;
    }
  }
  return at;
}

// Empty statements (";;") are allowed between statements.
std::size_t skip_empty(std::string_view sql, std::size_t begin) {
  std::size_t at = skip_blanks(sql, begin);
  while (at < sql.size() && sql[at] == ';') at = skip_blanks(sql, at + 1);
  return at;
}

std::string first_word(std::string_view text) {
  std::string word;
  for (const char c : text) {
    if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z')) break;
    word += static_cast<char>(c >= 'a' ? c - 'a' + 'A' : c);
  }
  return word;
}

// Statements of the scripting language have no resolved form; the analyzer would call them syntax errors.
Status refuse_scripting(std::string_view text) {
  static constexpr std::string_view kScripting[] = {"DECLARE", "SET",   "IF",     "LOOP",     "WHILE",  "REPEAT",
                                                    "FOR",     "BEGIN", "CALL",   "EXECUTE",  "BREAK",  "LEAVE",
                                                    "RAISE",   "CASE",  "RETURN", "CONTINUE", "ITERATE"};
  const std::string word = first_word(text);
  for (const std::string_view known : kScripting)
    if (word == known) return Error(ErrorCode::kUnsupported, "the scripting statement " + word + " is not supported");
  return ok();
}

void set_options(AnalyzeRequest& request, const TranslateOptions& options) {
  zetasql::AnalyzerOptionsProto& out = *request.mutable_options();
  out.set_error_message_mode(zetasql::ERROR_MESSAGE_ONE_LINE);
  out.set_default_timezone("UTC");
  out.set_prune_unused_columns(true);
  out.set_parse_location_record_type(zetasql::PARSE_LOCATION_RECORD_FULL_NODE_SCOPE);
  static constexpr zetasql::ResolvedASTRewrite kRewrites[] = {
      zetasql::REWRITE_FLATTEN,
      zetasql::REWRITE_UNPIVOT,
      zetasql::REWRITE_PIVOT,
      zetasql::REWRITE_TYPEOF_FUNCTION,
      zetasql::REWRITE_INLINE_SQL_FUNCTIONS,
      zetasql::REWRITE_INLINE_SQL_TVFS,
      zetasql::REWRITE_NULLIFERROR_FUNCTION,
      zetasql::REWRITE_INLINE_SQL_VIEWS,
      zetasql::REWRITE_MULTIWAY_UNNEST,
      zetasql::REWRITE_PIPE_ASSERT,
      zetasql::REWRITE_PIPE_IF,
      zetasql::REWRITE_GENERALIZED_QUERY_STMT,
  };
  for (const auto rewrite : kRewrites) out.add_enabled_rewrites(rewrite);
  static constexpr std::pair<const char*, zetasql::TypeKind> kPseudoColumns[] = {
      {"_PARTITIONTIME", zetasql::TYPE_TIMESTAMP}, {"_PARTITIONDATE", zetasql::TYPE_DATE}};
  for (const auto& [name, kind] : kPseudoColumns) {
    zetasql::AnalyzerOptionsProto::QueryParameterProto* column = out.add_ddl_pseudo_columns();
    column->set_name(name);
    column->mutable_type()->set_type_kind(kind);
  }
  bool named = false;
  for (const QueryParameter& parameter : options.parameters) named = named || !parameter.name.empty();
  if (!options.parameters.empty() && !named) out.set_parameter_mode(zetasql::PARAMETER_POSITIONAL);
  for (const QueryParameter& parameter : options.parameters) {
    if (!named) {
      *out.add_positional_query_parameters() = internal::type_proto(parameter.type);
      continue;
    }
    zetasql::AnalyzerOptionsProto::QueryParameterProto* declared = out.add_query_parameters();
    declared->set_name(parameter.name);
    *declared->mutable_type() = internal::type_proto(parameter.type);
  }
}

}  // namespace

std::string_view statement_type(StatementKind kind, bool has_query) {
  switch (kind) {
    case StatementKind::kQuery: return "SELECT";
    case StatementKind::kCreateTable: return has_query ? "CREATE_TABLE_AS_SELECT" : "CREATE_TABLE";
    case StatementKind::kDropTable: return "DROP_TABLE";
    case StatementKind::kCreateSchema: return "CREATE_SCHEMA";
    case StatementKind::kDropSchema: return "DROP_SCHEMA";
    case StatementKind::kInsert: return "INSERT";
    case StatementKind::kUpdate: return "UPDATE";
    case StatementKind::kDelete: return "DELETE";
    case StatementKind::kMerge: return "MERGE";
  }
  return "SELECT";
}

Result<Translation> translate(Analyzer& analyzer, std::string_view sql, std::size_t begin, Catalog& catalog,
                              const TranslateOptions& options) {
  if (sql.size() > kStatementBytesMax) return Error(ErrorCode::kUnsupported, "SQL of more than 4 MiB is not supported");
  Translation out;
  out.begin = skip_empty(sql, begin);
  if (out.begin >= sql.size()) return Error(ErrorCode::kBadData, "Syntax error: Unexpected end of script");
  TRY_STATUS(refuse_scripting(sql.substr(out.begin)));

  TRY(const auto named, analyzer.impl().table_names(sql, out.begin, options.deadline));
  std::vector<std::vector<std::string>> paths;
  for (const auto& name : named.table_name())
    paths.emplace_back(name.table_name_segment().begin(), name.table_name_segment().end());
  internal::TableMap tables;
  zetasql::SimpleCatalogProto described;
  TRY_STATUS(internal::build_catalog(paths, catalog, tables, described));
  TRY(const std::vector<internal::ExternalSite> calls, internal::find_external_calls(sql, out.begin));
  TRY_STATUS(internal::declare_external(calls, catalog, tables, described));
  std::string declared(sql);
  for (std::size_t i = 0; i < calls.size(); ++i)
    declared.replace(calls[i].begin, internal::kExternalFunction.size(), internal::external_name(i));

  AnalyzeRequest request;
  request.mutable_parse_resume_location()->set_input(std::move(declared));
  request.mutable_parse_resume_location()->set_byte_position(static_cast<int>(out.begin));
  request.mutable_parse_resume_location()->set_allow_resume(true);
  set_options(request, options);
  TRY(internal::service::AnalyzeResponse response,
      analyzer.impl().analyze(std::move(request), described, options.deadline));
  TRY_STATUS(
      internal::mend_datetime_literals(analyzer.impl(), sql, options.deadline, *response.mutable_resolved_statement()));
  TRY_STATUS(internal::generate_statement(response.resolved_statement(), sql, tables, options, out));
  out.end = static_cast<std::size_t>(response.resume_byte_position());
  out.is_last = skip_empty(sql, out.end) >= sql.size();
  return out;
}

Result<Translation> translate(Analyzer& analyzer, std::string_view sql, Catalog& catalog,
                              const TranslateOptions& options) {
  TRY(Translation only, translate(analyzer, sql, 0, catalog, options));
  if (!only.is_last) return Error(ErrorCode::kUnsupported, "several statements at once are not supported here");
  return only;
}

}  // namespace flytt::googlesql
