// SQLite's result codes as Errors: Hrana's code names, and what a caller can do about each.
#pragma once

#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tradewind::sqlite {

// "SQLITE_CONSTRAINT" and so on, from a plain or extended code. SQLITE_ERROR is "SQLITE_UNKNOWN", as libSQL
// clients know it.
std::string_view CodeName(int code);

Error ErrorFromCode(int code, std::string message);

// For a statement that could not be compiled: SQL_PARSE_ERROR when it is not SQL, SQL_INPUT_ERROR when
// something at a known place of it is wrong (`offset` >= 0), else as ErrorFromCode.
Error ErrorFromPrepare(int code, std::string message, int offset);

// There is no memory for what was asked. Making it takes none: its texts fit into the strings themselves.
Error OutOfMemory();

// What `call` returns, or OutOfMemory() where memory for it was lacking.
template <typename T, typename Call>
Result<T> OrOutOfMemory(const Call& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
  } catch (const std::length_error&) {
  }
  return Fail(OutOfMemory());
}

}  // namespace tradewind::sqlite
