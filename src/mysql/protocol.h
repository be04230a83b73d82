// The numbers of MySQL's client/server protocol, as MariaDB 10.11 speaks it. Only those that this room looks at.
// Sources: MariaDB KB, "Client/Server Protocol"; "MySQL Internals", 14; MariaDB's include/mysql_com.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tradewind::mysql {

// What both sides of a connection have agreed on: CLIENT_* in the lower 32 bits, MARIADB_CLIENT_* in the upper ones,
// which exist only while CLIENT_MYSQL, bit 0, is not set (MySQL's servers and clients set it).
using Capabilities = uint64_t;

namespace capability {
inline constexpr Capabilities kMysql = 1u << 0;  // CLIENT_MYSQL, once CLIENT_LONG_PASSWORD.
inline constexpr Capabilities kFoundRows = 1u << 1;
inline constexpr Capabilities kLongFlag = 1u << 2;
inline constexpr Capabilities kConnectWithDatabase = 1u << 3;
inline constexpr Capabilities kIgnoreSpace = 1u << 8;
inline constexpr Capabilities kProtocol41 = 1u << 9;
inline constexpr Capabilities kInteractive = 1u << 10;
inline constexpr Capabilities kTls = 1u << 11;
inline constexpr Capabilities kTransactions = 1u << 13;
inline constexpr Capabilities kSecureConnection = 1u << 15;
inline constexpr Capabilities kMultiStatements = 1u << 16;
inline constexpr Capabilities kMultiResults = 1u << 17;
inline constexpr Capabilities kPreparedMultiResults = 1u << 18;
inline constexpr Capabilities kPluginAuth = 1u << 19;
inline constexpr Capabilities kConnectAttributes = 1u << 20;
inline constexpr Capabilities kLongAuthReply = 1u << 21;  // CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA.
inline constexpr Capabilities kSessionTrack = 1u << 23;
inline constexpr Capabilities kDeprecateEof = 1u << 24;
inline constexpr Capabilities kStatementBulk = uint64_t{1} << 34;
inline constexpr Capabilities kExtendedMetadata = uint64_t{1} << 35;
inline constexpr Capabilities kCacheMetadata = uint64_t{1} << 36;

// What a proxy offers its clients, as far as the server behind it has it. Not among them: TLS, which ends at the
// proxy and is offered where that has a certificate; compression, which would end there too; LOCAL INFILE, by which a server reads files of a client; progress reports, packets of no
// answer; COM_MULTI.
inline constexpr Capabilities kRelayed = kFoundRows | kLongFlag | kConnectWithDatabase | kIgnoreSpace |
                                         kProtocol41 | kInteractive | kTransactions | kSecureConnection |
                                         kMultiStatements | kMultiResults | kPreparedMultiResults |
                                         kPluginAuth | kConnectAttributes | kLongAuthReply | kSessionTrack |
                                         kDeprecateEof | kStatementBulk | kExtendedMetadata | kCacheMetadata;
// What a client must have, so that its login and its answers can be followed.
inline constexpr Capabilities kRequired = kProtocol41 | kSecureConnection;
}  // namespace capability

// SERVER_STATUS_* of OK and EOF packets.
namespace status {
inline constexpr uint16_t kInTransaction = 0x0001;
inline constexpr uint16_t kMoreResults = 0x0008;
inline constexpr uint16_t kCursorExists = 0x0040;
inline constexpr uint16_t kLastRowSent = 0x0080;
inline constexpr uint16_t kNoBackslashEscapes = 0x0200;
inline constexpr uint16_t kInReadOnlyTransaction = 0x2000;
inline constexpr uint16_t kSessionStateChanged = 0x4000;
}  // namespace status

// COM_*: the first byte of a client's packet.
enum class Command : uint8_t {
  kQuit = 0x01,
  kInitDatabase = 0x02,
  kQuery = 0x03,
  kFieldList = 0x04,
  kCreateDatabase = 0x05,
  kDropDatabase = 0x06,
  kRefresh = 0x07,
  kShutdown = 0x08,
  kStatistics = 0x09,
  kProcessInfo = 0x0a,
  kProcessKill = 0x0c,
  kDebug = 0x0d,
  kPing = 0x0e,
  kChangeUser = 0x11,
  kBinlogDump = 0x12,
  kTableDump = 0x13,
  kRegisterReplica = 0x15,
  kPrepare = 0x16,
  kExecute = 0x17,
  kSendLongData = 0x18,
  kCloseStatement = 0x19,
  kResetStatement = 0x1a,
  kSetOption = 0x1b,
  kFetch = 0x1c,
  kResetConnection = 0x1f,
  kBulkExecute = 0xfa,
};

// ER_*: errors that a proxy itself says, and such as a caller tells apart. MariaDB KB, "MariaDB Error Code Reference".
namespace error_number {
inline constexpr uint16_t kTooManyConnections = 1040;  // ER_CON_COUNT_ERROR, 08004
inline constexpr uint16_t kAccessDenied = 1045;        // ER_ACCESS_DENIED_ERROR, 28000
inline constexpr uint16_t kUnknownCommand = 1047;      // ER_UNKNOWN_COM_ERROR, 08S01
inline constexpr uint16_t kShutdown = 1053;            // ER_SERVER_SHUTDOWN, 08S01
inline constexpr uint16_t kPacketTooLarge = 1153;      // ER_NET_PACKET_TOO_LARGE, 08S01
inline constexpr uint16_t kLockWaitTimeout = 1205;     // ER_LOCK_WAIT_TIMEOUT, HY000: try again
inline constexpr uint16_t kUnknownStatement = 1243;    // ER_UNKNOWN_STMT_HANDLER, HY000
inline constexpr uint16_t kMalformedPacket = 1835;     // ER_MALFORMED_PACKET, HY000
}  // namespace error_number

inline constexpr char kNativePassword[] = "mysql_native_password";
inline constexpr uint8_t kUtf8mb4 = 45;  // Of collations: utf8mb4_general_ci.
// The statement that was prepared last (MariaDB): a client can execute it before it has heard of its id.
inline constexpr uint32_t kLastPrepared = 0xffffffff;

}  // namespace tradewind::mysql
