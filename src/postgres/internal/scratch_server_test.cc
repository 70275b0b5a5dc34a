#include "postgres/internal/scratch_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace flytt::postgres {

namespace {

// The folder of initdb and postgres.
std::string programs() {
  const char* other = std::getenv("FLYTT_POSTGRES_BIN");
  return std::string(other != nullptr ? other : "/usr/lib/postgresql/15/bin") + "/";
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  CHECK(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

// Starts a program as the user who may run PostgreSQL; it is killed when this process ends.
pid_t start(const std::vector<std::string>& words, const std::string& log) {
  const passwd* user = ::geteuid() == 0 ? ::getpwnam("postgres") : nullptr;
  const pid_t pid = ::fork();
  CHECK(pid >= 0);
  if (pid > 0) return pid;
  if (user != nullptr && (::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0)) ::_exit(126);
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

void print_file(const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace

const base::Clock& test_clock() {
  static const base::SystemClock clock;
  return clock;
}

base::Deadline patience() { return test_clock().in(std::chrono::seconds(60)); }

ScratchServer::ScratchServer(const std::vector<std::string>& settings) : port_(free_port()) {
  char pattern[] = "/tmp/flytt_pg_XXXXXX";
  CHECK(::mkdtemp(pattern) != nullptr);
  folder_ = pattern;
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam("postgres");
    CHECK(user != nullptr && ::chown(pattern, user->pw_uid, user->pw_gid) == 0);
  }
  const std::string data = folder_ + "/data", log = folder_ + "/log";
  int status = 0;
  const pid_t init = start({programs() + "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                            "--locale=C.UTF-8", "--no-sync"},
                           log);
  CHECK(::waitpid(init, &status, 0) == init);
  if (status != 0) print_file(log);
  CHECK(status == 0);
  {
    std::ofstream rules(data + "/pg_hba.conf");
    rules << "host all with_password all scram-sha-256\nhost all all 127.0.0.1/32 trust\nhost replication all "
             "127.0.0.1/32 trust\n";
    std::ofstream configuration(data + "/postgresql.conf", std::ios::app);
    configuration << "listen_addresses = '127.0.0.1'\nport = " << port_
                  << "\nunix_socket_directories = ''\nfsync = off\nwal_level = logical\n"
                  << "max_wal_senders = 20\nmax_replication_slots = 20\nautovacuum = off\nlog_min_messages = fatal\n";
    for (const std::string& line : settings) configuration << line << '\n';
  }
  pid_ = start({programs() + "postgres", "-D", data}, log);
  // The server is ready when it lets somebody in.
  const base::Deadline limit = patience();
  for (;;) {
    if (Client::connect(this->settings("postgres"), Client::Mode::kNormal, test_clock(), limit)) return;
    if (::waitpid(pid_, &status, WNOHANG) == pid_ || test_clock().is_past(limit)) {
      print_file(log);
      std::abort();
    }
    ::poll(nullptr, 0, 20);
  }
}

ScratchServer::~ScratchServer() {
  int status = 0;
  ::kill(pid_, SIGQUIT);
  ::waitpid(pid_, &status, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

ScratchPooler::ScratchPooler(const ScratchServer& server) : port_(free_port()) {
  char pattern[] = "/tmp/flytt_pooler_XXXXXX";
  CHECK(::mkdtemp(pattern) != nullptr);
  folder_ = pattern;
  {
    std::ofstream configuration(folder_ + "/pgbouncer.ini");
    configuration << "[databases]\n* = host=127.0.0.1 port=" << server.port()
                  << " user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " << port_
                  << "\nauth_type = any\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits\n";
  }
  std::filesystem::permissions(folder_, std::filesystem::perms::all);
  std::filesystem::permissions(folder_ + "/pgbouncer.ini",
                               std::filesystem::perms::owner_read | std::filesystem::perms::others_read);
  pid_ = start({"/usr/sbin/pgbouncer", folder_ + "/pgbouncer.ini"}, folder_ + "/log");
  int status = 0;
  const base::Deadline limit = patience();
  while (!Client::connect(settings("postgres"), Client::Mode::kNormal, test_clock(), limit)) {
    if (::waitpid(pid_, &status, WNOHANG) == pid_ || test_clock().is_past(limit)) {
      print_file(folder_ + "/log");
      std::abort();
    }
    ::poll(nullptr, 0, 20);
  }
}

ScratchPooler::~ScratchPooler() {
  int status = 0;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

ConnectionSettings ScratchPooler::settings(std::string_view database) const {
  return ConnectionSettings{
      base::Secret("postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/" + std::string(database)), "flytt"};
}

ScratchServer& ScratchServer::shared() {
  static ScratchServer server;
  return server;
}

ConnectionSettings ScratchServer::settings(std::string_view database, std::string_view user,
                                           std::string_view password) const {
  std::string url = "postgresql://" + std::string(user);
  if (!password.empty()) url += ":" + std::string(password);
  url += "@127.0.0.1:" + std::to_string(port_) + "/" + std::string(database);
  return ConnectionSettings{base::Secret(url), "flytt"};
}

ScratchDatabase::ScratchDatabase(ScratchServer& server) : server_(server) {
  static int count = 0;
  name_ = "scratch_" + std::to_string(++count);
  auto admin = Client::connect(server_.settings("postgres"), Client::Mode::kNormal, test_clock(), patience());
  CHECK(admin.has_value());
  CHECK((*admin)->query("CREATE DATABASE " + name_, patience(), "create a database").has_value());
  auto client = Client::connect(settings(), Client::Mode::kNormal, test_clock(), patience());
  CHECK(client.has_value());
  client_ = std::move(*client);
  sql("SET search_path = public");
}

ScratchDatabase::~ScratchDatabase() {
  client_.reset();
  auto admin = Client::connect(server_.settings("postgres"), Client::Mode::kNormal, test_clock(), patience());
  CHECK(admin.has_value());
  // Walsenders of a test that failed half-way may still hold a slot.
  static_cast<void>((*admin)->query(
      "SELECT pg_terminate_backend(active_pid, 30000) FROM pg_replication_slots WHERE active AND database = '" + name_ +
          "'",
      patience(), "end walsenders"));
  CHECK((*admin)
            ->query(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '" + name_ + "'",
                patience(), "drop slots")
            .has_value());
  // The database goes with the server; dropping it would wait for a checkpoint.
}

Rows ScratchDatabase::sql(std::string_view text) {
  auto rows = client_->query(text, patience(), "run a test's statement");
  if (!rows)
    std::fprintf(stderr, "%.*s\n%s\n", static_cast<int>(text.size()), text.data(), rows.error().text().c_str());
  CHECK(rows.has_value());
  return std::move(*rows);
}

std::string ScratchDatabase::value(std::string_view text) {
  const Rows rows = sql(text);
  CHECK(rows.size() > 0);
  return rows.text(0, 0);
}

void ScratchDatabase::terminate(std::string_view pid_sql) {
  const std::string pid = value(pid_sql), activity = "SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid;
  sql("SELECT pg_terminate_backend(" + pid + ")");
  while (value(activity) != "0") {}
}

TEST(ScratchServer, answers) {
  ScratchDatabase database;
  EXPECT_EQ(database.value("SHOW wal_level"), "logical");
}

}  // namespace flytt::postgres
