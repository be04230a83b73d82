#include "load/bank.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "net/http_client.h"

namespace tradewind::load {
namespace {

// Four entries fill a page of 4096 bytes.
constexpr int64_t kPayloadBytes = 990;
constexpr uint64_t kBytesPerEntry = 1024;
constexpr int64_t kEntriesPerTransaction = 10'000;
// Each entry carries its id times this, so that a row found under a wrong key shows.
constexpr int64_t kTwinFactor = 7919;
constexpr int64_t kRangeLength = 50;
constexpr int64_t kTransfersPerClient = 1'000'000'000;
constexpr size_t kComplaints = 10;

// Errors that end a transaction because its tenant moves, and say that it can be run again.
constexpr std::string_view kAbortCodes[] = {"SQLITE_BUSY_SNAPSHOT"};
// Errors after which a transaction has certainly not been committed. After any other its fate is open: the
// answer, or that of a node further on, may have been lost.
constexpr std::string_view kNotCommittedCodes[] = {"SQLITE_BUSY_SNAPSHOT", "NODE_UNREACHABLE",
                                                   "SQLITE_CONSTRAINT",    "SQLITE_BUSY",
                                                   "STREAM_EXPIRED",       "TRANSACTION_TIMEOUT"};

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

bool IsAmong(std::span<const std::string_view> codes, const std::string& code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

Outcome OutcomeOf(const Error& error) {
  return IsAmong(kNotCommittedCodes, error.code) ? Outcome::kRolledBack : Outcome::kUnknown;
}

}  // namespace

struct Bank::Client {
  int64_t index = 0;
  std::mt19937_64 random;
  size_t next_server = 0;
  int64_t transfers = 0;

