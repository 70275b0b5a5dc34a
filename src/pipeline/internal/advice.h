#pragma once
// What a person does about a table that is detached; the end of the sentence that says why.

#include <string>

#include "pipeline/limits.h"

namespace flytt::pipeline::internal {

// Of a database: its rows are copied again.
inline std::string copy_again(const std::string& stream, const std::string& table) {
  return "; mend it, then run `flytt resync " + stream + "." + table + "`";
}

// Of a topic: nothing is copied; its partitions wait where they stand.
inline std::string read_on(const std::string& stream, const std::string& topic) {
  return "; mend it: reading goes on where it stopped, within " + std::to_string(kDetachedRetry.count() / 60) +
         " minutes or, with `flytt resync " + stream + "." + topic + "`, at once";
}

}  // namespace flytt::pipeline::internal
