// A bank that checks itself, as an open-loop load: transfers between two accounts, as batches and over three
// requests, audits of the sum of all balances, and look-ups. What the database must hold at the end is known
// exactly, so that a lost, doubled or half-done transfer shows. (bank.h is the same by closed-loop clients.)
//
//   accounts  at most a thousand, hot; an audit reads them all
//   ledger    a row for each transfer, with its unique id
//   entries   the records that make up the size, cold: looked up, and one rewritten by each transfer
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "load/transfer_log.h"
#include "load/workload.h"

namespace tradewind::load {

namespace {

constexpr int64_t kOpeningBalance = 1000;
constexpr int64_t kAccounts = 1000;
constexpr int64_t kTwin = 7919;
constexpr int64_t kRowsAtOnce = 20'000;                        // So that no answer is too large.
constexpr int kLookUps = 60, kBatches = 30, kInteractive = 9;  // Percent; the rest are audits.

class OpenBank final : public Workload {
 public:
  explicit OpenBank(const WorkloadOptions& options) : options_(options), logs_(options.tenants) {}

  std::string name() const override { return "bank"; }

  Result<void> Fill(const HranaClient& client, Random&, const Progress& progress) override {
    for (const char* sql :
         {"CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
          "CREATE TABLE ledger (transfer INTEGER PRIMARY KEY, debit INTEGER NOT NULL, credit INTEGER NOT "
          "NULL, amount "
          "INTEGER NOT NULL)",
          "CREATE TABLE entries (id INTEGER PRIMARY KEY, twin INTEGER NOT NULL, payload BLOB NOT NULL)"})
      TW_TRY(RunOne(client, Sql(sql)));
    const std::string numbers =
        "WITH RECURSIVE n(id) AS (SELECT ?1 UNION ALL SELECT id + 1 FROM n WHERE id < ?2) ";
    TW_TRY(FillRows(client,
                    numbers + fmt::format("INSERT INTO accounts SELECT id, {} FROM n", kOpeningBalance),
                    std::min(options_.records, kAccounts), 20, {}));
    return FillRows(client,
                    numbers + fmt::format("INSERT INTO entries SELECT id, id * {}, randomblob({}) FROM n",
                                          kTwin, options_.record_bytes),
                    options_.records, options_.record_bytes, progress);
  }

  Result<void> CheckTables(const HranaClient& client, size_t tenant) override {
    const auto found =
        RunOne(client, Sql("SELECT (SELECT count(*) FROM accounts), (SELECT ifnull(max(transfer), 0) "
                           "FROM ledger), (SELECT max(id) FROM entries)"));
    if (!found) return TablesMissing(name(), found.error().message);
    Log& log = logs_.at(tenant);
    log.accounts = IntegerOf(found->rows.at(0).at(0));
    log.first = log.next = IntegerOf(found->rows.at(0).at(1)) + 1;
    if (log.accounts >= 2 && IntegerOf(found->rows.at(0).at(2)) >= options_.records) return {};
    return TablesMissing(name(), "it has fewer records than asked for");
  }

  Request Draw(size_t tenant, Random& random) override {
    Log& log = logs_.at(tenant);
    auto kind = static_cast<int>(random() % 100);
    const auto falls_in = [&kind](int share) { return (kind -= share) < 0; };
    const int64_t entry = Upto(options_.records, random);
    if (falls_in(kLookUps))
      return {"look-up", [entry](const HranaClient& client) -> Result<void> {
                TW_TRY_ASSIGN(
                    const auto result,
                    RunOne(client, Sql("SELECT twin, length(payload) FROM entries WHERE id = ?1", {entry})));
                if (result.rows.size() == 1 && IntegerOf(result.rows[0][0]) == entry * kTwin) return {};
                return WrongAnswer(fmt::format("entry {} is missing or wrong", entry));
              }};
    const bool batch = falls_in(kBatches);
    const bool interactive = !batch && falls_in(kInteractive);
    if (batch || interactive) {
      const int64_t transfer = log.next++;
      auto statements = Transfer(transfer, log.accounts, entry, random);
      return {interactive ? "interactive transfer" : "transfer",
              [&log, transfer, interactive, statements = std::move(statements)](const HranaClient& client) {
                const Result<void> done =
                    interactive ? RunInteractively(client, statements) : RunAtOnce(client, statements);
                log.transfers.Record(transfer, OutcomeOf(done));
                return done;
              }};
    }
    return {"audit", [&log](const HranaClient& client) -> Result<void> {
              TW_TRY_ASSIGN(const auto result, RunOne(client, Sql("SELECT sum(balance) FROM accounts")));
              if (IntegerOf(result.rows.at(0).at(0)) == log.accounts * kOpeningBalance) return {};
              return WrongAnswer("the balances do not add up to what they were");
            }};
  }

