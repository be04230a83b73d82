// What a simulated server of MariaDB (instances/sim_server.h) has on its disk: its transactions, in their order, each with its
// GTID and the one row that it writes. So the file is tables and binary log at once.
//
// A loss of power leaves of what was not synced some sectors, so what counts is what is whole from the beginning on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tradewind::sim {

struct SimTransaction {
  uint64_t sequence = 0;  // Of its GTID; the first one is 1.
  uint32_t server = 0;    // The same.
  int64_t row = 0;
  bool operator==(const SimTransaction&) const = default;
};

// Of each of them, in a file or a message.
inline constexpr size_t kTransactionBytes = 40;
std::string ToRecord(const SimTransaction& transaction);
// False: it is none.
bool ParseRecord(std::string_view record, SimTransaction& transaction);
// Those that are whole, from the beginning on.
std::vector<SimTransaction> ParseLog(std::string_view file);

// Behind the tenant's name, for its file in the folder of tenants: where the folder of a real instance would be.
inline constexpr std::string_view kInstanceFileSuffix = ".mariadb";
std::string InstancePath(const std::string& tenant);
// "" for another file.
std::string TenantOfInstance(std::string_view path);

}  // namespace tradewind::sim
