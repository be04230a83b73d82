// Tradewind's SQLite VFS: what SQLite asks of the operating system goes to the PageStore of the tenant
// concerned, and from there through runtime/ to the disk. SQLite itself is unmodified.
//
//   SQLite ── sqlite3_vfs "tradewind" ── PageStore ─┬─ main file   reads may pull (suspend); writes come
//                                                   │              from checkpoints
//                                                   ├─ WAL         frames are followed and checked; writes
//                                                   │              never suspend
//                                                   └─ WAL index   heap memory and counters
// Rules, each with what breaks without it in shared form at the code that keeps it:
//   1  every sync that SQLite asks for is carried out, off-core; the directory's for a new WAL included;
//   2  xShm*, xLock and WAL xWrite never suspend; xRead, xSync and xSleep do;
//   3  no memory mapping (xFetch is absent), and temporary files only for a statement that runs
//      (temporary_file.h), which also yields at them;
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

// The version of the SQLite in use, as a number: 3053002 of 3.53.2.
int SqliteVersion();

// Gives up the locks and the place in the store that a connection has, which from then on can neither read
// nor write: for one that cannot be closed. Requires: no call of SQLite is under way on it. Does not suspend.
void DetachFiles(sqlite3* connection);

// What a connection forbids its own calls, and wants to hear of them. The store cannot tell whose a call is but
// by the open file.
struct ConnectionGuard {
  // A read transaction that would begin is refused; one that has begun goes on.
  bool bars_snapshots = false;
  bool has_barred = false;  // A snapshot was refused.
  // Called between reads of pages: one instruction may read all that there are, and SQLite's own progress call
  // comes between instructions. It may suspend.
  void (*on_reads)(void* context) = nullptr;
  void* context = nullptr;
  unsigned reads = 0;
};
// From now on the connection, which has read something already, obeys `guard`, which must outlive it.
void SetGuard(sqlite3* connection, ConnectionGuard* guard);

// Makes SQLite's generator of random numbers (WAL salts, randomblob) start over from the core's, for
// tests and simulations.
void ResetRandomness();

}  // namespace tradewind::sqlite
