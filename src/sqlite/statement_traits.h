// What a prepared statement would do, known before it runs.
#pragma once

namespace tradewind::sqlite {

enum class TransactionControl { kNone, kBegin, kCommit, kRollback, kSavepoint, kRelease, kRollbackTo };

struct StatementTraits {
  bool readonly = true;  // False also for BEGIN IMMEDIATE, which takes the write lock.
  TransactionControl control = TransactionControl::kNone;  // COMMIT is also END.
  bool begins_readonly = false;                            // BEGIN READONLY.
  bool changes_rows = false;  // INSERT, UPDATE, DELETE of the client's own (not of its triggers, not DDL).
  bool inserts = false;
  bool creates = false;  // CREATE TABLE, INDEX, VIEW, TRIGGER, VIRTUAL TABLE.
  bool changes_schema = false;
  bool is_pragma = false;  // Many act while they are compiled: such a statement is not kept for another run.
  bool is_vacuum = false;
  bool never_writes = false;   // PRAGMA journal_mode: SQLite counts it as writing, but WAL stays WAL.
  bool writes_inside = false;  // PRAGMA optimize: SQLite counts it as reading, but it runs ANALYZE.
  bool is_explain = false;  // Shows what is compiled, by the schema of then: not kept for another run either.
  bool counts_changes = false;        // Its end sets changes(): INSERT, UPDATE, DELETE, and EXPLAIN of these.
  bool shows_changes_inside = false;  // It writes, and a trigger or a view calls changes().
};

}  // namespace tradewind::sqlite
