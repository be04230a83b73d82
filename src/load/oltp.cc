#include "load/oltp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "mysql/server_connection.h"

namespace tradewind::load {
namespace {

constexpr int64_t kRangeRows = 100;
constexpr int64_t kRowsAtOnce = 20'000;  // Of a fill: a transaction of some megabytes.
constexpr std::chrono::seconds kAnswer{30};

using Session = std::unique_ptr<mysql::ServerConnection>;

class Oltp final : public Workload {
 public:
  Oltp(runtime::Core& core, const WorkloadOptions& options, MysqlTarget target)
      : core_(core), options_(options), target_(std::move(target)) {}

  std::string name() const override { return "oltp"; }

  Result<void> Fill(const HranaClient&, Random&, const Progress& progress) override {
    TW_TRY_ASSIGN(const Session session, Open());
    TW_TRY(Ask(*session,
               "CREATE TABLE oltp (id INT NOT NULL PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, pad "
               "VARCHAR(20000) NOT NULL, KEY k (k)) DEFAULT CHARSET latin1"));
    // Of each row's bytes c and the columns' own take some.
    const int64_t pad = std::max<int64_t>(options_.record_bytes - 150, 0);
    for (int64_t first = 1; first <= options_.records; first += kRowsAtOnce) {
      const int64_t last = std::min(options_.records, first + kRowsAtOnce - 1);
      TW_TRY(Ask(*session, fmt::format("INSERT INTO oltp SELECT seq, 1 + FLOOR(RAND() * {}), SHA2(seq, 256), "
                                       "REPEAT(MD5(RAND()), {}) FROM seq_{}_to_{}",
                                       options_.records, (pad + 31) / 32, first, last)));
      TW_TRY(progress(static_cast<uint64_t>(last * options_.record_bytes)));
    }
    return {};
  }

  Result<void> CheckTables(const HranaClient&, size_t) override {
    const auto count = Count();
    if (!count) return TablesMissing(name(), count.error().message);
    if (*count >= options_.records) return {};
    return TablesMissing(name(), "it has fewer records than asked for");
  }

  Request Draw(size_t, Random& random) override {
    const auto any = [&] {
      return static_cast<int64_t>(1 + random() % static_cast<uint64_t>(options_.records));
    };
    const auto range = [&] {
      const int64_t first = any();
      return fmt::format("BETWEEN {} AND {}", first, first + kRangeRows - 1);
    };
    std::vector<std::string> statements{"BEGIN"};
    for (int point = 0; point < 10; ++point)
      statements.push_back(fmt::format("SELECT c FROM oltp WHERE id = {}", any()));
    statements.push_back("SELECT c FROM oltp WHERE id " + range());
    statements.push_back("SELECT SUM(k) FROM oltp WHERE id " + range());
    statements.push_back("SELECT c FROM oltp WHERE id " + range() + " ORDER BY c");
    statements.push_back("SELECT DISTINCT c FROM oltp WHERE id " + range() + " ORDER BY c");
    // In the order of their numbers, so that no two transactions wait for each other.
    std::array<int64_t, 3> rows{any(), any(), any()};
    std::sort(rows.begin(), rows.end());
    statements.push_back(fmt::format("UPDATE oltp SET k = k + 1 WHERE id = {}", rows[0]));
    statements.push_back(fmt::format("UPDATE oltp SET c = SHA2({}, 256) WHERE id = {}", random(), rows[1]));
    statements.push_back(
        fmt::format("SELECT k, c, pad INTO @k, @c, @pad FROM oltp WHERE id = {} FOR UPDATE", rows[2]));
    statements.push_back(fmt::format("DELETE FROM oltp WHERE id = {}", rows[2]));
    statements.push_back(fmt::format("INSERT INTO oltp VALUES ({}, @k, @c, @pad)", rows[2]));
    statements.emplace_back("COMMIT");
    return {"transaction", [this, statements = std::move(statements)](const HranaClient&) -> Result<void> {
              TW_TRY_ASSIGN(Session session, Take());
              for (const std::string& statement : statements) {
                const auto answer = Ask(*session, statement);
                if (!answer) return Fail(answer.error());
              }
              free_.push_back(std::move(session));
              return {};
            }};
  }

  Result<std::optional<WorkloadChecks>> Verify(
      const std::function<const HranaClient&(size_t tenant)>&) override {
    free_.clear();
    TW_TRY_ASSIGN(const int64_t count, Count());
    WorkloadChecks checks;
    checks.ok = count == options_.records;
    checks.figures = {{"rows", count}, {"rows_expected", options_.records}, {"sessions", opened_}};
    return std::optional(std::move(checks));
  }

 private:
  Result<Session> Open() {
    mysql::ServerLogin login;
    login.credentials = {target_.user, mysql::PasswordKey::OfPassword(target_.password)};
    login.database = target_.database;
    const runtime::Address& address = target_.servers[opened_++ % target_.servers.size()];
    return mysql::ServerConnection::Open(core_, address, login, core_.Now() + kAnswer);
  }
  Result<Session> Take() {
    if (free_.empty()) return Open();
    Session session = std::move(free_.back());
    free_.pop_back();
    return session;
  }
  Result<mysql::ServerAnswer> Ask(mysql::ServerConnection& session, std::string_view sql) {
    return session.Query(sql, core_.Now() + kAnswer);
  }
  Result<int64_t> Count() {
    TW_TRY_ASSIGN(const Session session, Open());
    TW_TRY_ASSIGN(const auto answer, Ask(*session, "SELECT COUNT(*) FROM oltp"));
    if (answer.rows.size() == 1 && answer.rows[0][0]) return std::stoll(*answer.rows[0][0]);
    return WrongAnswer("the server does not say how many rows there are");
  }

  runtime::Core& core_;
  const WorkloadOptions options_;
  const MysqlTarget target_;
  std::vector<Session> free_;
  uint64_t opened_ = 0;
};

}  // namespace

std::unique_ptr<Workload> MakeOltp(runtime::Core& core, const WorkloadOptions& options, MysqlTarget target) {
  return std::make_unique<Oltp>(core, options, std::move(target));
}

}  // namespace tradewind::load
