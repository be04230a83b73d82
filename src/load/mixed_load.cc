#include "load/mixed_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/check.h"
#include "net/http_client.h"

namespace tradewind::load {
namespace {

constexpr size_t kComplaints = 10;
// Ends a transaction because its tenant moves, and says that it can be run again.
constexpr std::string_view kAbortCode = "SQLITE_BUSY_SNAPSHOT";
// A stop-and-copy of a large tenant lets a request wait this long.
constexpr runtime::Duration kRequestTimeout = std::chrono::seconds(120);

Statement Sql(std::string sql, std::vector<sql::Value> arguments = {}) {
  Statement statement;
  statement.sql = std::move(sql);
  statement.arguments = std::move(arguments);
  return statement;
}

int64_t Number(const sql::Value& value) {
  const auto* number = std::get_if<int64_t>(&value);
  return number ? *number : -1;
}

Result<std::vector<StatementResult>> One(const HranaClient& client, Statement statement) {
  HranaStream stream(client);
  return stream.Execute({std::move(statement)}, true);
}

tl::unexpected<Error> WrongAnswer(std::string what) {
  return Fail(ErrorKind::kCorrupt, "WRONG_ANSWER", std::move(what));
}

}  // namespace

MixedLoad::MixedLoad(runtime::Core& core, MixedLoadOptions options)
    : core_(core),
      options_(std::move(options)),
      keys_(options_.keys, options_.items),
      random_(options_.seed),
      next_event_(options_.last_event),
      loop_(core, options_.arrivals,
            [this](uint64_t arrival, runtime::TimePoint intended) { Request(arrival, intended); }) {}

Result<std::unique_ptr<MixedLoad>> MixedLoad::Make(runtime::Core& core, net::HttpClient& http,
                                                   MixedLoadOptions options) {
  TW_CHECK(!options.servers.empty() && !options.tenants.empty(), "such a load has nobody to ask");
  std::unique_ptr<MixedLoad> load(new MixedLoad(core, std::move(options)));
  for (const std::string& tenant : load->options_.tenants) {
    for (const std::string& server : load->options_.servers) {
      TW_TRY_ASSIGN(auto client, HranaClient::Make(core, http, server, tenant));
      client.set_timeout(kRequestTimeout);
      load->clients_.push_back(std::move(client));
    }
  }
  return load;
}

const HranaClient& MixedLoad::ClientOf(size_t tenant, size_t server) const {
  return clients_[tenant * options_.servers.size() + server];
}

void MixedLoad::Request(uint64_t arrival, runtime::TimePoint intended) {
  const auto tenant = static_cast<size_t>(random_() % options_.tenants.size());
  const HranaClient& client = ClientOf(tenant, arrival % options_.servers.size());
  auto kind = static_cast<int>(random_() % 100);
  const auto falls_in = [&kind](int share) { return (kind -= share) < 0; };
  ++counts_.sent;
  if (falls_in(options_.updates)) return Count("update", Update(client), intended);
  if (falls_in(options_.inserts)) return Count("insert", Insert(client, tenant), intended);
  if (falls_in(options_.batches)) return Count("batch", Batch(client, tenant), intended);
  if (falls_in(options_.interactive))
    return Count("interactive transaction", Interactive(client, tenant), intended);
  Count("point read", Read(client), intended);
}

void MixedLoad::Count(const char* operation, const Result<void>& outcome, runtime::TimePoint intended) {
  const runtime::TimePoint now = core_.Now();
  if (outcome) {
    ++counts_.succeeded;
    samples_.Record(now, now - intended);
    return;
  }
  ++(outcome.error().code == kAbortCode ? counts_.aborted : counts_.failed);
  if (complaints_.size() < kComplaints)
    complaints_.push_back(fmt::format("{}: {}", operation, Describe(outcome.error())));
}

Result<void> MixedLoad::Read(const HranaClient& client) {
  const int64_t id = keys_.Pick(random_);
  TW_TRY_ASSIGN(const auto results,
                One(client, Sql("SELECT twin, length(payload) FROM items WHERE id = ?1", {id})));
  const auto& rows = results.front().rows;
  if (rows.size() == 1 && Number(rows[0][0]) == id * kTwinFactor && Number(rows[0][1]) == kItemBytes)
    return {};
  return WrongAnswer(fmt::format("item {} is missing or wrong", id));
}

Result<void> MixedLoad::Update(const HranaClient& client) {
  const int64_t id = keys_.Pick(random_);
  TW_TRY_ASSIGN(const auto results, One(client, Sql("UPDATE items SET payload = randomblob(?1) WHERE id = ?2",
                                                    {kItemBytes, id})));
  if (results.front().affected_row_count == 1) return {};
  return WrongAnswer(fmt::format("the update of item {} found none", id));
}

void MixedLoad::Conclude(size_t tenant, int64_t event, const Result<void>& outcome) {
  if (outcome) events_.push_back({tenant, event, Fate::kAcknowledged});
  // After any error but the one that says that nothing happened it may have happened.
  if (!outcome && outcome.error().code != kAbortCode) events_.push_back({tenant, event, Fate::kOpen});
}

Result<void> MixedLoad::Insert(const HranaClient& client, size_t tenant) {
  const int64_t event = ++next_event_;
  Result<void> outcome;
  const auto results = One(client, Sql("INSERT INTO events VALUES (?1, 'single')", {event}));
  if (!results) outcome = Fail(results.error());
  Conclude(tenant, event, outcome);
  return outcome;
}

std::vector<Statement> MixedLoad::WriteStatements(int64_t event) {
  return {Sql("SELECT twin FROM items WHERE id = ?1", {keys_.Pick(random_)}),
          Sql("UPDATE items SET payload = randomblob(?1) WHERE id = ?2", {kItemBytes, keys_.Pick(random_)}),
          Sql("INSERT INTO events VALUES (?1, 'transaction')", {event})};
}

Result<void> MixedLoad::Batch(const HranaClient& client, size_t tenant) {
  const int64_t event = ++next_event_;
  HranaStream stream(client);
  Result<void> outcome;
  const auto results = stream.Transact(WriteStatements(event));
  if (!results) outcome = Fail(results.error());
  Conclude(tenant, event, outcome);
  return outcome;
}

Result<void> MixedLoad::Interactive(const HranaClient& client, size_t tenant) {
  const int64_t event = ++next_event_;
  HranaStream stream(client);
  auto step = stream.Execute({Sql("BEGIN IMMEDIATE")});
  if (step) step = stream.Execute(WriteStatements(event));
  if (step) step = stream.Execute({Sql("COMMIT")}, true);
  Result<void> outcome;
  if (!step) outcome = Fail(step.error());
  // So that its write turn is free at once.
  if (!step && stream.open()) [[maybe_unused]]
    auto closed = stream.Close();
  Conclude(tenant, event, outcome);
  return outcome;
}

Result<MixedLoad::Findings> MixedLoad::Verify() {
  struct Expected {
    std::set<int64_t> acknowledged;
    std::set<int64_t> open;
  };
  std::map<size_t, Expected> expected;
  for (const Event& event : events_) {
    Expected& of_tenant = expected[event.tenant];
    (event.fate == Fate::kAcknowledged ? of_tenant.acknowledged : of_tenant.open).insert(event.id);
  }
  Findings findings;
  for (auto& [tenant, wanted] : expected) {
    TW_TRY_ASSIGN(const auto results, One(ClientOf(tenant, options_.servers.size() - 1),
                                          Sql("SELECT id FROM events WHERE id > ?1", {options_.last_event})));
    findings.acknowledged += wanted.acknowledged.size();
    for (const auto& row : results.front().rows)
      if (wanted.acknowledged.erase(Number(row[0])) == 0 && !wanted.open.contains(Number(row[0])))
        ++findings.ghosts;
    findings.lost += wanted.acknowledged.size();
  }
  return findings;
}

}  // namespace tradewind::load
