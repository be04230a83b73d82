// The bodies of the admin API's requests, decoded strictly: a field that is not known is an error that names
// it, since a misspelt option would otherwise be left out in silence.
//
// All fail with kInvalid: BODY_INVALID, FIELD_UNKNOWN, FIELD_MISSING, FIELD_INVALID, NAME_INVALID.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "balance/drain.h"
#include "base/ids.h"
#include "base/result.h"
#include "move/moves.h"
#include "net/http.h"

namespace tradewind::admin {

struct CreateTenantRequest {
  TenantName name;
  std::string engine;
  std::optional<NodeName> node;
};

struct ImportRequest {
  TenantName tenant;
  std::string engine;
  std::optional<NodeName> node;
  std::optional<uint64_t> size_bytes;  // Always of an SQLite file.
};

Result<CreateTenantRequest> ParseCreateTenant(std::string_view body);
Result<ImportRequest> ParseImport(std::string_view body);
Result<TenantName> ParseExport(std::string_view body);
Result<move::MoveRequest> ParseMove(std::string_view body);
// The new pace of a move: {"rate_bytes_per_s": N}, 0 or null for no limit, or {"setpoint_ms": N, "signal":
// "p95"}, null for the default one. Or {"verify_again": true}, alone.
struct SetMoveRequest {
  move::Pace pace;
  bool verify_again = false;
};
Result<SetMoveRequest> ParseSetMove(std::string_view body);
// {"latency": "p95:5ms", "core": 1, "quotas": {"streams": 4}}, some of them; null takes the objective away, and a quota that the
// tenant has of its own.
struct SetTenantRequest {
  std::vector<std::pair<std::string, std::optional<uint64_t>>> quotas;
  bool sets_latency = false;
  std::optional<pace::Objective> latency;
  std::optional<uint64_t> core;
};
Result<SetTenantRequest> ParseSetTenant(std::string_view body);
// No body is an empty one: to any node, at the pace that latency allows.
Result<balance::DrainRequest> ParseDrain(std::string_view body);
// A call that has nothing to say: no body, or an empty object.
Result<void> ParseNothing(std::string_view body);

// A number of the query string, such as ?offset=N.
Result<uint64_t> QueryNumber(const net::HttpRequest& request, std::string_view name);
Result<uint64_t> QueryNumber(const net::HttpRequest& request, std::string_view name, uint64_t otherwise);

}  // namespace tradewind::admin
