// expression_runner FILE [-v]: evaluates each expression of FILE (expression, tab, the answer of GoogleSQL's own evaluator as
// TO_JSON_STRING gives it, or ERROR and a sentence) in the embedded warehouse and compares. Refusals are equal whatever they say.

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "warehouse/warehouse.h"

namespace flytt::conformance {
namespace {

struct Answer {
  bool is_error = false, is_unsupported = false;
  std::string text;
};

Answer evaluate(warehouse::Warehouse& warehouse, const base::Clock& clock, const std::string& expression) {
  warehouse::QueryOptions options;
  options.project = "conformance";
  options.deadline = clock.in(std::chrono::seconds(60));
  const auto failed = [](const Error& error) {
    // Some refusals show only when a value is seen; then DuckDB carries the sentence.
    const bool is_clear =
        error.code() == base::ErrorCode::kUnsupported ||
        error.sentence().find("is not supported in this version of the embedded warehouse") != std::string::npos;
    return Answer{true, is_clear, error.sentence()};
  };
  auto result = warehouse.query("SELECT TO_JSON_STRING(" + expression + ")", options);
  if (!result) return failed(result.error());
  auto page = (*result)->next();
  if (!page) return failed(page.error());
  if (!*page || (*page)->row_count() != 1) return {true, false, "no row"};
  const data::Column& column = (*page)->columns[0];
  return {false, false, column.is_null(0) ? "NULL" : std::string(column.bytes(0))};
}

int run(const std::string& path, bool is_verbose) {
  std::ifstream file(path);
  if (!file) {
    std::fprintf(stderr, "Cannot read %s.\n", path.c_str());
    return 2;
  }
  const auto folder = std::filesystem::temp_directory_path() / ("flytt-expressions-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  base::SystemClock clock;
  base::Metrics metrics;
  warehouse::WarehouseOptions options;
  options.folder = folder.string();
  options.project = "conformance";
  options.maintenance = false;
  auto warehouse = warehouse::Warehouse::open(options, clock, metrics);
  if (!warehouse) {
    std::fprintf(stderr, "%s\n", warehouse.error().text().c_str());
    std::filesystem::remove_all(folder);
    return 2;
  }
  int right = 0, unsupported = 0;
  std::vector<std::string> wrong;
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    const std::string expression = line.substr(0, tab), expected = line.substr(tab + 1);
    const Answer answer = evaluate(**warehouse, clock, expression);
    const bool wants_error = expected.substr(0, 6) == "ERROR ";
    if (answer.is_unsupported) {
      ++unsupported;
      if (is_verbose) std::printf("unsupported  %s: %s\n", expression.c_str(), answer.text.c_str());
    } else if (wants_error ? answer.is_error : !answer.is_error && answer.text == expected) {
      ++right;
    } else {
      wrong.push_back(expression + ": " + answer.text + " · expected: " + expected);
    }
  }
  warehouse->reset();
  std::filesystem::remove_all(folder);
  for (const std::string& each : wrong) std::printf("wrong: %s\n", each.c_str());
  std::printf("right %d, unsupported %d, wrong %zu\n", right, unsupported, wrong.size());
  std::printf("%d passed, %zu failed\n", right, static_cast<std::size_t>(unsupported) + wrong.size());
  return wrong.empty() ? 0 : 1;
}

}  // namespace
}  // namespace flytt::conformance

int main(int count, char** values) {
  bool is_verbose = false;
  std::string path;
  for (int i = 1; i < count; ++i) {
    if (std::string(values[i]) == "-v")
      is_verbose = true;
    else
      path = values[i];
  }
  if (path.empty()) {
    std::fprintf(stderr, "usage: expression_runner FILE [-v]\n");
    return 2;
  }
  return flytt::conformance::run(path, is_verbose);
}
