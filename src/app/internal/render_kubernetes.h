#pragma once
// Objects of Kubernetes that nais takes, too.

#include <yaml-cpp/yaml.h>

#include "app/internal/render_places.h"

namespace flytt::app {

// "apiVersion", "kind" and "metadata" with name, namespace and labels.
YAML::Node kubernetes_object(const RenderPlan& plan, const char* version, const char* kind, const std::string& name);
// The ConfigMap of a workload, with its configuration and its statements.
YAML::Node configuration_object(const RenderPlan& plan, const Workload& workload);
std::string configuration_name(const Workload& workload);
std::string variables_name(const RenderPlan& plan);     // of the Secret whose members are variables
std::string secret_files_name(const RenderPlan& plan);  // of the Secret whose members are files
// concurrencyPolicy: one process at a time holds the state, so none begins beside another; one that is to replace another waits
// for a state file, but not for a lease.
const char* concurrency_policy(const Workload& workload);
// {requests, limits} of cpu and memory.
YAML::Node kubernetes_resources(const Workload& workload);
std::string memory_quantity(std::int64_t bytes);  // 512Mi
// What has to be in the Secrets, with the command that makes them. `variables` as a sentence has them; empty: none.
std::vector<std::string> secret_needs(const RenderPlan& plan, const std::string& variables);

}  // namespace flytt::app
