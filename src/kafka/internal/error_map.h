#pragma once
// The one place that reads librdkafka's error codes.

#include <librdkafka/rdkafka.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace flytt::kafka {

// `doing` continues "could not …" and names the object: "read topic team.events". `detail` is what the client itself
// last said about its brokers (host, port, TLS and SASL reasons; never a value or a credential); it may be empty.
Error translate_error(rd_kafka_resp_err_t code, std::string_view doing, std::string_view detail = {});

// Whether the client gets over it by itself.
bool is_passing(rd_kafka_resp_err_t code);

// Whether a group has no coordinator now, because it moves or, on a new broker, because the first one who asks for it has it
// made: to be asked again.
bool is_coordinator_away(rd_kafka_resp_err_t code);

}  // namespace flytt::kafka
