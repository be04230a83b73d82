// The requests of clients since the node started: how long they took, by kind, and who used the node most. Those of a
// node's cores, and of several nodes, add up.
//
// Every request of a client is counted once, at the node and core where it came in; what a node asks the owner for it
// has a kind of its own, and is nobody's use.
//
// This core only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/fixed_histogram.h"
#include "base/ids.h"
#include "runtime/core.h"

namespace tradewind::pace {

enum class RequestKind { kPipeline, kCursor, kAlone, kWebSocket, kMysql, kFromNode };
inline constexpr std::array<std::string_view, 6> kRequestKindNames = {"pipeline",   "cursor", "alone",
                                                                      "web_socket", "mysql",  "from_node"};

struct TenantUse {
  uint64_t requests = 0;
  double seconds = 0;  // From arrival to answer, all together.
};

class RequestTotals {
 public:
  // Whoever used least is forgotten when there are more, so that it takes little memory whatever the number of
  // tenants; one that comes back begins at zero.
  static constexpr size_t kMostTenants = 4096;

  void Record(RequestKind kind, const TenantName& tenant, runtime::Duration took);
  void Add(const RequestTotals& other);

  const FixedHistogram& Of(RequestKind kind) const { return kinds_[static_cast<size_t>(kind)]; }
  // Those that took most time, the first of them first.
  std::vector<std::pair<TenantName, TenantUse>> Top(size_t most) const;

 private:
  void ForgetLittleUsers();

  std::array<FixedHistogram, kRequestKindNames.size()> kinds_;
  std::unordered_map<TenantName, TenantUse> tenants_;
};

}  // namespace tradewind::pace
