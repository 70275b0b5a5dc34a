#include "postgres/internal/error_map.h"

#include <algorithm>
#include <array>

#include "postgres/limits.h"

namespace flytt::postgres {

namespace {

using base::Retry;
using base::Side;

struct Translation {
  std::string_view prefix;  // of the SQLSTATE; the first that fits wins
  ErrorCode code;
  Retry retry;
};

constexpr std::array kTranslations = {
    Translation{"08P01", ErrorCode::kUnsupported,
                Retry::kAfterOperator},  // protocol violation: how poolers refuse options
    Translation{"08", ErrorCode::kUnavailable, Retry::kAfterBackoff},
    Translation{"0A", ErrorCode::kUnsupported, Retry::kAfterOperator},
    Translation{"22", ErrorCode::kBadData, Retry::kNever},
    Translation{"23", ErrorCode::kBadData, Retry::kNever},
    Translation{"25006", ErrorCode::kConfig, Retry::kAfterOperator},  // read-only transaction
    Translation{"28", ErrorCode::kAuth, Retry::kAfterOperator},
    Translation{"3D", ErrorCode::kNotFound, Retry::kAfterOperator},
    Translation{"3F", ErrorCode::kNotFound, Retry::kAfterOperator},
    Translation{"40", ErrorCode::kUnavailable, Retry::kAfterBackoff},  // serialization, deadlock
    Translation{"42501", ErrorCode::kAuth, Retry::kAfterOperator},
    Translation{"42703", ErrorCode::kSchema, Retry::kAfterOperator},       // column
    Translation{"42P01", ErrorCode::kNotFound, Retry::kAfterOperator},     // table
    Translation{"42704", ErrorCode::kNotFound, Retry::kAfterOperator},     // slot, publication, role, type
    Translation{"42883", ErrorCode::kNotFound, Retry::kAfterOperator},     // function
    Translation{"4271", ErrorCode::kConflict, Retry::kNever},              // duplicate object, alias
    Translation{"42P0", ErrorCode::kConflict, Retry::kNever},              // duplicate database, schema, table …
    Translation{"42", ErrorCode::kBug, Retry::kNever},                     // our own SQL is wrong
    Translation{"53100", ErrorCode::kUnavailable, Retry::kAfterOperator},  // disk full
    Translation{"53300", ErrorCode::kThrottled, Retry::kAfterBackoff},     // too many connections
    Translation{"53400", ErrorCode::kConflict, Retry::kAfterOperator},     // all slots in use
    Translation{"53", ErrorCode::kUnavailable, Retry::kAfterBackoff},
    Translation{"54", ErrorCode::kUnsupported, Retry::kAfterOperator},
    Translation{"55006", ErrorCode::kConflict, Retry::kAfterBackoff},     // slot is active
    Translation{"55P03", ErrorCode::kUnavailable, Retry::kAfterBackoff},  // lock not available
    Translation{"55", ErrorCode::kConfig, Retry::kAfterOperator},         // wal_level, invalidated slot
    Translation{"57014", ErrorCode::kTimeout, Retry::kAfterBackoff},      // cancelled, statement timeout
    Translation{"57P04", ErrorCode::kNotFound, Retry::kAfterOperator},    // database dropped
    Translation{"57", ErrorCode::kUnavailable, Retry::kAfterBackoff},
    Translation{"58P01", ErrorCode::kNotFound, Retry::kAfterOperator},  // log segment removed
    Translation{"58", ErrorCode::kUnavailable, Retry::kAfterBackoff},
    Translation{"P0", ErrorCode::kUnavailable, Retry::kAfterOperator},
    Translation{"XX001", ErrorCode::kCorrupt, Retry::kAfterOperator},
    Translation{"XX002", ErrorCode::kCorrupt, Retry::kAfterOperator},
    Translation{"", ErrorCode::kUnavailable, Retry::kAfterBackoff},
};

bool may_quote_values(std::string_view sqlstate) {
  return sqlstate.starts_with("22") || sqlstate.starts_with("23") || sqlstate.starts_with("P0") ||
         sqlstate.starts_with("44") || sqlstate.starts_with("XX");
}

std::string one_line(std::string_view text) {
  std::string out(text.substr(0, kErrorTextBytesMax));
  std::replace(out.begin(), out.end(), '\n', ' ');
  out.erase(out.find_last_not_of(" \t\r") + 1);
  return out;
}

bool is_sqlstate(std::string_view text) {
  return text.size() == 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

}  // namespace

Error translate_error(std::string_view sqlstate, std::string_view message, std::string_view doing) {
  const auto found = std::find_if(kTranslations.begin(), kTranslations.end(),
                                  [&](const Translation& t) { return sqlstate.starts_with(t.prefix); });
  std::string sentence = "could not " + std::string(doing);
  if (may_quote_values(sqlstate))
    sentence += ": PostgreSQL gave an error whose text may quote a row, so it is left out";
  else if (!message.empty())
    sentence += ": " + one_line(message);
  Error error = Error(found->code, std::move(sentence)).side(Side::kSource).retry(found->retry);
  if (sqlstate.empty()) return error;
  return std::move(error).cause("SQLSTATE " + std::string(sqlstate));
}

Error translate_connect_error(std::string_view text, std::string_view endpoint) {
  const std::string doing = "connect to PostgreSQL at " + std::string(endpoint);
  // libpq tries every address of a host; the last answer of a server is the one that counts.
  for (auto at = text.rfind(":  "); at != text.npos && at > 0; at = text.rfind(":  ", at - 1)) {
    const std::string_view rest = text.substr(at + 3);
    if (rest.size() > 7 && is_sqlstate(rest.substr(0, 5)) && rest.substr(5, 2) == ": ") {
      const std::string_view message = rest.substr(7);
      return translate_error(rest.substr(0, 5), message.substr(0, message.find('\n')), doing);
    }
    if (at == 0) break;
  }
  const std::string shown = one_line(text);
  ErrorCode code = ErrorCode::kUnavailable;
  Retry retry = Retry::kAfterBackoff;
  if (text.find("no password supplied") != text.npos || text.find("password authentication failed") != text.npos) {
    code = ErrorCode::kAuth;
    retry = Retry::kAfterOperator;
  } else if (text.find("unsupported startup parameter") != text.npos ||
             text.find("does not support SSL") != text.npos) {
    code = ErrorCode::kUnsupported;
    retry = Retry::kAfterOperator;
  } else if (text.find("could not translate host name") != text.npos) {
    code = ErrorCode::kNotFound;
  }
  return Error(code, "could not " + doing + ": " + shown).side(Side::kSource).retry(retry);
}

}  // namespace flytt::postgres
