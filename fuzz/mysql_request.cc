// Any bytes as requests of a client: whole, and in pieces, must become the same for the server.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mysql/packet.h"
#include "mysql/prepared_statements.h"
#include "mysql/request.h"

namespace {

using namespace tradewind::mysql;

// What a server gets of a session's requests, and what the client is told.
std::string Pass(std::string_view bytes, size_t part) {
  PreparedStatements statements;
  for (uint16_t parameters = 0; parameters < 12; ++parameters) {
    statements.Add("SELECT 1", 1'000u + parameters, parameters);
    if (parameters % 3 == 0) continue;
    statements.Find(parameters + 1u)->types = std::string(size_t{2} * parameters, 't');
    statements.MoveTo(parameters + 1u, 2'000u + parameters);
  }
  std::string outcome;
  while (!bytes.empty()) {
    Request request(statements);
    while (!bytes.empty() && !request.complete()) {
      const size_t given = std::min(part, bytes.size());
      const size_t taken = request.Take(bytes.substr(0, given));
      TW_CHECK(taken <= given && (taken == given || request.complete()),
               "a request takes all that is its own");
      bytes.remove_prefix(taken);
      if (request.fate() == Request::Fate::kRelayed) outcome += request.TakeFrames();
    }
    if (!request.complete()) break;
    TW_CHECK(request.fate() != Request::Fate::kUnknown, "whole requests have a fate");
    if (request.fate() == Request::Fate::kRefused) outcome += request.refusal().message;
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const std::string whole = Pass(text, text.size() + 1);
  const std::string pieces = Pass(text, size_t{bytes[0]} + 1);
  // Of a request that never ends, more may have been passed on in pieces, or less.
  const size_t common = std::min(whole.size(), pieces.size());
  TW_CHECK(whole.substr(0, common) == pieces.substr(0, common),
           "a request does not depend on the pieces that it comes in");

  // Cut into packets, and written as packets again, bytes are the same.
  PacketCutter cutter;
  std::string_view left = text;
  while (!left.empty()) {
    const PacketCutter::Piece piece = cutter.Next(left);
    TW_CHECK(piece.taken > 0 && piece.taken <= left.size() && piece.payload.size() <= piece.taken,
             "a piece is one of the bytes that came");
    TW_CHECK(cutter.between_packets() == piece.ends, "a packet ends where the next one begins");
    left.remove_prefix(piece.taken);
  }
  return 0;
}
