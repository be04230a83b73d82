// Connections that SQLite cannot close. A virtual table keeps prepared statements, and each of them keeps the
// virtual tables that it reads: FTS tables that are, through views, each other's content are a ring that
// nothing takes apart. SQLite lets its owner wait for ever; ending the statements from outside would have the
// tables end them a second time.
//
// So such a connection is set aside: its statements are reset, what it had open is rolled back, its locks and
// its place in the store are given up and its page cache is freed. What is left of it is memory, until the
// process ends.
#pragma once

#include <cstddef>

struct sqlite3;

namespace tradewind::sqlite {

// Takes a connection that sqlite3_close() has refused. Nothing may use it any more. Does not suspend but for
// what a rollback reads.
void SetAside(sqlite3* connection);

// Resets every statement of a connection that was left running. Requires: none of ours runs.
void ResetRunning(sqlite3* connection);

// How many there are in this process, for tests.
size_t ConnectionsSetAside();

}  // namespace tradewind::sqlite