  int64_t Pick(int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); }
};

Bank::Bank(runtime::Core& core, BankOptions options)
    : core_(core),
      options_(std::move(options)),
      entries_(static_cast<int64_t>(options_.entry_bytes / kBytesPerEntry)),
      running_(core) {}

Bank::~Bank() {
  TW_CHECK(running_.size() == 0, "clients use the bank until Stop() has returned");
}

Result<std::unique_ptr<Bank>> Bank::Make(runtime::Core& core, net::HttpClient& http, BankOptions options) {
  std::unique_ptr<Bank> bank(new Bank(core, std::move(options)));
  for (const std::string& server : bank->options_.servers) {
    TW_TRY_ASSIGN(auto client,
                  HranaClient::Make(core, http, server, bank->options_.tenant, bank->options_.token));
    bank->servers_.push_back(std::move(client));
  }
  TW_CHECK(!bank->servers_.empty(), "a bank without a server has no clients");
  return bank;
}

Result<void> Bank::Fill(const std::function<Result<void>(uint64_t bytes)>& progress) {
  HranaStream tables(servers_.front());
  TW_TRY(tables.Transact(
      {Sql("CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))"),
       Sql("CREATE TABLE ledger (transfer INTEGER NOT NULL, debit INTEGER NOT NULL, credit INTEGER NOT NULL,"
           " amount INTEGER NOT NULL)"),
       Sql("CREATE INDEX ledger_by_transfer ON ledger (transfer)"),
       Sql("CREATE TABLE entries (id INTEGER PRIMARY KEY, twin INTEGER NOT NULL, payload BLOB NOT NULL)"),
       Sql("WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?1)"
           " INSERT INTO accounts SELECT id, ?2 FROM n",
           {options_.accounts, options_.opening_balance})}));
  for (int64_t first = 1; first <= entries_; first += kEntriesPerTransaction) {
    const int64_t last = std::min(first + kEntriesPerTransaction - 1, entries_);
    HranaStream stream(servers_.front());
    TW_TRY(
        stream.Execute({Sql("WITH RECURSIVE n(id) AS (SELECT ?1 UNION ALL SELECT id + 1 FROM n WHERE id < ?2)"
                            " INSERT INTO entries SELECT id, id * ?3, randomblob(?4) FROM n",
                            {first, last, kTwinFactor, kPayloadBytes})},
                       true));
    if (progress) TW_TRY(progress(static_cast<uint64_t>(last) * kBytesPerEntry));
  }
  return {};
}

int Bank::clients() const {
  return options_.point_readers + options_.range_readers + options_.auditors + options_.batch_writers +
         options_.interactive_writers;
}

void Bank::Start() {
  StartClients(entries_ > 0 ? options_.point_readers : 0, &Bank::ReadPoint);
  StartClients(entries_ >= kRangeLength ? options_.range_readers : 0, &Bank::ReadRange);
  StartClients(options_.auditors, &Bank::Audit);
  StartClients(options_.batch_writers, &Bank::TransferInBatch);
  StartClients(options_.interactive_writers, &Bank::TransferInteractively);
}

void Bank::StartClients(int count, Operation operation) {
  for (int i = 0; i < count; ++i) {
    auto client = std::make_unique<Client>();
    client->index = static_cast<int64_t>(clients_.size());
    client->random.seed(options_.seed + clients_.size());
    client->next_server = clients_.size();
    running_.Spawn("bank client", [this, client = client.get(), operation] { Run(*client, operation); });
    clients_.push_back(std::move(client));
  }
}

void Bank::Stop() {
  stopping_.Set();
  running_.Join();
}

void Bank::Run(Client& client, Operation operation) {
  const int64_t mean = options_.pause.count();
  // Apart from the start, so that the clients do not march in step.
  runtime::Duration pause{client.Pick(0, mean)};
  while (!stopping_.WaitUntil(core_.Now() + pause)) {
    (this->*operation)(client);
    pause = runtime::Duration{client.Pick(mean / 2, mean + mean / 2)};
  }
}

bool Bank::AwaitTransfers(uint64_t count, runtime::TimePoint deadline) {
  const uint64_t wanted = acknowledged_ + count;
  return runtime::WaitForUntil(transfer_acknowledged_, deadline, [&] { return acknowledged_ >= wanted; });
}

HranaClient& Bank::NextServer(Client& client) {
  return servers_[client.next_server++ % servers_.size()];
}

TransferId Bank::NextTransfer(Client& client) {
  return client.index * kTransfersPerClient + ++client.transfers;
}

template <typename Call>
auto Bank::Timed(Call call) {
  const runtime::TimePoint sent = core_.Now();
  ++counts_.requests;
  auto result = call();
  const runtime::TimePoint answered = core_.Now();
  if (result) samples_.Record(answered, answered - sent);
  return result;
}

void Bank::Complain(std::string complaint) {
  if (complaints_.size() < kComplaints) complaints_.push_back(std::move(complaint));
}

void Bank::CountError(const char* operation, const Error& error) {
  ++(IsAmong(kAbortCodes, error.code) ? counts_.aborted : counts_.failed);
  Complain(fmt::format("{}: {}", operation, Describe(error)));
}

Result<StatementResult> Bank::ReadOne(Client& client, Statement statement) {
  HranaStream stream(NextServer(client));
  auto results = Timed([&] { return stream.Execute({std::move(statement)}, true); });
  if (!results) return Fail(std::move(results).error());
  return std::move(results->front());
}

void Bank::ReadPoint(Client& client) {
  const int64_t id = client.Pick(1, entries_);
  const auto read = ReadOne(client, Sql("SELECT twin, length(payload) FROM entries WHERE id = ?1", {id}));
  if (!read) return CountError("point read", read.error());
  if (read->rows.size() == 1 && Number(read->rows[0][0]) == id * kTwinFactor &&
      Number(read->rows[0][1]) == kPayloadBytes)
    return;
  ++counts_.failed;
  Complain(fmt::format("point read: entry {} is missing or wrong", id));
}

void Bank::ReadRange(Client& client) {
  const int64_t first = client.Pick(1, entries_ - kRangeLength + 1);
  const int64_t last = first + kRangeLength - 1;
  const auto read = ReadOne(
      client,
      Sql("SELECT sum(twin), sum(length(payload)) FROM entries WHERE id BETWEEN ?1 AND ?2", {first, last}));
  if (!read) return CountError("range read", read.error());
  if (Number(read->rows[0][0]) == (first + last) * kRangeLength / 2 * kTwinFactor &&
      Number(read->rows[0][1]) == kRangeLength * kPayloadBytes)
    return;
  ++counts_.failed;
  Complain(fmt::format("range read: the entries from {} to {} do not add up", first, last));
}

void Bank::Audit(Client& client) {
  const auto read = ReadOne(client, Sql("SELECT sum(balance), count(*) FROM accounts"));
  if (!read) return CountError("audit", read.error());
  if (Number(read->rows[0][0]) == options_.accounts * options_.opening_balance) return;
  ++counts_.failed;
  Complain(fmt::format("audit: the balances add up to {}", Number(read->rows[0][0])));
}

std::vector<Statement> Bank::TransferStatements(Client& client, TransferId transfer) {
  const int64_t debit = client.Pick(1, options_.accounts);
  int64_t credit = client.Pick(1, options_.accounts - 1);
  if (credit >= debit) ++credit;
  // Nobody is overdrawn: an account that has too little sends nothing, and the ledger says so.
  const int64_t amount = client.Pick(1, 10);
  std::vector<Statement> statements{
      Sql("INSERT INTO ledger SELECT ?1, ?2, ?3, min(balance, ?4) FROM accounts WHERE id = ?2",
          {transfer, debit, credit, amount}),
      Sql("UPDATE accounts SET balance = balance - (SELECT amount FROM ledger WHERE transfer = ?1) WHERE id "
          "= ?2",
          {transfer, debit}),
      Sql("UPDATE accounts SET balance = balance + (SELECT amount FROM ledger WHERE transfer = ?1) WHERE id "
          "= ?2",
          {transfer, credit})};
  // A page from anywhere, so that writes meet pages that have not arrived.
  if (entries_ > 0)
    statements.push_back(Sql("UPDATE entries SET payload = randomblob(?1) WHERE id = ?2",
                             {kPayloadBytes, client.Pick(1, entries_)}));
  return statements;
}

void Bank::Conclude(TransferId transfer, Outcome outcome) {
  transfers_.Record(transfer, outcome);
  if (outcome != Outcome::kCommitted) return;
  ++acknowledged_;
  transfer_acknowledged_.NotifyAll();
}

void Bank::TransferInBatch(Client& client) {
  const TransferId transfer = NextTransfer(client);
  const std::vector<Statement> statements = TransferStatements(client, transfer);
  HranaStream stream(NextServer(client));
  const auto results = Timed([&] { return stream.Transact(statements); });
  if (!results) {
    Conclude(transfer, OutcomeOf(results.error()));
    if (IsAmong(kAbortCodes, results.error().code)) ++counts_.aborted_batches;
    return CountError("batch", results.error());
  }
  Conclude(transfer, Outcome::kCommitted);
  ReadOwnWrite(client, transfer);
}

void Bank::ReadOwnWrite(Client& client, TransferId transfer) {
  const auto read = ReadOne(client, Sql("SELECT count(*) FROM ledger WHERE transfer = ?1", {transfer}));
  if (!read) return CountError("read of an own write", read.error());
  if (Number(read->rows[0][0]) == 1) return;
  ++counts_.failed;
  Complain(
      fmt::format("read of an own write: transfer {} is there {} times", transfer, Number(read->rows[0][0])));
}

void Bank::TransferInteractively(Client& client) {
  const TransferId transfer = NextTransfer(client);
  HranaStream stream(NextServer(client));
  auto step = Timed([&] { return stream.Execute({Sql("BEGIN IMMEDIATE")}); });
  if (step) step = Timed([&] { return stream.Execute(TransferStatements(client, transfer)); });
  if (!step) {
    Conclude(transfer, Outcome::kRolledBack);
    CountError("interactive transaction", step.error());
    [[maybe_unused]] auto closed = stream.Close();  // So that its write turn is free at once.
    return;
  }
  step = Timed([&] { return stream.Execute({Sql("COMMIT")}, true); });
  Conclude(transfer, step ? Outcome::kCommitted : OutcomeOf(step.error()));
  if (!step) CountError("commit of an interactive transaction", step.error());
}

Result<int64_t> Bank::QueryNumber(const std::string& sql) {
  HranaStream stream(servers_.front());
  TW_TRY_ASSIGN(const auto results, stream.Execute({Sql(sql)}, true));
  return Number(results.front().rows.at(0).at(0));
}

Result<std::map<TransferId, int64_t>> Bank::ReadLedger() {
  constexpr int64_t kRowsAtOnce = 20'000;  // So that no answer is too large.
  std::map<TransferId, int64_t> ledger;
  for (TransferId after = -1;;) {
    HranaStream stream(servers_.front());
    TW_TRY_ASSIGN(
        const auto results,
        stream.Execute({Sql("SELECT transfer, count(*) FROM ledger WHERE transfer > ?1 GROUP BY transfer"
                            " ORDER BY transfer LIMIT ?2",
                            {after, kRowsAtOnce})},
                       true));
    for (const auto& row : results.front().rows) ledger[after = Number(row[0])] = Number(row[1]);
    if (static_cast<int64_t>(results.front().rows.size()) < kRowsAtOnce) return ledger;
  }
}

Result<BankVerdict> Bank::Verify() {
  BankVerdict verdict;
  TW_TRY_ASSIGN(const auto ledger, ReadLedger());
  verdict.ledger = transfers_.Compare(ledger);
  TW_TRY_ASSIGN(const int64_t wrong,
                QueryNumber(fmt::format(
                    "SELECT count(*) FROM accounts LEFT JOIN (SELECT account, sum(change) AS change FROM"
                    " (SELECT debit AS account, -amount AS change FROM ledger"
                    "  UNION ALL SELECT credit, amount FROM ledger) GROUP BY account) ON account = id"
                    " WHERE balance <> {} + coalesce(change, 0)",
                    options_.opening_balance)));
  TW_TRY_ASSIGN(const int64_t sum, QueryNumber("SELECT sum(balance) FROM accounts"));
  verdict.balances_agree = wrong == 0 && sum == options_.accounts * options_.opening_balance;
  TW_TRY_ASSIGN(
      const int64_t whole,
      QueryNumber(fmt::format("SELECT count(*) FROM entries WHERE twin = id * {} AND length(payload) = {}",
                              kTwinFactor, kPayloadBytes)));
  verdict.entries_agree = whole == entries_;
  HranaStream stream(servers_.front());
  TW_TRY_ASSIGN(const auto results, stream.Execute({Sql("PRAGMA integrity_check")}, true));
  const auto* integrity = std::get_if<std::string>(&results.front().rows.at(0).at(0));
  verdict.integrity = integrity ? *integrity : "no answer";
  return verdict;
}

}  // namespace tradewind::load
