#pragma once
// What Client and QueryJobs have in common: one request to REST, and the paths of what it is about.

#include <string>
#include <string_view>

#include "bigquery/client.h"

namespace flytt::bigquery {

// One request that may be sent several times.
struct Client::Call {
  std::string method, target;
  std::string object;  // what it is about, for messages
  std::string body;
  std::string etag;  // If-Match
  bool is_repeatable = true;
  // Set when an earlier try may have been carried out although no good answer came.
  bool* may_have_happened = nullptr;
};

std::string percent_encoded(std::string_view text);
std::string project_target(const std::string& project);

}  // namespace flytt::bigquery
