// What a client's SQL may do: the rules behind SQLite's authorizer. Refused is whatever reaches out of the
// tenant's one file (ATTACH, extensions), breaks what the server relies on (writable_schema, journal and sync
// settings), holds a stream where it is (temporary tables), or shows what other clients do (sqlite_stmt).
// PRAGMAs by allow-list. Nothing here calls SQLite.
#pragma once

#include "base/result.h"
#include "sqlite/statement_traits.h"

namespace tradewind::sqlite {

// The arguments of an authorizer call; see sqlite3_set_authorizer. Strings may be null.
struct SandboxCall {
  int action;
  const char* first;
  const char* second;
  const char* inner;  // The trigger or view that the call comes from; null for the statement's own text.
};

enum class SandboxPhase {
  kPreparing,   // A client's text is compiled.
  kDescribing,  // The same, but it will not run: PRAGMAs that act while they are compiled are ignored.
  kStepping,    // SQLite compiles statements of its own inside a running one (full-text tables, compiling
                // again).
  kVacuuming,   // The same inside VACUUM, which attaches a nameless database.
  kOptimizing,  // The same inside PRAGMA optimize, which may be compiled again itself.
};

// SQLITE_OK or SQLITE_IGNORE, or why the statement is refused (code SQLITE_AUTH).
Result<int> AuthorizeCall(const SandboxCall& call, SandboxPhase phase);

// Adds what the call tells about the statement that is being compiled.
void NoteTraits(const SandboxCall& call, StatementTraits& traits);

}  // namespace tradewind::sqlite
