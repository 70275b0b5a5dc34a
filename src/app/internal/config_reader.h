#pragma once
// Reading the nodes of the configuration file; what the config_*.cc files share.

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "app/config.h"

namespace flytt::app {

// Carries what every step needs to make an error with a line.
struct ConfigReader {
  const std::string& path;
  const Environment& environment;
  bool keeps_references = false;  // `resolve` gives the text as it stands; nothing outside of the file is read

  Error fail(const YAML::Node& node, const std::string& sentence) const;
  // Replaces ${env:NAME} and ${file:/path}. A missing one is an error that names it, never its value.
  Result<std::string> resolve(const YAML::Node& node) const;
  // Keeps `out` when there is no such key.
  Status duration(const YAML::Node& node, std::int64_t& out) const;
  Status boolean(const YAML::Node& node, bool& out) const;
  Status resolved(const YAML::Node& node, std::string& out) const;
  // The index of the value among `words`; `out` stays without the key.
  Status choice(const YAML::Node& node, const std::vector<std::string>& words, std::size_t& out) const;
  // A path in the file is relative to the file.
  std::string beside(const std::string& file) const;
};

std::string text_or(const YAML::Node& map, const char* key, std::string standard);

// `sources.*.kafka` and a stream that reads from such a source.
Status read_kafka_source(const ConfigReader& reader, const std::string& name, const YAML::Node& node, Config& config);
Status read_topic_stream(const ConfigReader& reader, const YAML::Node& name, const YAML::Node& node, Config& config);

}  // namespace flytt::app