  Result<std::optional<WorkloadChecks>> Verify(
      const std::function<const HranaClient&(size_t)>& client_of) override {
    LedgerFindings all;
    int64_t wrong = 0;
    for (size_t tenant = 0; tenant < logs_.size(); ++tenant) {
      const HranaClient& client = client_of(tenant);
      TW_TRY_ASSIGN(const auto ledger, ReadLedger(client, logs_[tenant].first));
      const LedgerFindings findings = logs_[tenant].transfers.Compare(ledger);
      all.acknowledged += findings.acknowledged;
      all.lost += findings.lost;
      all.doubled += findings.doubled;
      all.ghosts += findings.ghosts;
      all.unknown += findings.unknown;
      TW_TRY_ASSIGN(
          const auto balances,
          RunOne(
              client,
              Sql("SELECT count(*) FROM accounts LEFT JOIN (SELECT account, sum(change) AS change FROM "
                  "(SELECT debit AS account, -amount AS change FROM ledger UNION ALL SELECT credit, amount "
                  "FROM ledger) GROUP BY account) ON account = id WHERE balance <> ?1 + ifnull(change, 0)",
                  {kOpeningBalance})));
      wrong += IntegerOf(balances.rows.at(0).at(0));
    }
    WorkloadChecks checks;
    checks.ok = all.ok() && wrong == 0;
    checks.figures = {{"transfers", all.acknowledged}, {"lost", all.lost},       {"doubled", all.doubled},
                      {"ghosts", all.ghosts},          {"unknown", all.unknown}, {"wrong_balances", wrong}};
    return std::optional(std::move(checks));
  }

 private:
  struct Log {
    int64_t accounts = 0;
    int64_t first = 1;  // Transfers from here on are of this run.
    int64_t next = 1;
    TransferLog transfers;
  };

  static int64_t Upto(int64_t most, Random& random) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(most)) + 1;
  }

  static Outcome OutcomeOf(const Result<void>& done) {
    if (done) return Outcome::kCommitted;
    return done.error().code == kAbortedCode ? Outcome::kRolledBack : Outcome::kUnknown;
  }

  std::vector<Statement> Transfer(int64_t transfer, int64_t accounts, int64_t entry, Random& random) const {
    const int64_t debit = Upto(accounts, random);
    int64_t credit = Upto(accounts - 1, random);
    if (credit >= debit) ++credit;
    // Nobody is overdrawn: an account that has too little sends nothing, and the ledger says so.
    return {Sql("INSERT INTO ledger SELECT ?1, ?2, ?3, min(balance, ?4) FROM accounts WHERE id = ?2",
                {transfer, debit, credit, Upto(10, random)}),
            Sql("UPDATE accounts SET balance = balance - (SELECT amount FROM ledger WHERE transfer = ?1) "
                "WHERE id = ?2",
                {transfer, debit}),
            Sql("UPDATE accounts SET balance = balance + (SELECT amount FROM ledger WHERE transfer = ?1) "
                "WHERE id = ?2",
                {transfer, credit}),
            Sql("UPDATE entries SET payload = randomblob(?1) WHERE id = ?2", {options_.record_bytes, entry})};
  }

  static Result<void> RunAtOnce(const HranaClient& client, const std::vector<Statement>& statements) {
    HranaStream stream(client);
    TW_TRY(stream.Transact(statements));
    return {};
  }

  static Result<void> RunInteractively(const HranaClient& client, const std::vector<Statement>& statements) {
    HranaStream stream(client);
    auto step = stream.Execute({Sql("BEGIN IMMEDIATE")});
    if (step) step = stream.Execute(statements);
    if (step) step = stream.Execute({Sql("COMMIT")}, true);
    if (step) return {};
    // So that its write turn is free at once.
    if (stream.open()) [[maybe_unused]]
      auto closed = stream.Close();
    return Fail(step.error());
  }

  static Result<std::map<TransferId, int64_t>> ReadLedger(const HranaClient& client, int64_t first) {
    std::map<TransferId, int64_t> ledger;
    for (TransferId after = first - 1;;) {
      TW_TRY_ASSIGN(
          const auto result,
          RunOne(client, Sql("SELECT transfer, count(*) FROM ledger WHERE transfer > ?1 GROUP BY transfer "
                             "ORDER BY transfer LIMIT ?2",
                             {after, kRowsAtOnce})));
      for (const auto& row : result.rows) ledger[after = IntegerOf(row[0])] = IntegerOf(row[1]);
      if (static_cast<int64_t>(result.rows.size()) < kRowsAtOnce) return ledger;
    }
  }

  const WorkloadOptions options_;
  std::vector<Log> logs_;
};

}  // namespace

std::unique_ptr<Workload> MakeOpenBank(const WorkloadOptions& options) {
  return std::make_unique<OpenBank>(options);
}

}  // namespace tradewind::load
