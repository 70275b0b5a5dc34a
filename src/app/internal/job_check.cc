#include "app/internal/job_check.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace flytt::app {

namespace {

namespace fs = std::filesystem;

constexpr const char* kStandardPath = "/usr/local/bin:/usr/bin:/bin";  // as `commands` has it
constexpr std::size_t kFirstLineBytesMax = 256;

bool may_execute(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

std::string path_of(const JobConfig& job, const std::map<std::string, std::string>& inherited) {
  if (const auto own = job.environment.find("PATH"); own != job.environment.end()) return own->second;
  if (const auto secret = job.secrets.find("PATH"); secret != job.secrets.end()) return secret->second.value.reveal();
  const auto taken = inherited.find("PATH");
  return taken == inherited.end() ? kStandardPath : taken->second;
}

std::string find_in_path(const std::string& program, const std::string& path) {
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const std::string candidate = path.substr(at, end - at) + "/" + program;
    if (end > at && may_execute(candidate)) return candidate;
    at = end + 1;
  }
  return "";
}

class JobCheck {
 public:
  JobCheck(const JobConfig& job, std::vector<Found>& found) : job_(job), found_(found) {}

  void run(const std::map<std::string, std::string>& inherited) {
    check_program(path_of(job_, inherited));
    if (!job_.folder.empty()) check_folder();
    for (const auto& [name, secret] : job_.secrets) check_reference("secrets", name, secret);
    for (const auto& [name, file] : job_.files) check_reference("files", name, file);
  }

 private:
  std::string key(const std::string& name) const { return "'jobs." + job_.name + "." + name + "'"; }
  void add(const std::string& rule, const std::string& object, const std::string& sentence, const std::string& fix) {
    found_.push_back({job_.entry->name, {postgres::Finding::Severity::kError, rule, object, sentence, fix}});
  }

  void check_program(const std::string& path) {
    std::string program = job_.run.front();
    if (program.find('/') == std::string::npos) {
      program = find_in_path(program, path);
      if (program.empty())
        return add("program", job_.run.front(), "no folder of PATH holds a program of this name: " + path,
                   "install it, or name it with its path in " + key("run"));
    }
    std::error_code error;
    if (!fs::exists(program, error))
      return add("program", program, "there is no such file", "put it there, or name another in " + key("run"));
    if (!fs::is_regular_file(program, error))
      return add("program", program, "it is not a file", "name a program in " + key("run"));
    if (!may_execute(program)) return add("program", program, "this user may not execute it", "chmod +x " + program);
    check_form(program);
  }

  // A program of the system's own form is left to the system.
  void check_form(const std::string& program) {
    std::ifstream file(program, std::ios::binary);
    std::string start(kFirstLineBytesMax, '\0');
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<std::size_t>(file.gcount()));
    if (start.starts_with("\x7f"
                          "ELF") ||
        (start.empty() && !file.is_open()))
      return;
    if (!start.starts_with("#!"))
      return add("program", program, "it is neither a program nor a script with a #! line, and no shell is involved",
                 "begin it with a line like #!/bin/sh");
    const std::size_t from = start.find_first_not_of(" \t", 2);
    const std::size_t to = start.find_first_of(" \t\r\n", std::min(from, start.size()));
    const std::string interpreter =
        from == std::string::npos ? "" : start.substr(from, to == std::string::npos ? to : to - from);
    if (!may_execute(interpreter))
      add("program", program, "its first line names '" + interpreter + "', which cannot be executed",
          "install it, or mend the line");
  }

  void check_folder() {
    std::error_code error;
    if (!fs::is_directory(job_.folder, error))
      return add("folder", job_.folder, "there is no such folder", "mkdir " + job_.folder);
    if (::access(job_.folder.c_str(), R_OK | X_OK) != 0)
      add("folder", job_.folder, "this user may not work in it",
          "give the user of flytt the right to read and enter it");
  }

  void check_reference(const std::string& part, const std::string& name, const SecretText& text) {
    if (!text.problem.empty())
      add(part == "files" ? "file" : "secret", name, text.problem,
          "set it, or mend " + key(part + "." + name) + "; `flytt run` does not start without it");
  }

  const JobConfig& job_;
  std::vector<Found>& found_;
};

}  // namespace

void check_job(const JobConfig& job, const std::map<std::string, std::string>& inherited, std::vector<Found>& found) {
  JobCheck(job, found).run(inherited);
}

}  // namespace flytt::app
