// A MariaDB server that a test has started, in a folder and on a port of its own.
#pragma once

#include <memory>
#include <string>

#include "mysql/server_connection.h"
#include "runtime/core.h"
#include "runtime/network.h"
#include "tests/mysql/child_process.h"

namespace tradewind::tests {

class MariaDbServer {
 public:
  // Suspends until it takes connections. `folder` is made; a data folder is made once a process, and copied. It has the
  // database `shop`, whose table t has the rows (1, 'one'), (2, 'two'), (3, NULL), and the user 'u' with the password
  // 'secret', who may do all.
  static std::unique_ptr<MariaDbServer> Start(runtime::Core& core, const std::string& folder);
  ~MariaDbServer();

  const runtime::Address& address() const { return address_; }
  static mysql::ServerLogin Login(const std::string& database = "shop");
  // A connection of 'u'. Fails the test's process when there is none.
  std::unique_ptr<mysql::ServerConnection> Connect(
      mysql::Capabilities capabilities = mysql::capability::kRelayed) const;

 private:
  MariaDbServer(runtime::Core& core, std::string folder) : core_(core), folder_(std::move(folder)) {}
  // At a port that is free; another program may get it first.
  void Launch();

  runtime::Core& core_;
  const std::string folder_;
  runtime::Address address_;
  std::unique_ptr<ChildProcess> process_;
};

// Far enough for whatever a test waits for.
runtime::TimePoint Soon(runtime::Core& core);

}  // namespace tradewind::tests
