// SQL functions with large arguments. SQLite calls a function within one instruction, so nothing else of a core
// could run, nor the statement be ended, for as long as it takes; and some take a product of the lengths of their
// arguments: LIKE, GLOB, instr, replace, trim, unhex, json_patch. So a call with large arguments
//
//   instr, replace, trim          is made by a linear algorithm, off the core
//   LIKE, GLOB                    is made here, and lets others run (and the statement end) in between
//   json_patch, unhex             is refused beyond limits::kQuadraticCost
//   ALTER TABLE ... RENAME        is refused where a trigger or a view has a text of hundreds of KB
//   json_extract, json_set, ...   is refused where many paths are looked for in a long value
//   every other one               is made by SQLite's own code, off the core
//
// Answers are those of SQLite's own functions (function_bounds_test.cc compares them). With Debian's SQLite, which
// lets nobody at its functions, nothing of this happens.
#pragma once

struct sqlite3;

namespace tradewind::sqlite {

class Connection;

// After sqlite3_initialize(), before the first connection.
void BoundFunctions();
// Calls of this connection are bounded; those of connections that were not named run as SQLite has them.
void BoundFunctionsOf(sqlite3* handle, Connection& connection);
// To be called when a PRAGMA that changes the connection was compiled: case_sensitive_like replaces LIKE.
void BoundLikeAgain(sqlite3* handle);
// The longest pattern of LIKE and GLOB.
int LikePatternBytes();

}  // namespace tradewind::sqlite
