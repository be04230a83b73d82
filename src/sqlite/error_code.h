// SQLite's result codes as Errors: Hrana's code names, and what a caller can do about each.
#pragma once

#include <string>
#include <string_view>

#include "base/out_of_memory.h"
#include "base/result.h"

namespace tradewind::sqlite {

// "SQLITE_CONSTRAINT" and so on, from a plain or extended code. SQLITE_ERROR is "SQLITE_UNKNOWN", as libSQL
// clients know it.
std::string_view CodeName(int code);

Error ErrorFromCode(int code, std::string message);

// For a statement that could not be compiled: SQL_PARSE_ERROR when it is not SQL, SQL_INPUT_ERROR when
// something at a known place of it is wrong (`offset` >= 0), else as ErrorFromCode.
Error ErrorFromPrepare(int code, std::string message, int offset);

using tradewind::OrOutOfMemory;
using tradewind::OutOfMemory;

}  // namespace tradewind::sqlite
