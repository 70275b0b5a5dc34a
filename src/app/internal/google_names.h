#pragma once
// What the configuration names at Google, BigQuery connections and buckets, and the commands that give rights there. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"

namespace flytt::app {

struct ConnectionName {
  std::string project, location, id;
  std::string text() const { return project + "." + location + "." + id; }  // as bq takes it
  std::string resource() const { return "projects/" + project + "/locations/" + location + "/connections/" + id; }
  friend bool operator==(const ConnectionName&, const ConnectionName&) = default;
};

// The first argument of each EXTERNAL_QUERY of a GoogleSQL text, in the order in which they stand there; comments and
// other literals are passed over.
std::vector<std::string> external_query_names(std::string_view sql);
// 'location.id', 'project.location.id' or 'projects/P/locations/L/connections/ID'. kConfig: another form, such as the bare
// name of a source, which only the embedded warehouse knows.
Result<ConnectionName> parse_connection_name(const std::string& name, const std::string& project);

struct QueryConnection {
  std::string query;  // the first that names it
  ConnectionName name;
};
// Connections of queries in the destination, each once. kConfig with the query's name.
Result<std::vector<QueryConnection>> connections_of(const Config& config);

// A bucket ("gs://NAME…") that a query or a job names and `buckets` does not.
struct BucketMention {
  std::string place, bucket;  // place: "query:orders", "job:story"
};
std::vector<BucketMention> unlisted_buckets(const Config& config);

// -- commands, for a shell
std::string shell_quoted(std::string_view text);
std::string enable_command(const std::string& service, const std::string& project);
// `member`: "serviceAccount:a@p.iam.gserviceaccount.com".
std::string grant_project_command(const std::string& project, const std::string& member, const std::string& role);
std::string grant_dataset_command(const std::string& project, const std::string& dataset, const std::string& member,
                                  const std::string& role);
std::string make_dataset_command(const std::string& project, const std::string& dataset, const std::string& location);
std::string grant_bucket_command(const std::string& bucket, const std::string& member, const std::string& role);
std::string make_bucket_command(const std::string& bucket, const std::string& project, const std::string& location);

}  // namespace flytt::app
