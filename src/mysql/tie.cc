#include "mysql/tie.h"

namespace tradewind::mysql {

std::string_view TieName(Tie tie) {
  switch (tie) {
    case Tie::kTemporaryTable: return "a temporary table";
    case Tie::kUserLock: return "GET_LOCK";
    case Tie::kTableLock: return "LOCK TABLES";
    case Tie::kGlobalLock: return "FLUSH TABLES WITH READ LOCK";
    case Tie::kBackupLock: return "BACKUP STAGE";
    case Tie::kHandler: return "HANDLER";
    case Tie::kXaTransaction: return "an XA transaction";
    case Tie::kPreparedBySql: return "PREPARE";
    case Tie::kNextTransaction: return "SET TRANSACTION";
    case Tie::kFoundRows: return "SQL_CALC_FOUND_ROWS";
    case Tie::kCursor: return "an open cursor";
    case Tie::kLongValue: return "a value sent in parts";
    case Tie::kManyStatements: return "too many prepared statements";
    case Tie::kUnclearText: return "a character set that is not followed";
  }
  return "";
}

}  // namespace tradewind::mysql
