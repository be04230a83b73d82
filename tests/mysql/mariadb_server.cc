#include "tests/mysql/mariadb_server.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/check.h"
#include "mysql/native_password.h"
#include "runtime/fiber.h"

namespace tradewind::tests {
namespace {

using namespace std::chrono_literals;

std::string Program() {
  const char* const named = std::getenv("MARIADBD");
  return named ? named : "mariadbd";
}

// An empty data folder: making one takes longer than copying it.
const std::string& Template(runtime::Core& core, const std::string& beside) {
  static const std::string folder = [&] {
    const std::string made = std::filesystem::path(beside).parent_path() / "template";
    ChildProcess install({"mariadb-install-db", "--no-defaults", "--datadir=" + made, "--skip-test-db",
                          "--tmpdir=" + std::filesystem::path(beside).parent_path().string(), "--user=root",
                          "--auth-root-authentication-method=normal"},
                         "", beside + ".install");
    TW_CHECK(install.Await(core) == 0,
             "mariadb-install-db makes a data folder (Debian: mariadb-server-core)");
    return made;
  }();
  return folder;
}

}  // namespace

runtime::TimePoint Soon(runtime::Core& core) {
  return core.Now() + 300s;
}

mysql::ServerLogin MariaDbServer::Login(const std::string& database) {
  mysql::ServerLogin login{{"u", mysql::PasswordKey::OfPassword("secret")}};
  login.database = database;
  return login;
}

std::unique_ptr<MariaDbServer> MariaDbServer::Start(runtime::Core& core, const std::string& folder) {
  std::unique_ptr<MariaDbServer> server(new MariaDbServer(core, folder));
  std::filesystem::copy(Template(core, folder), folder, std::filesystem::copy_options::recursive);
  server->Launch();
  const runtime::TimePoint deadline = Soon(core);
  mysql::ServerLogin root;
  root.credentials.user = "root";
  for (;;) {
    auto connection = mysql::ServerConnection::Open(core, server->address_, root, deadline);
    // Not of another test's server, which has got the port.
    const bool ended = server->process_->HasEnded();
    if (!connection || ended) {
      const std::string log = ReadFile(folder + ".log");
      if (ended && log.find("Bind on TCP/IP port") != std::string::npos) {
        server->Launch();
        continue;
      }
      const bool lost = ended || core.Now() > deadline;
      if (lost) std::fprintf(stderr, "%s\n", log.c_str());
      TW_CHECK(!lost, "mariadbd starts");
      runtime::SleepFor(20ms);
      continue;
    }
    const auto made = (*connection)
                          ->Query(
                              "CREATE DATABASE shop; CREATE USER u IDENTIFIED BY 'secret'; GRANT ALL ON *.* "
                              "TO u WITH GRANT OPTION;"
                              "CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40));"
                              "INSERT INTO shop.t (name) VALUES ('one'), ('two'), (NULL)",
                              deadline);
    if (!made) std::fprintf(stderr, "%s\n", Describe(made.error()).c_str());
    TW_CHECK(made.has_value(), "a new server takes statements");
    return server;
  }
}

void MariaDbServer::Launch() {
  address_ = core_.network().Listen({"127.0.0.1", 0}).value()->local();
  process_ = std::make_unique<ChildProcess>(
      std::vector<std::string>{
          Program(), "--no-defaults", "--datadir=" + folder_, "--tmpdir=" + folder_, "--user=root",
          "--bind-address=127.0.0.1", "--port=" + std::to_string(address_.port),
          "--socket=" + folder_ + "/socket", "--innodb-buffer-pool-size=32M",
          "--innodb-flush-log-at-trx-commit=2", "--skip-name-resolve", "--max-allowed-packet=64M",
          "--log-bin=" + folder_ + "/binlog", "--log-slave-updates", "--proxy-protocol-networks=127.0.0.1",
          "--binlog-format=ROW", "--server-id=" + std::to_string(address_.port)},
      "", folder_ + ".log");
}

MariaDbServer::~MariaDbServer() = default;

std::unique_ptr<mysql::ServerConnection> MariaDbServer::Connect(mysql::Capabilities capabilities) const {
  mysql::ServerLogin login = Login();
  login.capabilities = capabilities;
  auto connection = mysql::ServerConnection::Open(core_, address_, login, Soon(core_));
  if (!connection) std::fprintf(stderr, "%s\n", Describe(connection.error()).c_str());
  TW_CHECK(connection.has_value(), "a server takes a login");
  return std::move(*connection);
}

}  // namespace tradewind::tests
