// What the clients of a swarm were told, and what must follow from it. Every read is checked when it comes:
//
//   - a row is in the tenant that it was written to, in no other, as it was written, and once (a statement that
//     ran twice shows as two rows: nothing in the table is unique)
//   - a row that was acknowledged, or that any read has shown, is in every read that begins later, unless a
//     delete of its tenant may have come in between
//   - after a delete that was acknowledged no row of before is seen
//   - what is not committed, or was rolled back, is seen by nobody else
//   - in a tenant that is never deleted the reads are the states of one serial order: of any two, one holds the
//     other; and a transaction that read, then wrote and was committed has nothing between its read and its row
//
// and an epoch of a name, once shown, is never followed by a lower one. It knows nothing of nodes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core.h"
#include "sql/value.h"

namespace tradewind::sim {

class History {
 public:
  // When a call may have had its effect: from its sending to its answer, or long after that if none came.
  struct Span {
    runtime::TimePoint from;
    runtime::TimePoint to;
  };

  explicit History(std::function<void(std::string)> find) : find_(std::move(find)) {}

  // -- Names
  void AddName(const std::string& tenant, bool kept) { names_[tenant].kept = kept; }
  std::vector<std::string> names() const;
  bool is_kept(const std::string& tenant) const { return names_.at(tenant).kept; }
  // A create or import that was sent then was acknowledged just now.
  void NoteMade(const std::string& tenant, const char* how, runtime::TimePoint sent, runtime::TimePoint now);
  // A delete is sent; its number, for when it ends.
  size_t BeginDelete(const std::string& tenant, runtime::TimePoint now);
  // `certain`: it has happened, at that time at the latest.
  void EndDelete(const std::string& tenant, size_t number, runtime::TimePoint at_the_latest, bool certain);
  bool MayHaveBeenDeleted(const std::string& tenant, Span span) const;
  // Whether the tenant of a row may have been deleted since that was sent.
  bool MayHaveBeenDeletedSince(int64_t row, runtime::TimePoint now) const {
    return MayHaveBeenDeleted(rows_.at(row).tenant, {rows_.at(row).sent, now});
  }
  // Whether it must exist.
  bool MustExist(const std::string& tenant, runtime::TimePoint now) const;
  // An answer to a question that was sent then.
  void NoteEpoch(const std::string& tenant, int64_t epoch, runtime::TimePoint sent, runtime::TimePoint now);

  // -- Rows
  // `open`: in a transaction whose COMMIT is not sent.
  int64_t Add(const std::string& tenant, uint64_t length, bool open, runtime::TimePoint now);
  uint64_t LengthOf(int64_t id) const { return rows_.at(id).length; }
  // Its COMMIT is about to be sent; the transaction had read these before.
  void NoteCommitSent(int64_t id, std::optional<std::set<int64_t>> read);
  // Its COMMIT was never sent, and never will be.
  void NoteRolledBack(int64_t id) { rows_.at(id).state = RowState::kRolledBack; }
  void NoteAcknowledged(int64_t id, runtime::TimePoint now);
  uint64_t acknowledged() const { return acknowledged_; }

  // A read of all rows (id, tenant, length, whether the filler is whole) that was sent then; `own` is the
  // reader's own row that is not committed yet, or 0. The ids.
  std::set<int64_t> CheckRead(const std::string& tenant, const sql::StatementResult& result, int64_t own,
                              runtime::TimePoint sent, runtime::TimePoint now);
  // When all is over.
  void CheckOrder();

 private:
  enum class RowState { kOpen, kUnknown, kAcknowledged, kRolledBack };
  struct Row {
    std::string tenant;
    uint64_t length = 0;
    runtime::TimePoint sent;
    RowState state = RowState::kUnknown;
    runtime::TimePoint sure = runtime::TimePoint::max();  // From then on every read has it.
    std::optional<std::set<int64_t>> read;                // By its transaction, before it was written.
  };
  struct Delete {
    Span span;
    bool certain = false;
  };
  struct Name {
    bool kept = false;         // Never deleted.
    std::optional<Span> made;  // By the last create or import that was acknowledged.
    std::vector<Delete> deletes;
    std::vector<std::pair<runtime::TimePoint, int64_t>> epochs;  // Shown by then; both grow.
    std::map<size_t, std::set<int64_t>> states;                  // By size, of a kept one.
  };

  void CheckRow(const std::string& tenant, const std::vector<sql::Value>& row, int64_t own,
                runtime::TimePoint sent);
  void CheckState(const std::string& tenant, const std::set<int64_t>& state);

  const std::function<void(std::string)> find_;
  std::map<std::string, Name> names_;
  std::map<int64_t, Row> rows_;
  int64_t next_row_ = 1;
  uint64_t acknowledged_ = 0;
};

}  // namespace tradewind::sim
