#pragma once
// One JSON object, member by member, in the order in which they are given.

#include <cstdint>
#include <string>

#include "base/log.h"

namespace flytt::app {

class JsonObject {
 public:
  JsonObject& text(const char* name, const std::string& value) { return raw(name, base::json_quote(value)); }
  JsonObject& text_or_null(const char* name, const std::string& value) {
    return raw(name, value.empty() ? "null" : base::json_quote(value));
  }
  JsonObject& number(const char* name, std::int64_t value) { return raw(name, std::to_string(value)); }
  JsonObject& raw(const char* name, const std::string& json) {
    out_ += (out_.size() == 1 ? "" : ",") + base::json_quote(name) + ":" + json;
    return *this;
  }
  std::string end() const { return out_ + "}"; }

 private:
  std::string out_ = "{";
};

}  // namespace flytt::app
