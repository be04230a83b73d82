// An open-loop load of point reads and small durable writes over one tenant or many, each request through the
// next node in turn: the load of the measurements of moves and drains. Every answer is checked.
//
//   items   (id INTEGER PRIMARY KEY, twin, payload): ids 1 to N, twin = id * kTwinFactor; read one by one,
//           and their payload rewritten
//   events  (id INTEGER PRIMARY KEY, note): a row for each acknowledged insert
//
// A tenant must have these tables, the items filled (tenant_file.h), before the load starts. It does not retry. One
// core only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/generator.h"
#include "load/key_picker.h"
#include "load/samples.h"
#include "load/workload.h"

namespace tradewind::bench {

inline constexpr int64_t kTwinFactor = 7919;
inline constexpr int64_t kItemBytes = 990;  // Of a payload: four items fill a page of 4096 bytes.
inline constexpr std::string_view kMixedLoadTables =
    "CREATE TABLE items (id INTEGER PRIMARY KEY, twin INTEGER NOT NULL, payload BLOB NOT NULL);"
    "CREATE TABLE events (id INTEGER PRIMARY KEY, note TEXT NOT NULL);";

struct MixedLoadOptions {
  std::vector<std::string> tenants;
  std::vector<std::string> servers;  // URLs of the nodes.
  int64_t items = 0;                 // Of each tenant.
  double per_second = 100;
  int workers = 32;
  load::KeyChoice keys = load::KeyChoice::kZipfian;
  uint64_t seed = 1;
  int64_t last_event = 0;  // The highest id in events that an earlier load may have left.
};

struct MixedLoadCounts {
  uint64_t sent = 0;
  uint64_t failed = 0;   // With an error that a user would have seen, or a wrong answer.
  uint64_t aborted = 0;  // Transactions rolled back because their tenant moved, which may be run again.
};

// What is drawn: of a hundred requests ten updates, eight inserts, a batch, an interactive transaction, and else point
// reads.
class MixedRequests final : public load::Requests {
 public:
  MixedRequests(load::KeyChoice keys, int64_t items, int64_t last_event)
      : keys_(keys, items), first_event_(last_event), last_event_(last_event) {}

  Request Draw(size_t tenant, Random& random) override;

  // The acknowledged inserts that are not there, and those there that nobody sent, over all tenants that were written to.
  // Suspends.
  struct Findings {
    uint64_t acknowledged = 0;
    uint64_t lost = 0;
    uint64_t ghosts = 0;
  };
  Result<Findings> Verify(const load::Generator& generator) const;

  int64_t last_event() const { return last_event_; }

 private:
  struct Event {
    size_t tenant;
    int64_t id;
    bool acknowledged;  // Else it may be there or not.
  };
  using Outcome = Result<void>;
  Outcome Read(const load::HranaClient& client, int64_t id) const;
  Outcome Update(const load::HranaClient& client, int64_t id) const;
  Outcome Insert(const load::HranaClient& client, size_t tenant);
  Outcome Batch(const load::HranaClient& client, size_t tenant, Random& random);
  Outcome Interactive(const load::HranaClient& client, size_t tenant, Random& random);
  std::vector<load::Statement> WriteStatements(int64_t event, Random& random) const;
  void Conclude(size_t tenant, int64_t event, const Outcome& outcome);

  const load::KeyPicker keys_;
  const int64_t first_event_;  // All of this load are above.
  int64_t last_event_;
  std::vector<Event> events_;
};

class MixedLoad {
 public:
  // Fails with URL_INVALID. Requires: a server, a tenant, an item. The HTTP client must outlive it.
  static Result<std::unique_ptr<MixedLoad>> Make(runtime::Core& core, net::HttpClient& http,
                                                 const MixedLoadOptions& options);

  void Start();
  // Suspends until every request is answered.
  void Stop() { generator_->Stop(); }

  // After Stop().
  Result<MixedRequests::Findings> Verify() const { return requests_.Verify(*generator_); }
  MixedLoadCounts counts() const;
  // Of successful requests, from the intended moment of sending.
  load::Samples samples() const;
  int64_t last_event() const { return requests_.last_event(); }
  const std::vector<std::string>& complaints() const { return generator_->complaints(); }

 private:
  explicit MixedLoad(const MixedLoadOptions& options);

  const double per_second_;
  MixedRequests requests_;
  std::unique_ptr<load::Generator> generator_;
};

}  // namespace tradewind::bench
