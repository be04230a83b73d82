// What two nodes say on the connection of one client's session of MySQL's protocol, once it has left HTTP.
//
//   frame    kind, 1 byte | length of its payload, 4 bytes little-endian | payload
//
//   from the session's node               from the tenant's owner
//     login  who logs in, JSON              opened    what the server said, JSON; or
//                                           refused   the server's error; or
//                                           failed    an error of ours, JSON; then the connection ends
//     begin  a transaction may begin?       admitted, or failed
//     asked  length of a request, 8         gate      1 byte, whenever it changes
//     data   for the server                 data      of the server
//     answered  1: open, 2: tied            ended     the session is over
//
// The gate says what it is in the order of its changes; `data` and the others are in the order of their happening.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/mysql_link.h"
#include "mysql/reply.h"
#include "runtime/network.h"

namespace tradewind::gateway {

enum class MysqlFrame : uint8_t {
  kLogin = 1,
  kOpened,
  kRefused,
  kFailed,
  kBegin,
  kAdmitted,
  kAsked,
  kAnswered,
  kData,
  kGate,
  kEnded,
};

inline constexpr size_t kMysqlFrameHeaderBytes = 5;
inline constexpr uint8_t kAnsweredOpen = 1;
inline constexpr uint8_t kAnsweredTied = 2;
// The payload of a kBegin that no quota of requests counts.
inline constexpr std::string_view kBeginsNothing = "0";

// MYSQL_LINK_CONFUSED (kCorrupt): what the other node says makes no sense.
tl::unexpected<Error> MysqlLinkConfused();

void AppendFrame(std::string& out, MysqlFrame kind, std::string_view payload = {});

// Reads frames. One fiber.
class MysqlFrameReader {
 public:
  // `unread`: what has come already. The connection outlives it.
  MysqlFrameReader(runtime::Connection& connection, std::string unread)
      : connection_(connection), unread_(std::move(unread)) {}
  struct Frame {
    MysqlFrame kind;
    std::string payload;
  };
  // Suspends. kCorrupt, MYSQL_LINK_CONFUSED, for what is no frame, or one of more than limits::kMysqlFrameBytes; kIo at
  // the end, and the errors of the connection.
  Result<Frame> Next();

 private:
  runtime::Connection& connection_;
  std::string unread_;
};

// Of kAsked.
std::string EncodeLength(uint64_t bytes);
uint64_t DecodeLength(std::string_view payload);

// Of the texts. Decoding fails with kCorrupt, MYSQL_LINK_CONFUSED.
std::string EncodeLinkCall(const MysqlLinkCall& call);
Result<MysqlLinkCall> DecodeLinkCall(std::string_view text);
std::string EncodeLoggedIn(const mysql::LoggedIn& at_server);
Result<mysql::LoggedIn> DecodeLoggedIn(std::string_view text);
std::string EncodeAccountCall(const MysqlAccountCall& call);
Result<MysqlAccountCall> DecodeAccountCall(std::string_view text);
std::string EncodeAccount(const MysqlAccount& account);
Result<MysqlAccount> DecodeAccount(std::string_view text);
std::string EncodeError(const Error& error);
Error DecodeError(std::string_view text);

}  // namespace tradewind::gateway
