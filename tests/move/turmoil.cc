#include "turmoil.h"

#include <fmt/format.h>

#include <array>

#include "net/http_client.h"

namespace tradewind::tests {
namespace {

constexpr size_t kBlobBytes = 1'000'000;
constexpr int kBlobSlots = 3;
constexpr int kBulkRows = 3'000;

std::string RandomBytes(std::mt19937_64& random, size_t count) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

}  // namespace

Result<std::unique_ptr<Turmoil>> Turmoil::Make(runtime::Core& core, net::HttpClient& http,
                                               const std::vector<std::string>& servers,
                                               const std::string& tenant) {
  std::unique_ptr<Turmoil> turmoil(new Turmoil(core));
  for (const std::string& server : servers) {
    TW_TRY_ASSIGN(auto client, load::HranaClient::Make(core, http, server, tenant));
    turmoil->servers_.push_back(std::move(client));
  }
  TW_TRY(turmoil->Ask("CREATE TABLE bulk (id INTEGER PRIMARY KEY, text TEXT, number INTEGER)"));
  TW_TRY(turmoil->Ask("CREATE INDEX bulk_by_number ON bulk (number, text)"));
  TW_TRY(turmoil->Ask("CREATE TABLE blobs (slot INTEGER PRIMARY KEY, body BLOB)"));
  return turmoil;
}

void Turmoil::Start() {
  running_.Spawn("schema changes", [this] { Run(&Turmoil::ChangeSchema, schema_rounds_); });
  running_.Spawn("bulk inserts and deletes", [this] { Run(&Turmoil::InsertAndDelete, bulk_rounds_); });
  running_.Spawn("large blobs", [this] { Run(&Turmoil::WriteBlob, blob_rounds_); });
}

void Turmoil::Stop() {
  stopping_ = true;
  running_.Join();
}

void Turmoil::Run(Round round, int& rounds) {
  while (!stopping_) {
    if (auto outcome = (this->*round)(rounds); !outcome) {
      failures_.push_back(Describe(outcome.error()));
      return;
    }
    ++rounds;
    runtime::SleepFor(std::chrono::milliseconds(20));  // The other clients want a turn too.
  }
}

Result<load::StatementResult> Turmoil::Ask(const std::string& sql, std::vector<sql::Value> arguments) {
  load::HranaStream stream(servers_[next_server_++ % servers_.size()]);
  load::Statement statement;
  statement.sql = sql;
  statement.arguments = std::move(arguments);
  auto results = stream.Execute({statement}, true);
  if (!results) {
    Error error = std::move(results).error();
    error.message += " (" + sql.substr(0, 80) + ")";
    return Fail(std::move(error));
  }
  return std::move(results->front());
}

Result<void> Turmoil::Expect(const std::string& sql, int64_t expected) {
  TW_TRY_ASSIGN(const auto result, Ask(sql));
  const auto* number = result.rows.empty() ? nullptr : std::get_if<int64_t>(&result.rows.front().front());
  if (number && *number == expected) return {};
  return Fail(ErrorKind::kCorrupt, "WRONG_ANSWER",
              fmt::format("{} gives {} instead of {}", sql, number ? *number : -1, expected));
}

Result<void> Turmoil::ChangeSchema(int round) {
  const std::string table = fmt::format("passing_{}", round);
  TW_TRY(Ask(fmt::format("CREATE TABLE {} (a INTEGER PRIMARY KEY, b TEXT)", table)));
  TW_TRY(
      Ask(fmt::format("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 200)"
                      " INSERT INTO {} SELECT x, printf('%050d', x) FROM n",
                      table)));
  TW_TRY(Ask(fmt::format("CREATE INDEX {0}_by_b ON {0} (b)", table)));
  TW_TRY(Ask(fmt::format("ALTER TABLE {} ADD COLUMN c INTEGER DEFAULT 7", table)));
  TW_TRY(Ask(fmt::format("ALTER TABLE {0} RENAME TO {0}_renamed", table)));
  TW_TRY(Expect(fmt::format("SELECT sum(c) FROM {}_renamed WHERE b >= ''", table), 1'400));
  TW_TRY(Ask(fmt::format("DROP INDEX {}_by_b", table)));
  TW_TRY(Ask(fmt::format("DROP TABLE {}_renamed", table)));
  return {};
}

Result<void> Turmoil::InsertAndDelete(int round) {
  TW_TRY(
      Ask("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?1)"
          " INSERT INTO bulk SELECT x, hex(randomblob(60)), x % 17 + ?2 FROM n",
          {int64_t{kBulkRows}, int64_t{round}}));
  TW_TRY(Expect("SELECT count(*) FROM bulk", kBulkRows));
  TW_TRY(Ask("DELETE FROM bulk WHERE id % 2 = 0"));
  TW_TRY(Expect("SELECT count(*) FROM bulk INDEXED BY bulk_by_number WHERE number >= 0", kBulkRows / 2));
  TW_TRY(Ask("DELETE FROM bulk"));
  return Expect("SELECT count(*) FROM bulk", 0);
}

Result<void> Turmoil::WriteBlob(int round) {
  const int64_t slot = round % kBlobSlots;
  const sql::Blob written{RandomBytes(random_, kBlobBytes)};
  TW_TRY(Ask("INSERT OR REPLACE INTO blobs VALUES (?1, ?2)", {slot, written}));
  TW_TRY_ASSIGN(const auto read, Ask("SELECT body FROM blobs WHERE slot = ?1", {slot}));
  const auto* body = read.rows.empty() ? nullptr : std::get_if<sql::Blob>(&read.rows.front().front());
  if (body && *body == written) return {};
  return Fail(ErrorKind::kCorrupt, "WRONG_ANSWER", fmt::format("the blob in slot {} is another one", slot));
}

Result<void> Turmoil::Vacuum() {
  TW_TRY(Ask("VACUUM"));
  return {};
}

}  // namespace tradewind::tests
