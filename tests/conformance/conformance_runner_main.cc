// conformance_runner FILE [-v] [--only TEXT]: see README.md.

#include <re2/re2.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "recorded_case.h"
#include "recorded_values.h"
#include "warehouse/warehouse.h"

namespace flytt::conformance {
namespace {

using nlohmann::json;
using warehouse::QueryOptions;
using warehouse::Warehouse;

constexpr const char* kProject = "conformance";
constexpr std::chrono::seconds kCaseTimeMax{60};

enum class Verdict { kRight, kUnsupported, kRefused, kWrong };
struct Outcome {
  Verdict verdict = Verdict::kRight;
  std::string reason;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

Result<data::Type> parameter_type(const json& type) {
  if (type.is_string()) {
    TRY(const data::TypeKind kind, data::parse_type_kind(type.get<std::string>()));
    return data::Type(kind);
  }
  if (type.value("type", "") == "ARRAY") {
    TRY(data::Type element, parameter_type(type["arrayType"]));
    return data::Type::array(std::move(element));
  }
  if (type.value("type", "") == "STRUCT") {
    std::vector<data::StructField> fields;
    for (const json& field : type["structTypes"]) {
      TRY(data::Type of, parameter_type(field["type"]));
      fields.push_back({field.value("name", ""), std::move(of)});
    }
    return data::Type::structure(std::move(fields));
  }
  return parameter_type(type.at("type"));
}

googlesql::ParameterValue parameter_value(const data::Type& type, const json& value) {
  googlesql::ParameterValue out;
  if (value.is_null()) {
    out.is_null = true;
  } else if (type.is(data::TypeKind::kArray)) {
    for (const json& each : value) out.elements.push_back(parameter_value(type.element[0], each));
  } else if (type.is(data::TypeKind::kStruct)) {
    for (const data::StructField& field : type.fields)
      out.elements.push_back(parameter_value(field.type, value.value(field.name, json())));
  } else {
    out.text = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return out;
}

class Runner {
 public:
  explicit Runner(Warehouse& warehouse, const base::Clock& clock) : warehouse_(warehouse), clock_(clock) {}

  Outcome run(const RecordedCase& one) {
    if (one.needs_rest) return {Verdict::kUnsupported, "set-up through REST"};
    for (const char* option : {"clustering_fields", "time_partitioning", "schema_update_options"}) {
      if (one.job_config.is_object() && one.job_config.contains(option))
        return {Verdict::kUnsupported, std::string("job option ") + option};
    }
    dataset_ = "c_" + std::to_string(++count_);
    if (one.setup.empty()) return ask(one);  // the recording made a dataset for cases with a set-up only
    warehouse::DatasetInfo dataset;
    dataset.path = {kProject, dataset_};
    if (auto made = warehouse_.create_dataset(dataset); !made)
      return {Verdict::kWrong, "no dataset: " + made.error().text()};
    const Outcome outcome = ask(one);
    (void)warehouse_.delete_dataset(dataset.path, true);
    return outcome;
  }

 private:
  std::string filled(std::string sql) const {
    sql = replaced(std::move(sql), "${DATASET_ID}", dataset_);
    sql = replaced(std::move(sql), "${DATASET}", std::string(kProject) + "." + dataset_);
    return replaced(std::move(sql), "${PROJECT}", kProject);
  }
  QueryOptions options() const {
    QueryOptions options;
    options.project = kProject;
    options.deadline = clock_.in(kCaseTimeMax);
    return options;
  }

  warehouse::Destination destination_of(const json& config) const {
    using Write = warehouse::Destination::Write;
    const std::string name = filled(config.at("destination").get<std::string>());
    warehouse::Destination destination;
    destination.table = {kProject, dataset_, name.substr(name.rfind('.') + 1)};
    const std::string write = config.value("write_disposition", "WRITE_EMPTY");
    destination.write = write == "WRITE_TRUNCATE" ? Write::kTruncate
                        : write == "WRITE_APPEND" ? Write::kAppend
                                                  : Write::kEmpty;
    return destination;
  }

  static Outcome refused(const Error& error, const char* where) {
    const bool is_clear =
        error.code() == base::ErrorCode::kUnsupported ||
        error.sentence().find("is not supported in this version of the embedded warehouse") != std::string::npos;
    return {is_clear ? Verdict::kUnsupported : Verdict::kRefused, std::string(where) + error.text()};
  }

  Outcome ask(const RecordedCase& one) {
    if (!one.setup.empty()) {
      auto result = warehouse_.query(filled(one.setup), options());
      if (!result) return refused(result.error(), "set-up: ");
      for (;;) {
        auto page = (*result)->next();
        if (!page) return refused(page.error(), "set-up: ");
        if (!*page) break;
      }
    }
    QueryOptions with = options();
    if (one.job_config.is_object() && one.job_config.contains("default_dataset"))
      with.default_dataset = {kProject, dataset_};
    if (one.parameters.is_object()) {
      for (const json& parameter : one.parameters["parameters"]) {
        auto type = parameter_type(parameter["type"]);
        if (!type) return {Verdict::kWrong, type.error().text()};
        with.parameters.push_back({parameter.value("name", ""), *type, parameter_value(*type, parameter["value"])});
      }
    }
    if (one.job_config.is_object() && one.job_config.contains("destination"))
      with.destination = destination_of(one.job_config);
    const bool is_dry = one.job_config.is_object() && one.job_config.value("dry_run", false);
    auto result = is_dry ? warehouse_.dry_run(filled(one.query), with) : warehouse_.query(filled(one.query), with);
    if (!result) return one.error ? compare_error(one, result.error()) : refused(result.error(), "");
    return compare(one, **result);
  }

  static Outcome compare_error(const RecordedCase& one, const Error& error) {
    if (error.code() == base::ErrorCode::kUnsupported) return {Verdict::kUnsupported, error.text()};
    // The analyzer writes "[at 1:8]", BigQuery "at [1:8]".
    std::string sentence = error.sentence();
    static const re2::RE2 position(R"(\[at (\d+:\d+)\])");
    re2::RE2::GlobalReplace(&sentence, position, R"(at [\1])");
    if (re2::RE2::PartialMatch(sentence, re2::RE2("(?s)" + one.error->value("message_pattern", ""), re2::RE2::Quiet)))
      return {};
    return {Verdict::kRefused, "refused with another sentence: " + error.text() +
                                   " · expected: " + one.error->value("message_sample", "")};
  }

  Outcome compare(const RecordedCase& one, warehouse::QueryResult& result) {
    const std::vector<googlesql::OutputColumn> columns = result.columns();
    std::vector<json> rows;
    for (;;) {
      auto page = result.next();
      if (!page) return one.error ? compare_error(one, page.error()) : refused(page.error(), "");
      if (!*page) break;
      for (std::size_t row = 0; row < (*page)->row_count(); ++row) {
        json values = json::array();
        for (std::size_t c = 0; c < columns.size(); ++c)
          values.push_back(recorded_value(columns[c].type, (*page)->columns[c], row));
        rows.push_back(std::move(values));
      }
    }
    if (one.error)
      return {Verdict::kWrong, "answered, where BigQuery refuses: " + one.error->value("message_sample", "")};
    if (Outcome schema = compare_schema(one, columns); schema.verdict != Verdict::kRight) return schema;
    return compare_rows(one, columns, rows);
  }

  static Outcome compare_schema(const RecordedCase& one, const std::vector<googlesql::OutputColumn>& columns) {
    if (one.schema.size() != columns.size()) return {Verdict::kWrong, "another number of columns"};
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const json actual = recorded_field(columns[i]);
      for (const char* part : {"name", "type", "mode"}) {
        const json expected = one.schema[i].value(part, json());
        if (actual[part] != expected && !(std::string(part) == "mode" && expected == "REQUIRED")) {
          return {Verdict::kWrong,
                  "column " + std::to_string(i + 1) + ": " + actual.dump() + " · expected: " + one.schema[i].dump()};
        }
      }
    }
    return {};
  }

  static bool same_row(const std::vector<googlesql::OutputColumn>& columns, const json& expected, const json& actual) {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (!expected.contains(columns[c].name) || !same_value(columns[c].type, expected[columns[c].name], actual[c]))
        return false;
    }
    return true;
  }

