#pragma once
// What a reader of Kafka topics is told: how to reach the brokers, which group it belongs to, which topics it reads and
// how their messages become rows. Plain values; `app` fills them from the configuration.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "data/schema.h"
#include "kafka/limits.h"

namespace flytt::kafka {

// PEM text wins over the file of the same name. Without a CA the system's own list is used.
struct TlsSettings {
  bool is_enabled = false;
  std::string ca_pem, ca_file;
  std::string certificate_pem, certificate_file;
  base::Secret key_pem;
  std::string key_file;
  base::Secret key_password;
  bool verifies_host_name = true;
};

enum class SaslMechanism { kNone, kPlain, kScramSha256, kScramSha512 };
struct SaslSettings {
  SaslMechanism mechanism = SaslMechanism::kNone;
  std::string user;
  base::Secret password;
};

struct ConnectionSettings {
  std::string brokers;  // "host:port,host:port"
  TlsSettings tls;
  SaslSettings sasl;
  std::string client_name = "flytt";  // client.id begins with it
  std::string source;                 // its name, for sentences of errors; may be empty
};

// A consumer group. Members of one group share its partitions.
struct GroupSettings {
  std::string id;
  // Static membership: a name that is this member's own, the same after a restart (the pod's ordinal). A member that is
  // back within `session_timeout` keeps its partitions without a rebalance. Empty: a dynamic member.
  std::string instance_id;
  // Of a static member: an orderly end gives its partitions to others at once, and only one that was killed keeps them.
  // Otherwise they wait for it until the session's timeout in either case.
  bool leaves_at_end = false;
  std::chrono::milliseconds session_timeout = kSessionTimeoutDefault;
  std::chrono::milliseconds poll_interval_max = kPollIntervalMaxDefault;
  // How long rows of a partition that is to be given up may take to become durable. At most a third of session_timeout
  // is used.
  std::chrono::milliseconds closing_time = kClosingTimeDefault;
};

// Names, or patterns in which * stands for any characters and ? for one.
struct TopicSelection {
  std::vector<std::string> include, exclude;
};

// Where a partition begins of which neither we nor the group remember a place. A partition that was added to a topic
// that we have read before always begins with its earliest message.
enum class StartPlace { kEarliest, kLatest, kError };

// What happens when the remembered place is not in the partition any more (retention took it, the topic was truncated or
// made anew). A place beyond the end is always an error where rows are told apart by their offsets: exactly once, upsert.
enum class LostPlace { kError, kEarliest, kLatest };

enum class Format { kJson, kText, kBytes };

// A field of the message that the declared or inferred schema does not have.
enum class UnknownFields {
  kDefault,  // kIgnore with a declared schema, kGrow without one
  kIgnore,
  kRest,  // those of the top level as one JSON object in the column PayloadSettings::rest_column
  kGrow,  // a nullable column is added
};

// Of inferred and grown columns.
enum class NestedForm { kStruct, kJson };

// What a JSON number counts where a TIMESTAMP or DATETIME is declared.
enum class EpochUnit { kRefused, kSeconds, kMillis, kMicros, kNanos };

// A column of the destination that comes from the message.
struct DeclaredField {
  std::string name;  // of the column
  data::Type type;
  bool is_required = false;
  std::string key;  // of the JSON object's member; empty: `name`
  std::string description;
};

struct PayloadSettings {
  Format format = Format::kJson;
  // kJson: empty means inferred. kText and kBytes: at most one field, of any type that has a text form; empty means one
  // column `value` STRING or BYTES.
  std::vector<DeclaredField> fields;
  UnknownFields unknown_fields = UnknownFields::kDefault;
  std::string rest_column = "_rest";
  NestedForm nested = NestedForm::kStruct;
  bool detects_times = true;        // inferred: texts in RFC 3339 form become TIMESTAMP, DATETIME, DATE
  bool numbers_in_strings = true;   // "12" is taken for a number where one is declared
  bool scalars_as_strings = false;  // 12, true, {…} are taken as their JSON text where a STRING is declared
  bool strict_times = false;        // only RFC 3339: 'T', seconds, a zone for TIMESTAMP and none for DATETIME
  EpochUnit epoch_unit = EpochUnit::kRefused;

  // Columns beside the payload. The first three are required for exactly-once delivery.
  bool topic_column = true;      // _kafka_topic STRING
  bool partition_column = true;  // _kafka_partition INT64
  bool offset_column = true;     // _kafka_offset INT64
  bool timestamp_column = true;  // _kafka_timestamp TIMESTAMP; NULL when the message has none
  enum class KeyColumn { kNone, kString, kBytes };
  KeyColumn key_column = KeyColumn::kNone;  // _kafka_key
  bool headers_column = false;              // _kafka_headers ARRAY<STRUCT<key STRING, value BYTES>>

  // Upsert: the message's key is the table's primary key and a message without a value deletes. `key_fields` names the
  // payload columns that the key holds: as a JSON object, or, if it is one column, as a bare value. Empty: the column
  // _kafka_key is the primary key (made even if key_column is kNone, then as STRING).
  bool is_upsert = false;
  std::vector<std::string> key_fields;

  bool keeps_raw = true;  // refused messages are kept in Rejection::raw
};

}  // namespace flytt::kafka
