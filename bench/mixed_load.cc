#include "mixed_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace tradewind::bench {

using load::HranaClient;
using load::HranaStream;
using load::IntegerOf;
using load::RunOne;
using load::Sql;
using load::WrongAnswer;

// -- What is drawn

load::Requests::Request MixedRequests::Draw(size_t tenant, Random& random) {
  const auto kind = static_cast<int>(random() % 100);
  if (kind < 10)
    return {"update",
            [this, id = keys_.Pick(random)](const HranaClient& client) { return Update(client, id); }};
  if (kind < 18)
    return {"insert", [this, tenant](const HranaClient& client) { return Insert(client, tenant); }};
  if (kind < 19)
    return {"batch",
            [this, tenant, &random](const HranaClient& client) { return Batch(client, tenant, random); }};
  if (kind < 20)
    return {"interactive transaction", [this, tenant, &random](const HranaClient& client) {
              return Interactive(client, tenant, random);
            }};
  return {"point read",
          [this, id = keys_.Pick(random)](const HranaClient& client) { return Read(client, id); }};
}

Result<void> MixedRequests::Read(const HranaClient& client, int64_t id) const {
  TW_TRY_ASSIGN(const auto result,
                RunOne(client, Sql("SELECT twin, length(payload) FROM items WHERE id = ?1", {id})));
  const auto& rows = result.rows;
  if (rows.size() == 1 && IntegerOf(rows[0][0]) == id * kTwinFactor && IntegerOf(rows[0][1]) == kItemBytes)
    return {};
  return WrongAnswer(fmt::format("item {} is missing or wrong", id));
}

Result<void> MixedRequests::Update(const HranaClient& client, int64_t id) const {
  TW_TRY_ASSIGN(
      const auto result,
      RunOne(client, Sql("UPDATE items SET payload = randomblob(?1) WHERE id = ?2", {kItemBytes, id})));
  if (result.affected_row_count == 1) return {};
  return WrongAnswer(fmt::format("the update of item {} found none", id));
}

void MixedRequests::Conclude(size_t tenant, int64_t event, const Outcome& outcome) {
  // After any error but the one that says that nothing happened it may have happened.
  if (outcome || outcome.error().code != load::kAbortedCode)
    events_.push_back({tenant, event, outcome.has_value()});
}

Result<void> MixedRequests::Insert(const HranaClient& client, size_t tenant) {
  const int64_t event = ++last_event_;
  Outcome outcome;
  const auto result = RunOne(client, Sql("INSERT INTO events VALUES (?1, 'single')", {event}));
  if (!result) outcome = Fail(result.error());
  Conclude(tenant, event, outcome);
  return outcome;
}

std::vector<load::Statement> MixedRequests::WriteStatements(int64_t event, Random& random) const {
  return {Sql("SELECT twin FROM items WHERE id = ?1", {keys_.Pick(random)}),
          Sql("UPDATE items SET payload = randomblob(?1) WHERE id = ?2", {kItemBytes, keys_.Pick(random)}),
          Sql("INSERT INTO events VALUES (?1, 'transaction')", {event})};
}

Result<void> MixedRequests::Batch(const HranaClient& client, size_t tenant, Random& random) {
  const int64_t event = ++last_event_;
  HranaStream stream(client);
  Outcome outcome;
  const auto results = stream.Transact(WriteStatements(event, random));
  if (!results) outcome = Fail(results.error());
  Conclude(tenant, event, outcome);
  return outcome;
}

Result<void> MixedRequests::Interactive(const HranaClient& client, size_t tenant, Random& random) {
  const int64_t event = ++last_event_;
  HranaStream stream(client);
  auto step = stream.Execute({Sql("BEGIN IMMEDIATE")});
  if (step) step = stream.Execute(WriteStatements(event, random));
  if (step) step = stream.Execute({Sql("COMMIT")}, true);
  Outcome outcome;
  if (!step) outcome = Fail(step.error());
  // So that its write turn is free at once.
  if (!step && stream.open()) [[maybe_unused]]
    auto closed = stream.Close();
  Conclude(tenant, event, outcome);
  return outcome;
}

Result<MixedRequests::Findings> MixedRequests::Verify(const load::Generator& generator) const {
  struct Expected {
    std::set<int64_t> acknowledged;
    std::set<int64_t> open;
  };
  std::map<size_t, Expected> expected;
  for (const Event& event : events_) {
    Expected& of_tenant = expected[event.tenant];
    (event.acknowledged ? of_tenant.acknowledged : of_tenant.open).insert(event.id);
  }
  Findings findings;
  for (auto& [tenant, wanted] : expected) {
    TW_TRY_ASSIGN(const auto result, RunOne(generator.client_of(tenant),
                                            Sql("SELECT id FROM events WHERE id > ?1", {first_event_})));
    findings.acknowledged += wanted.acknowledged.size();
    for (const auto& row : result.rows)
      if (wanted.acknowledged.erase(IntegerOf(row[0])) == 0 && !wanted.open.contains(IntegerOf(row[0])))
        ++findings.ghosts;
    findings.lost += wanted.acknowledged.size();
  }
  return findings;
}

// -- Sent

MixedLoad::MixedLoad(const MixedLoadOptions& options)
    : per_second_(options.per_second), requests_(options.keys, options.items, options.last_event) {}

Result<std::unique_ptr<MixedLoad>> MixedLoad::Make(runtime::Core& core, net::HttpClient& http,
                                                   const MixedLoadOptions& options) {
  std::unique_ptr<MixedLoad> load(new MixedLoad(options));
  load::GeneratorOptions generator;
  generator.tenants = options.tenants;
  generator.servers = options.servers;
  generator.workers = options.workers;
  generator.seed = options.seed;
  TW_TRY_ASSIGN(load->generator_, load::Generator::Make(core, http, load->requests_, generator));
  return load;
}

void MixedLoad::Start() {
  generator_->Start(load::MakeFixedArrivals({.steps = {{0, per_second_}}}));
}

MixedLoadCounts MixedLoad::counts() const {
  MixedLoadCounts counts;
  counts.sent = generator_->sent().size();
  for (const load::Sent& sent : generator_->sent()) {
    if (sent.outcome == load::RequestOutcome::kFailed) ++counts.failed;
    if (sent.outcome == load::RequestOutcome::kAborted) ++counts.aborted;
  }
  return counts;
}

load::Samples MixedLoad::samples() const {
  load::Samples samples;
  runtime::TimePoint last = generator_->started();
  for (const load::Sent& sent : generator_->sent()) {
    if (sent.outcome != load::RequestOutcome::kSucceeded) continue;
    const runtime::Duration latency(sent.latency_ns);
    const auto at = std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(sent.at_s));
    last = std::max(last, generator_->started() + at + latency);  // Rounded, they may change places.
    samples.Record(last, latency);
  }
  return samples;
}

}  // namespace tradewind::bench
