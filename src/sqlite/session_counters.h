// The SQL functions last_insert_rowid(), changes() and total_changes() of a session whose connection is another
// than before: one that was used by others, or at another node. SQLite lets only the first be set. So the
// other two are functions of our own under SQLite's names: total_changes() adds to SQLite's count, and
// changes() is what the session brought along until a statement of it counts rows here.
//
// Within triggers SQLite counts again in each, and puts the count of before back at its end. Whether a count
// in a trigger is the one of before is told by its value, which is certain only when SQLite counts as the
// session does: see MakeReal().
#pragma once

#include <cstdint>
#include <optional>

struct sqlite3;
struct sqlite3_context;
struct sqlite3_value;

namespace tradewind::sqlite {

class SessionCounters {
 public:
  // Registers the functions. The connection must be closed before this goes away.
  void Install(sqlite3* connection);

  int64_t last_insert_rowid() const;
  int64_t changes() const;
  int64_t total_changes() const;
  // From now on the functions begin with these values.
  void Set(int64_t last_insert_rowid, int64_t changes, int64_t total_changes);

  // A statement has taken steps. `counts`: it is an INSERT, UPDATE or DELETE, whose end sets changes().
  void NoteSteps(bool counts);
  // Whether SQLite's own count is another than the session's.
  bool is_carried() const { return carried_.has_value(); }
  // Makes SQLite's count the session's, with a temporary table and as many rows as that takes (up to a few
  // thousand; beyond that the count stays one that no statement is likely to have). For a statement with a
  // trigger that calls changes(). The authorizer must let it. Does not suspend.
  void MakeReal();

 private:
  struct Carried {
    int64_t changes;         // The session's,
    int64_t sqlite_changes;  // while SQLite's is this.
    int64_t sqlite_total;
  };
  template <int64_t (SessionCounters::*Counter)() const>
  static void Call(sqlite3_context* context, int count, sqlite3_value** arguments) noexcept;

  sqlite3* connection_ = nullptr;
  std::optional<Carried> carried_;
  int64_t total_before_ = 0;  // To be added to SQLite's.
};

}  // namespace tradewind::sqlite
