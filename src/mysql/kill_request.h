// A request that ends another session, or what runs in it, by the number of its connection: KILL [HARD | SOFT]
// [CONNECTION | QUERY] number, or COM_PROCESS_KILL. Source: MariaDB KB, "KILL".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tradewind::mysql {

struct KillRequest {
  uint32_t connection = 0;
  std::string before = {};  // The payload as far as the number, and behind it.
  std::string behind = {};
  bool is_text = false;

  // The payload with another number.
  std::string PayloadFor(uint32_t other) const;
};

// The whole payload of a request. Nothing for any other, and for texts with more than that in them.
std::optional<KillRequest> ParseKill(std::string_view payload);

}  // namespace tradewind::mysql
