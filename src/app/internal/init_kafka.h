#pragma once
// `flytt init --kafka`: looks at the topics and writes a configuration with a schema that sampled messages show.

#include "app/commands.h"
#include "base/result.h"

namespace flytt::app {

// kConfig when the configuration file is there already and --force was not given.
Status check_may_write(const CommonOptions& common, const InitOptions& options);
Status write_kafka_configuration(const CommonOptions& common, const InitOptions& options);

}  // namespace flytt::app
