// How a node is started.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/authenticator.h"
#include "base/ids.h"
#include "base/limits.h"
#include "net/cluster_secret.h"
#include "net/tls.h"
#include "runtime/core.h"
#include "runtime/network.h"
#include "slacker/instance.h"
#include "tenant/quotas.h"

namespace tradewind::node {

// For tests: something happens at a step of a move (move/step.h) that this node takes part in.
struct StepTrap {
  std::string step;           // Empty: none.
  int times = 1;              // At the first, second, ... time.
  std::function<void()> run;  // Must not suspend.
};

// TLS at the node's ports and towards other nodes. A server with a certificate speaks TLS only.
struct NodeTls {
  std::shared_ptr<const net::TlsIdentity> identity;  // Null: no TLS.
  std::shared_ptr<const net::TlsTrust>
      trust;  // For other nodes' certificates; null: what the machine believes.
};

// A port for the clients of one tenant.
struct MysqlTenantPort {
  TenantName tenant;
  runtime::Address address;
  bool needs_tls = false;
};

struct NodeOptions {
  NodeName name;
  runtime::Address listen;
  std::optional<runtime::Address> mysql_listen;  // For clients of MySQL's protocol; none: it takes none.
  std::vector<MysqlTenantPort> mysql_tenant_ports;
  bool mysql_needs_tls = false;  // Of clients there; else they may take it, where the node has a certificate.
  std::string data_folder;
  std::optional<std::string> join_url;       // Of any node of the cluster; none: this node hosts the catalog.
  std::optional<std::string> advertise_url;  // How others reach it; the listening address by default.
  std::optional<size_t> open_tenants;        // At a time, at most; by default limits::kOpenTenants.
  size_t metrics_tenants = 20;               // Of so many tenants, the largest users, /metrics has figures.
  runtime::Duration stream_idle = limits::kStreamIdle;  // So long a client's stream may be idle.
  runtime::Duration slow_statement{};  // Statements that take as long are logged; zero: none.
  tenant::Quotas quotas = {};          // Of tenants that have none of their own.
  bool log_requests = false;           // Each request is.
  bool hand_over = true;  // Connections to the core that they keep asking; off to measure what that brings.
  bool replace_node = false;              // Takes the name over from a data folder that is lost.
  std::vector<std::string> domains;       // Names that lead here too (strangers.h), from ParseDomain().
  std::vector<std::string> cors_origins;  // Whose pages may use tenants, from ParseCorsOrigin().
  std::optional<int64_t> sqlite_version;  // For tests: says that it has another SQLite than it has.
  auth::Locks locks;                      // What tenants and the admin API ask for.
  NodeTls tls;
  net::ClusterSecret cluster_secret;  // Without one every node is believed, as in a simulation.
  StepTrap trap;
  slacker::MakeInstances make_instances = {};  // For simulations. Null: those of this machine.
};

}  // namespace tradewind::node
