#pragma once
// Which variables and files a configuration takes from outside: found by the key table, without their values.

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "app/config.h"

namespace flytt::app {

// `root` has passed the check of keys. Of `sql` and of jobs only a text that is one reference counts, as they are read. Paths
// of certificates and keys, which need no ${file:…}, are files, too.
std::vector<Reference> references_of(const YAML::Node& root);

// A value of a secret key that stands in the file itself: a password in a URL, or any text that is no reference. The keys,
// "sources.sak.postgres".
std::vector<std::string> open_secrets_of(const YAML::Node& root);

}  // namespace flytt::app