  static Outcome compare_rows(const RecordedCase& one, const std::vector<googlesql::OutputColumn>& columns,
                              std::vector<json>& rows) {
    if (one.rows.size() != rows.size()) {
      return {Verdict::kWrong, std::to_string(rows.size()) + " rows · expected: " + std::to_string(one.rows.size())};
    }
    const bool is_ordered = has_outer_order(one.query);
    for (std::size_t i = 0; i < one.rows.size(); ++i) {
      std::size_t at = i;
      if (!is_ordered) {
        while (at < rows.size() && !same_row(columns, one.rows[i], rows[at])) ++at;
        if (at < rows.size()) std::swap(rows[i], rows[at]);
      }
      if (at == rows.size() || !same_row(columns, one.rows[i], rows[i])) {
        return {Verdict::kWrong,
                "row " + std::to_string(i + 1) + ": " + rows[i].dump() + " · expected: " + one.rows[i].dump()};
      }
    }
    return {};
  }

  Warehouse& warehouse_;
  const base::Clock& clock_;
  std::string dataset_;
  int count_ = 0;
};

struct Counts {
  int right = 0, unsupported = 0, refused = 0, wrong = 0;
  void add(Verdict verdict) {
    switch (verdict) {
      case Verdict::kRight: ++right; break;
      case Verdict::kUnsupported: ++unsupported; break;
      case Verdict::kRefused: ++refused; break;
      case Verdict::kWrong: ++wrong; break;
    }
  }
};

struct Arguments {
  std::string file, only;
  bool is_verbose = false;
};

int run(const Arguments& arguments) {
  auto cases = read_cases(arguments.file);
  if (!cases) {
    std::fprintf(stderr, "%s\n", cases.error().text().c_str());
    return 2;
  }
  const auto folder = std::filesystem::temp_directory_path() / ("flytt-conformance-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  base::SystemClock clock;
  base::Metrics metrics;
  warehouse::WarehouseOptions options;
  options.folder = folder.string();
  options.project = kProject;
  options.maintenance = false;
  auto warehouse = Warehouse::open(options, clock, metrics);
  if (!warehouse) {
    std::fprintf(stderr, "%s\n", warehouse.error().text().c_str());
    std::filesystem::remove_all(folder);
    return 2;
  }
  Runner runner(**warehouse, clock);
  std::map<std::string, Counts> by_surface;
  Counts all;
  std::vector<std::string> wrong, refusals;
  for (const RecordedCase& one : *cases) {
    if (!is_select(one.query) || one.id.find(arguments.only) == std::string::npos) continue;
    const Outcome outcome = runner.run(one);
    by_surface[one.surface].add(outcome.verdict);
    all.add(outcome.verdict);
    const char* const name = outcome.verdict == Verdict::kRight         ? "right"
                             : outcome.verdict == Verdict::kUnsupported ? "unsupported"
                             : outcome.verdict == Verdict::kRefused     ? "refused"
                                                                        : "wrong";
    if (arguments.is_verbose)
      std::printf("%-12s %s%s%s\n", name, one.id.c_str(), outcome.reason.empty() ? "" : ": ", outcome.reason.c_str());
    if (outcome.verdict == Verdict::kWrong) wrong.push_back(one.id + ": " + outcome.reason);
    if (outcome.verdict == Verdict::kRefused) refusals.push_back(one.id + ": " + outcome.reason);
    std::fflush(stdout);
  }
  warehouse->reset();
  std::filesystem::remove_all(folder);
  std::printf("\n%-28s %6s %12s %8s %6s\n", "surface", "right", "unsupported", "refused", "wrong");
  for (const auto& [surface, counts] : by_surface) {
    std::printf("%-28s %6d %12d %8d %6d\n", surface.c_str(), counts.right, counts.unsupported, counts.refused,
                counts.wrong);
  }
  for (const std::string& each : refusals) std::printf("refused: %s\n", each.c_str());
  for (const std::string& each : wrong) std::printf("wrong: %s\n", each.c_str());
  // Refused: an error, and so no wrong answer, but neither BigQuery's own nor one that says "unsupported".
  std::printf("right %d, unsupported %d, refused %d, wrong %d\n", all.right, all.unsupported, all.refused, all.wrong);
  std::printf("%d passed, %d failed\n", all.right, all.unsupported + all.refused + all.wrong);
  return all.wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace flytt::conformance

int main(int count, char** values) {
  flytt::conformance::Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string value = values[i];
    if (value == "-v")
      arguments.is_verbose = true;
    else if (value == "--only" && i + 1 < count)
      arguments.only = values[++i];
    else
      arguments.file = value;
  }
  if (arguments.file.empty()) {
    std::fprintf(stderr, "usage: conformance_runner FILE [-v] [--only TEXT]\n");
    return 2;
  }
  return flytt::conformance::run(arguments);
}
