#pragma once
// Trees of YAML as text, by yaml-cpp's emitter: texts that would be read as something else are quoted, texts of several
// lines are blocks where that keeps every byte, members stay in their order.

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

namespace flytt::app {

// A text, never a number or a truth value: true → "true". (yaml-cpp marks what was quoted by the tag "!"; so does a file
// that was read.)
YAML::Node yaml_text(const std::string& text);
YAML::Node yaml_list(const std::vector<std::string>& texts);
// {}; a Node that has got no member is null.
YAML::Node yaml_empty_map();

// One document, ending in a line break, without "---".
std::string yaml_document(const YAML::Node& root);
// With a blank for each character that a reader of YAML or of units would take for the end of a line, or refuse.
std::string one_line(const std::string& text);
// "# " lines of at most 120 characters.
std::string comment_lines(const std::string& text);

}  // namespace flytt::app
