// What ties a client's session to its server: things that no other server can be told. Whoever has one stays where it is,
// until it is given up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tradewind::mysql {

enum class Tie : uint8_t {
  kTemporaryTable,
  kUserLock,         // GET_LOCK.
  kTableLock,        // LOCK TABLES.
  kGlobalLock,       // FLUSH TABLES … WITH READ LOCK or FOR EXPORT.
  kBackupLock,       // BACKUP STAGE, BACKUP LOCK.
  kHandler,          // HANDLER … OPEN.
  kXaTransaction,    // From XA START until XA COMMIT or ROLLBACK.
  kPreparedBySql,    // PREPARE … FROM.
  kNextTransaction,  // SET TRANSACTION, until a transaction begins.
  kFoundRows,        // SQL_CALC_FOUND_ROWS, until the next statement.
  // Not of texts, but of packets.
  kCursor,
  kLongValue,       // COM_STMT_SEND_LONG_DATA, until the execution.
  kManyStatements,  // More prepared statements than are kept.
  kUnclearText,     // A character set in which texts cannot be told apart here.
};
std::string_view TieName(Tie tie);

struct TieChange {
  enum class Does : uint8_t { kTakes, kReleases, kReleasesAll };
  Tie tie = Tie::kTemporaryTable;
  Does does = Does::kTakes;
  std::string name = {};  // Empty: not known. The same thing may have two; two things never have one.
};

}  // namespace tradewind::mysql
