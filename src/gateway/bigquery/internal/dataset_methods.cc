#include <algorithm>

#include "gateway/bigquery/internal/resources.h"
#include "gateway/bigquery/internal/rest_methods.h"
#include "gateway/bigquery/internal/query_request.h"
#include "gateway/limits.h"

namespace flytt::gateway::internal {

namespace {

warehouse::DatasetPath path_of(const RestCall& call) { return {call.target.project, call.target.dataset}; }

// "labels.key:value" or "labels.key", several separated by spaces: all must hold. Other filters are refused.
Result<bool> matches_filter(const warehouse::DatasetInfo& dataset, std::string_view filter) {
  constexpr std::string_view kPrefix = "labels.";
  while (!filter.empty()) {
    const auto space = filter.find(' ');
    std::string_view term = filter.substr(0, space);
    filter = space == filter.npos ? std::string_view{} : filter.substr(space + 1);
    if (term.empty()) continue;
    if (term.substr(0, kPrefix.size()) != kPrefix)
      return invalid("Invalid value for 'filter': write labels.<name>[:<value>].");
    term.remove_prefix(kPrefix.size());
    const auto colon = term.find(':');
    const auto label = dataset.labels.find(std::string(term.substr(0, colon)));
    if (label == dataset.labels.end()) return false;
    if (colon != term.npos && term.substr(colon + 1) != "*" && label->second != term.substr(colon + 1)) return false;
  }
  return true;
}

}  // namespace

Result<ListRange> list_range(const QueryParameters& query, const std::vector<std::string>& names) {
  ListRange out;
  TRY(const auto given_max, parse_count(query, "maxResults"));
  const std::int64_t items_max = std::min(given_max.value_or(kListItemsMax), kListItemsMax);
  const std::string_view token = query.get("pageToken");
  if (!token.empty()) {
    const auto name = percent_decode(token);
    if (!name) return invalid("Invalid value for 'pageToken': it is not a token of this list.");
    out.begin = static_cast<std::size_t>(std::upper_bound(names.begin(), names.end(), *name) - names.begin());
  }
  out.end = std::min(names.size(), out.begin + static_cast<std::size_t>(items_max));
  if (out.end < names.size() && out.end > out.begin) out.next_token = percent_encode(names[out.end - 1]);
  return out;
}

Result<std::string> DatasetMethods::list(const RestCall& call) {
  std::vector<warehouse::DatasetInfo> datasets;
  std::vector<std::string> names;
  for (warehouse::DatasetInfo& dataset : warehouse_.datasets(call.target.project)) {
    TRY(const bool is_wanted, matches_filter(dataset, call.query.get("filter")));
    if (!is_wanted) continue;
    names.push_back(dataset.path.dataset);
    datasets.push_back(std::move(dataset));
  }
  TRY(const ListRange range, list_range(call.query, names));
  OrderedJson out;
  out["kind"] = "bigquery#datasetList";
  out["etag"] = std::to_string(std::hash<std::string>()(call.target.project) ^ names.size());
  if (!range.next_token.empty()) out["nextPageToken"] = range.next_token;
  OrderedJson items = OrderedJson::array();
  for (std::size_t i = range.begin; i < range.end; ++i) items.push_back(dataset_list_item_json(datasets[i]));
  if (!items.empty()) out["datasets"] = std::move(items);
  return dump(out);
}

Result<std::string> DatasetMethods::insert(const RestCall& call) {
  TRY(const Json body, call.body());
  warehouse::DatasetInfo empty;
  empty.path.project = call.target.project;
  TRY(const warehouse::DatasetInfo wanted, parse_dataset(body, empty, WriteMode::kInsert));
  TRY(const warehouse::DatasetInfo made, warehouse_.create_dataset(wanted));
  return dump(dataset_json(made, call.base));
}

Result<std::string> DatasetMethods::get(const RestCall& call) {
  TRY(const warehouse::DatasetInfo dataset, warehouse_.dataset(path_of(call)));
  return dump(dataset_json(dataset, call.base));
}

Result<std::string> DatasetMethods::modify(const RestCall& call, bool is_patch) {
  TRY(const Json body, call.body());
  for (int attempt = 1;; ++attempt) {
    TRY(const warehouse::DatasetInfo before, warehouse_.dataset(path_of(call)));
    TRY(const warehouse::DatasetInfo wanted,
        parse_dataset(body, before, is_patch ? WriteMode::kPatch : WriteMode::kUpdate));
    warehouse::DatasetChange change;
    change.friendly_name = wanted.friendly_name;
    change.description = wanted.description;
    change.labels = wanted.labels;
    change.properties = wanted.properties;
    const auto if_match = call.if_match();
    change.if_etag = if_match.value_or(before.etag);
    auto after = warehouse_.update_dataset(path_of(call), change);
    if (after) return dump(dataset_json(*after, call.base));
    // Somebody else modified it between reading and writing: lay the change over what is there now.
    const bool is_race = !if_match && after.error().cause() == "conditionNotMet" && attempt < kUpdateAttemptsMax;
    if (!is_race) return std::move(after).error();
  }
}

Result<std::string> DatasetMethods::remove(const RestCall& call) {
  TRY_STATUS(warehouse_.delete_dataset(path_of(call), call.query.get("deleteContents") == "true"));
  return std::string();
}

}  // namespace flytt::gateway::internal
