#include "sqlite/error_code.h"

#include <sqlite3.h>

namespace tradewind::sqlite {

std::string_view CodeName(int code) {
  switch (code & 0xff) {
    case SQLITE_INTERNAL: return "SQLITE_INTERNAL";
    case SQLITE_PERM: return "SQLITE_PERM";
    case SQLITE_ABORT: return "SQLITE_ABORT";
    case SQLITE_BUSY: return "SQLITE_BUSY";
    case SQLITE_LOCKED: return "SQLITE_LOCKED";
    case SQLITE_NOMEM: return "SQLITE_NOMEM";
    case SQLITE_READONLY: return "SQLITE_READONLY";
    case SQLITE_INTERRUPT: return "SQLITE_INTERRUPT";
    case SQLITE_IOERR: return "SQLITE_IOERR";
    case SQLITE_CORRUPT: return "SQLITE_CORRUPT";
    case SQLITE_NOTFOUND: return "SQLITE_NOTFOUND";
    case SQLITE_FULL: return "SQLITE_FULL";
    case SQLITE_CANTOPEN: return "SQLITE_CANTOPEN";
    case SQLITE_PROTOCOL: return "SQLITE_PROTOCOL";
    case SQLITE_EMPTY: return "SQLITE_EMPTY";
    case SQLITE_SCHEMA: return "SQLITE_SCHEMA";
    case SQLITE_TOOBIG: return "SQLITE_TOOBIG";
    case SQLITE_CONSTRAINT: return "SQLITE_CONSTRAINT";
    case SQLITE_MISMATCH: return "SQLITE_MISMATCH";
    case SQLITE_MISUSE: return "SQLITE_MISUSE";
    case SQLITE_NOLFS: return "SQLITE_NOLFS";
    case SQLITE_AUTH: return "SQLITE_AUTH";
    case SQLITE_FORMAT: return "SQLITE_FORMAT";
    case SQLITE_RANGE: return "SQLITE_RANGE";
    case SQLITE_NOTADB: return "SQLITE_NOTADB";
    default: return "SQLITE_UNKNOWN";
  }
}

namespace {

ErrorKind KindOf(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
    case SQLITE_NOMEM: return ErrorKind::kUnavailable;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH: return ErrorKind::kRefused;
    case SQLITE_INTERRUPT: return ErrorKind::kTimeout;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: return ErrorKind::kIo;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorKind::kCorrupt;
    case SQLITE_FULL:
    case SQLITE_TOOBIG: return ErrorKind::kTooLarge;
    case SQLITE_INTERNAL:
    case SQLITE_MISUSE: return ErrorKind::kInternal;
    default: return ErrorKind::kInvalid;
  }
}

}  // namespace

Error ErrorFromCode(int code, std::string message) {
  const ErrorKind kind = KindOf(code);
  const bool retry = kind == ErrorKind::kUnavailable;
  return Error{kind, std::string(CodeName(code)), std::move(message),
               retry ? "run the transaction again" : ""};
}

Error ErrorFromPrepare(int code, std::string message, int offset) {
  Error error = ErrorFromCode(code, std::move(message));
  if ((code & 0xff) != SQLITE_ERROR) return error;
  const auto says = [&](std::string_view part) { return error.message.find(part) != std::string::npos; };
  if (says("syntax error") || says("incomplete input") || says("unrecognized token"))
    error.code = "SQL_PARSE_ERROR";
  else if (offset >= 0)
    error.code = "SQL_INPUT_ERROR";
  return error;
}

}  // namespace tradewind::sqlite
