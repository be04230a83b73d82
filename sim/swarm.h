// A swarm: from one seed a small cluster, clients that do everything at once on a few names, and faults. What must
// hold is judged by the clients alone, from what they were told:
//
//   - an acknowledged row is there, unless a delete of its tenant may have come after it (I4, I5)
//   - a row is in the tenant that it was written to, and in no other
//   - a transaction sees one state: what it reads twice is the same, and what it was told to be rolled back is
//     never seen by anybody
//   - a name that is created again is refused, and what it holds stays
//   - a second node of a name is refused
//   - when the faults are over every tenant serves, its file is whole, and only its owner has one
//
// The same seed is the same run. story() tells it, with what the nodes logged.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/fiber.h"
#include "sim/cluster.h"
#include "sqlite/value.h"

namespace tradewind::sim {

// What is drawn from; a test that looks for one kind of fault leaves the others out.
struct SwarmOptions {
  uint64_t seed = 1;
  int rounds = 8;  // Of faults, each with some seconds of virtual time.
  bool crashes = true;
  bool cuts = true;
  bool full_disks = true;
  bool flipped_bits = true;
  bool second_nodes = true;
};

class Swarm {
 public:
  explicit Swarm(SwarmOptions options);
  ~Swarm();

  // Runs it and judges it. What was wrong is in findings().
  void Play();
  const std::vector<std::string>& findings() const { return findings_; }
  // What happened, a line each, with the virtual time.
  const std::vector<std::string>& story() const { return story_; }
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t trace_hash() { return cluster_.world().trace_hash(); }

 private:
  enum class RowState {
    kOpen,  // In a transaction whose COMMIT was not sent: nobody else may see it.
    kUnknown,
    kAcknowledged,
    kRolledBack,  // Its COMMIT was never sent, and never will be: nobody may see it any more.
  };
  struct Row {
    std::string tenant;
    runtime::TimePoint sent;
    RowState state = RowState::kUnknown;
  };
  // When a call may have had its effect: from its sending to its answer, or long after that if none came.
  struct Span {
    runtime::TimePoint from;
    runtime::TimePoint to;
  };
  // A name, as the clients know it from their answers.
  struct Name {
    bool kept = false;         // Never deleted.
    std::optional<Span> made;  // By the last create or import that was acknowledged.
    std::vector<Span> deletes;
  };

  runtime::TimePoint now() { return cluster_.client().Now(); }
  Random& random() { return cluster_.world().random(); }
  void Tell(std::string line);
  void Find(std::string what);
  std::string AnyHost();
  std::string AnyTenant();

  // Clients; each is a fiber until stopping_.
  void Administer();
  void Rush(const std::string& tenant);
  void Create(const std::string& tenant);
  void Import(const std::string& tenant);
  void MakeFile();
  void Delete(const std::string& tenant);
  void Move(const std::string& tenant);
  void Write();
  void InTransactions();
  void Transact(const std::string& tenant);
  // Checks rows as a client read them; `own` is the reader's own row, or 0. Returns their ids.
  std::set<int64_t> CheckRead(const std::string& tenant, const sqlite::StatementResult& result, int64_t own);
  int64_t AddRow(const std::string& tenant, RowState state);
  // A create or import was acknowledged.
  void NoteMade(const std::string& tenant, const char* how, runtime::TimePoint sent);
  bool MayHaveBeenDeleted(const std::string& tenant, Span span) const;
  void Client(const std::string& name, void (Swarm::*act)());
  // A call of the admin API; its status, or 0 when no answer came.
  int Call(const std::string& host, const std::string& method, const std::string& target,
           const std::string& body, std::string* answer = nullptr);

  // Faults, one a round. Not in a fiber.
  void Round();
  void Let(runtime::Duration time);
  void GoDown();
  void CutLinks();
  void FillDisk();
  void FlipBits();
  void StartSecondNode();

  void Settle();
  void Judge();
  void JudgeTenant(const std::string& tenant, const std::string& owner);

  class Listener;

  std::unique_ptr<Listener> listener_;  // Before the cluster, whose nodes it hears.
  const SwarmOptions options_;
  const std::vector<std::string> hosts_;
  Cluster cluster_;
  std::string file_;  // A database with an empty table, for imports.
  std::map<std::string, Name> names_;
  std::map<int64_t, Row> rows_;
  std::vector<std::string> moves_;
  int64_t next_row_ = 1;
  uint64_t acknowledged_ = 0;
  bool stopping_ = false;
  int running_ = 0;
  std::vector<std::string> findings_;
  std::vector<std::string> story_;
};

}  // namespace tradewind::sim
