#include "googlesql/internal/literal_guard.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "data/civil.h"
#include "googlesql/internal/resolved.h"
#include "googlesql/internal/types.h"

namespace flytt::googlesql::internal {
namespace {

using google::protobuf::FieldDescriptor;
using zetasql::TypeProto;
using zetasql::ValueProto;

constexpr int kCastsMax = 8;

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// DATE as a word of its own, in any case.
bool mentions_date(std::string_view text) {
  for (std::size_t i = 0; i + 4 <= text.size(); ++i) {
    if (strncasecmp(text.data() + i, "date", 4) != 0) continue;
    if ((i == 0 || !is_word_byte(text[i - 1])) && (i + 4 == text.size() || !is_word_byte(text[i + 4]))) return true;
  }
  return false;
}

bool holds_epoch(const TypeProto& type, const ValueProto& value) {
  if (value.has_datetime_value()) return datetime_micros(value.datetime_value()) == 0;
  for (const ValueProto& element : value.array_value().element())
    if (holds_epoch(type, element)) return true;
  for (const ValueProto& field : value.struct_value().field())
    if (holds_epoch(type, field)) return true;
  if (value.has_range_value())
    return holds_epoch(type, value.range_value().start()) || holds_epoch(type, value.range_value().end());
  return false;
}

void collect(google::protobuf::Message& message, std::vector<zetasql::ResolvedLiteralProto*>& found) {
  if (message.GetDescriptor() == zetasql::ResolvedLiteralProto::descriptor()) {
    auto& literal = static_cast<zetasql::ResolvedLiteralProto&>(message);
    if (holds_epoch(literal.value().type(), literal.value().value())) found.push_back(&literal);
    return;
  }
  std::vector<const FieldDescriptor*> fields;
  const google::protobuf::Reflection* reflection = message.GetReflection();
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->message_type() == TypeProto::descriptor())
      continue;
    if (!field->is_repeated()) {
      collect(*reflection->MutableMessage(&message, field), found);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i)
      collect(*reflection->MutableRepeatedMessage(&message, field, i), found);
  }
}

Error cannot_mend() {
  return Error(
      ErrorCode::kUnsupported,
      "a constant DATE that is turned into a DATETIME is not supported here; write DATETIME(date) instead of the cast");
}

// The DATETIME that `text`, a constant expression, stands for; nullopt when the analyzer's own answer is right.
Result<std::optional<std::int64_t>> derive(AnalyzerImpl& analyzer, std::string text, base::Deadline deadline) {
  static const std::regex kCast(R"(^\s*(?:SAFE_)?CAST\s*\(([\s\S]*)\sAS\s+DATETIME\s*\)\s*$)", std::regex::icase);
  for (int casts = 0; casts < kCastsMax; ++casts) {
    if (!mentions_date(text)) return std::optional<std::int64_t>();
    service::AnalyzeRequest request;
    request.set_sql_expression(text);
    request.mutable_options()->set_default_timezone("UTC");
    zetasql::SimpleCatalogProto catalog;
    catalog.set_name("constants");
    TRY(const service::AnalyzeResponse response, analyzer.analyze(std::move(request), catalog, deadline));
    const auto* literal = as<zetasql::ResolvedLiteralProto>(unwrap(response.resolved_expression()));
    if (literal == nullptr) return cannot_mend();
    if (literal->value().value().has_date_value())
      return std::optional(literal->value().value().date_value() * data::kMicrosPerDay);
    if (!literal->value().value().has_datetime_value()) return std::optional<std::int64_t>();
    std::smatch parts;
    if (!std::regex_match(text, parts, kCast)) return cannot_mend();
    text = parts[1].str();
  }
  return cannot_mend();
}

Status mend(AnalyzerImpl& analyzer, std::string_view sql, base::Deadline deadline,
            zetasql::ResolvedLiteralProto& literal) {
  const zetasql::ParseLocationRangeProto& place = literal.parent().parent().parse_location_range();
  const bool is_placed = place.has_start() && place.has_end() && place.start() >= 0 && place.start() < place.end() &&
                         static_cast<std::size_t>(place.end()) <= sql.size();
  if (!is_placed) return cannot_mend();
  const auto start = static_cast<std::size_t>(place.start());
  const std::string text(sql.substr(start, static_cast<std::size_t>(place.end()) - start));
  if (!mentions_date(text)) return ok();
  if (!literal.value().value().has_datetime_value()) return cannot_mend();  // inside an array or a struct
  auto derived = derive(analyzer, text, deadline);
  if (!derived) return derived.error().code() == ErrorCode::kBadData ? cannot_mend() : std::move(derived).error();
  if (*derived) set_datetime(*literal.mutable_value()->mutable_value()->mutable_datetime_value(), **derived);
  return ok();
}

}  // namespace

Status mend_datetime_literals(AnalyzerImpl& analyzer, std::string_view sql, base::Deadline deadline,
                              google::protobuf::Message& tree) {
  if (!mentions_date(sql)) return ok();
  std::vector<zetasql::ResolvedLiteralProto*> suspects;
  collect(tree, suspects);
  for (zetasql::ResolvedLiteralProto* literal : suspects) TRY_STATUS(mend(analyzer, sql, deadline, *literal));
  return ok();
}

}  // namespace flytt::googlesql::internal
