// A client's session of MySQL's protocol at the server of its tenant, as whoever relays the session sees it, wherever that
// server is: its bytes, and the gate of its tenant (mariadb/hosted_instance.h).
//
// Links to this core's tenants and to those of others are made by mysql_owners.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "mysql/login_exchange.h"
#include "mysql/native_password.h"
#include "runtime/network.h"
#include "tenant/hosted_tenant.h"

namespace tradewind::gateway {

// Who is told by a link. Must not suspend.
class MysqlLinkObserver {
 public:
  // The gate has opened or closed.
  virtual void OnGate() = 0;
  // The owner ends the session, or cannot be reached any more: the connection is closed.
  virtual void OnEnd() = 0;

 protected:
  ~MysqlLinkObserver() = default;
};

class MysqlLink {
 public:
  // The session ends at the server. Requires: no call in progress.
  virtual ~MysqlLink() = default;
  // What the server and its client say. Its deadlines are the caller's.
  virtual runtime::Connection& server() = 0;
  // As HostedInstance::Visit::Begin(). Suspends.
  virtual Result<void> Begin(bool counts) = 0;
  // A request of the client is on its way to the server.
  virtual void Asked(size_t bytes) = 0;
  // Its answer has passed. `open`: a transaction is, as far as is known; `tied`: something else keeps the session there.
  virtual void Answered(bool open, bool tied) = 0;
  // As far as is known here.
  virtual tenant::Gate gate() const = 0;
};

// Which account logs in, for its verifier.
struct MysqlAccountCall {
  TenantName tenant;
  Epoch epoch;  // The newest at which the caller knows the tenant.
  std::string user;
  std::string host;  // Of the client, numeric.
};

// Of a tenant of another engine.
inline constexpr std::string_view kSpeaksHranaCode = "ENGINE_SPEAKS_HRANA";

struct MysqlAccount {
  bool known = false;
  std::string plugin = {};    // That it logs in by; empty for one without a password.
  std::string verifier = {};  // As the server keeps it (PasswordVerifier::Parse).
};

struct MysqlLinkCall {
  TenantName tenant;
  Epoch epoch;
  runtime::Address client;
  mysql::ServerLogin login;
  bool goes_on = false;  // A session that was at another server of the tenant before.
};

struct MysqlOpened {
  std::unique_ptr<MysqlLink> link;
  mysql::LoggedIn at_server;
};

}  // namespace tradewind::gateway
