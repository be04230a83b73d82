// Tradewind's SQLite VFS: what SQLite asks of the operating system goes to the PageStore of the tenant
// concerned, and from there through runtime/ to the disk. SQLite itself is unmodified.
//
//   SQLite ── sqlite3_vfs "tradewind" ── PageStore ─┬─ main file   reads may pull (suspend); writes come
//                                                   │              from checkpoints
//                                                   ├─ WAL         frames are followed and judged; writes
//                                                   │              never suspend
//                                                   └─ WAL index   heap memory and counters
// Rules, each with what breaks without it in shared form at the code that keeps it:
//   1  every sync that SQLite asks for is carried out, off-core; the directory's for a new WAL included;
//   2  xShm*, xLock and WAL xWrite never suspend; xRead, xSync and xSleep do;
//   3  no memory mapping (xFetch is absent), no temporary files (temp_store=MEMORY; opening one fails);
//   4  SQLite is configured MULTITHREAD and opened NOMUTEX, one fiber a connection: it then holds no mutex
//      across a VFS call.
//
// This VFS is not a wrapper of unix-excl: locks and shared memory of one process on one thread are counters
// and heap memory, and with all file access through runtime/ the simulation runs the very same code
// (docs/decisions/0001).
#pragma once

struct sqlite3;

namespace tradewind::sqlite {

inline constexpr char kVfsName[] = "tradewind";

// Configures SQLite and registers the VFS as the default one; once per process, from any thread, before any
// other use.
void InitializeSqlite();

// Gives up the locks and the place in the store that a connection has, which from then on can neither read
// nor write: for one that cannot be closed. Requires: no call of SQLite is under way on it. Does not suspend.
void DetachFiles(sqlite3* connection);

// Whether a connection may take a snapshot. While it is barred a read transaction that would begin is refused;
// one that has begun goes on. The store cannot tell whose a call is but by the open file.
struct SnapshotBar {
  bool down = false;
  bool was_hit = false;  // A snapshot was refused.
};
// From now on the connection obeys `bar`, which must outlive it.
void ObeySnapshotBar(sqlite3* connection, SnapshotBar* bar);

// Makes SQLite's generator of random numbers (WAL salts, randomblob) start anew from the core's: for
// simulations.
void ResetRandomness();

}  // namespace tradewind::sqlite
