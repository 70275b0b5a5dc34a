#include "gateway/bigquery/internal/stream_name.h"

#include <vector>

namespace flytt::gateway::internal {

std::string StreamName::text() const {
  return "projects/" + table.project + "/datasets/" + table.dataset + "/tables/" + table.table + "/streams/" + id;
}

namespace {

// Empty when a segment is empty or there are more than eight.
std::vector<std::string_view> segments_of(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    if (end == begin || parts.size() == 8) return {};
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<data::TablePath> table_of(const std::vector<std::string_view>& parts) {
  if (parts.size() < 6 || parts[0] != "projects" || parts[2] != "datasets" || parts[4] != "tables") return std::nullopt;
  return data::TablePath{std::string(parts[1]), std::string(parts[3]), std::string(parts[5])};
}

}  // namespace

std::optional<StreamName> parse_stream_name(std::string_view text) {
  const std::vector<std::string_view> parts = segments_of(text);
  const bool is_new = parts.size() == 8 && parts[6] == "streams";
  const bool is_old = parts.size() == 7 && parts[6] == "_default";
  if (!is_new && !is_old) return std::nullopt;
  auto table = table_of(parts);
  if (!table) return std::nullopt;
  return StreamName{std::move(*table), std::string(parts.back())};
}

std::optional<data::TablePath> parse_table_name(std::string_view text) {
  const std::vector<std::string_view> parts = segments_of(text);
  return parts.size() == 6 ? table_of(parts) : std::nullopt;
}

}  // namespace flytt::gateway::internal
