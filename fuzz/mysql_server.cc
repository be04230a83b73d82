// Any bytes as what a server says to this program: a login, answers to queries, a session's state.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/check.h"
#include "given_bytes.h"
#include "mysql/login_exchange.h"
#include "mysql/packet_channel.h"
#include "mysql/server_connection.h"
#include "mysql/session_snapshot.h"
#include "runtime/fiber.h"
#include "runtime/test_core.h"

namespace {

using namespace tradewind;
using fuzz::GivenBytes;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const auto core = std::make_unique<runtime::TestCore>();
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 2, size - 2);
  const size_t piece = size_t{bytes[0]} + 1;
  const mysql::Capabilities capabilities =
      bytes[1] & 1 ? mysql::capability::kRelayed : mysql::capability::kProtocol41;
  const auto deadline = runtime::TimePoint::max();
  core->Run([&] {
    {
      GivenBytes connection(text, piece);
      mysql::PacketChannel channel(connection);
      mysql::LogIn(channel, {{"u", mysql::PasswordKey::OfPassword("p")}}).has_value();
    }
    {
      GivenBytes connection(text, piece);
      mysql::Queries queries(connection, capabilities);
      while (const auto answer = queries.Query("SELECT 1", deadline))
        for (const auto& row : answer->rows)
          TW_CHECK(row.size() == answer->columns.size() || answer->columns.empty(), "a row has all columns");
    }
    {
      GivenBytes connection(text, piece);
      mysql::Queries queries(connection, capabilities);
      if (const auto snapshot = mysql::TakeSnapshot(queries, bytes[1] & 2, deadline))
        TW_CHECK(!mysql::ReplayRequests(*snapshot).empty(), "a session is made by requests");
    }
  });
  return 0;
}
