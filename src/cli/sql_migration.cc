#include "cli/sql_migration.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "cli/live_line.h"
#include "cli/sql_split.h"
#include "cli/table.h"
#include "cli/text_file.h"
#include "load/hrana_client.h"
#include "runtime/fiber.h"
#include "sql/sql_text.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::string_view kFindTable =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'tradewind_migrations'";
constexpr std::string_view kMakeTable =
    "CREATE TABLE IF NOT EXISTS tradewind_migrations(name TEXT PRIMARY KEY, hash TEXT NOT NULL, "
    "applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)";
constexpr std::string_view kFindRow = "SELECT hash FROM tradewind_migrations WHERE name = ?1";
constexpr std::string_view kNote = "INSERT INTO tradewind_migrations(name, hash) VALUES(?1, ?2)";

// An index of a large table takes its time.
constexpr runtime::Duration kPatience = std::chrono::minutes(10);
constexpr int kTries = 5;
constexpr runtime::Duration kPauseBetweenTries = 1s;

bool StartsWithOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view one) { return EqualsIgnoringCase(word, one); });
}

bool IsForeignKeysPragma(std::string_view statement) {
  const std::string_view pragma = sql::FirstWord(statement);
  if (!EqualsIgnoringCase(pragma, "PRAGMA")) return false;
  const std::string_view rest =
      statement.substr(static_cast<size_t>(pragma.data() + pragma.size() - statement.data()));
  return EqualsIgnoringCase(sql::FirstWord(rest), "FOREIGN_KEYS");
}

// It is worth another try: the tenant moves, its node starts, others write, or nobody knows whether it was applied, which
// the next look tells.
bool IsPassing(const Error& error) {
  constexpr std::array kCodes = {"SQLITE_BUSY", "TRANSACTION_BUSY", "TRANSACTION_TIMEOUT", "STREAM_EXPIRED",
                                 "ANSWER_LOST"};
  return error.kind == ErrorKind::kUnavailable || error.kind == ErrorKind::kTimeout ||
         std::find(kCodes.begin(), kCodes.end(), error.code) != kCodes.end();
}

enum class Outcome { kApplied, kHadIt, kLacksIt };

load::Statement StatementOf(std::string_view sql, std::vector<sql::Value> arguments = {}) {
  load::Statement statement;
  statement.sql = std::string(sql);
  statement.arguments = std::move(arguments);
  return statement;
}

// One run over the tenants; all its fibers share it.
class MigrationRun {
 public:
  MigrationRun(ClientContext& context, const MigrationOptions& options, Migration migration,
               std::vector<std::string> tenants)
      : context_(context),
        options_(options),
        migration_(std::move(migration)),
        tenants_(std::move(tenants)) {}

  void Run() {
    context_.core.OnSignal([this](int) { interrupted_ = true; });
    runtime::TaskGroup workers(context_.core);
    for (size_t worker = 0; worker < std::min<size_t>(options_.parallel, tenants_.size()); ++worker)
      workers.Spawn("migration", [this] {
        while (next_ < tenants_.size() && !interrupted_) {
          const std::string& tenant = tenants_[next_++];
          Note(tenant, ApplyTo(tenant));
          Show();
        }
      });
    workers.Join();
  }

  Result<void> Report() const {
    if (context_.json())
      PrintJson(ToJson());
    else
      fmt::print("{}", ToText());
    const std::string again =
        "mend what is said above, and run the same command again: it goes on where this run ended";
    if (!failed_.empty())
      return Fail(ErrorKind::kIo, "MIGRATION_INCOMPLETE",
                  fmt::format("{} of {} tenants failed", failed_.size(), tenants_.size()), again);
    if (done() < tenants_.size())
      return Fail(ErrorKind::kRefused, std::string(kInterruptedCode),
                  fmt::format("ended after {} of {} tenants", done(), tenants_.size()),
                  "run the same command again: it goes on where this run ended");
    return {};
  }

 private:
  size_t done() const { return applied_.size() + had_it_ + lacking_.size() + failed_.size(); }

  Result<Outcome> ApplyTo(const std::string& tenant) {
    TW_TRY_ASSIGN(load::HranaClient client,
                  load::HranaClient::Make(context_.core, context_.http, context_.global.server,
                                          EscapeSegment(tenant), context_.global.token));
    client.set_timeout(kPatience);
    for (int attempt = 1;; ++attempt) {
      Result<Outcome> outcome = Attempt(client);
      if (outcome || !IsPassing(outcome.error()) || attempt == kTries || interrupted_) return outcome;
      runtime::SleepFor(kPauseBetweenTries);
    }
  }

  Result<Outcome> Attempt(const load::HranaClient& client) {
    TW_TRY_ASSIGN(const std::optional<std::string> hash, HashAt(client));
    if (hash && *hash != migration_.hash)
      return Fail(ErrorKind::kRefused, "MIGRATION_CHANGED",
                  "it has a migration named " + migration_.name + " with another text",
                  "give what is new a file of its own");
    if (hash) return Outcome::kHadIt;
    if (options_.dry_run) return Outcome::kLacksIt;
    std::vector<load::Statement> statements{StatementOf(kMakeTable),
                                            StatementOf(kNote, {migration_.name, migration_.hash})};
    for (const std::string& sql : migration_.statements) {
      statements.push_back(StatementOf(sql));
      statements.back().want_rows = false;
    }
    load::HranaStream stream(client);
    auto applied = stream.Transact(statements);
    if (applied) return Outcome::kApplied;
    // Another run may have been faster.
    if (applied.error().code == "SQLITE_CONSTRAINT") {
      TW_TRY_ASSIGN(const std::optional<std::string> now, HashAt(client));
      if (now == migration_.hash) return Outcome::kHadIt;
    }
    return Fail(std::move(applied).error());
  }

  // Of the migration of that name at the tenant.
  Result<std::optional<std::string>> HashAt(const load::HranaClient& client) const {
    load::HranaStream stream(client);
    TW_TRY_ASSIGN(const auto table, stream.Execute({StatementOf(kFindTable)}, true));
    if (table.front().rows.empty() || table.front().rows.front().front() == sql::Value(int64_t{0}))
      return std::nullopt;
    TW_TRY_ASSIGN(const auto row, stream.Execute({StatementOf(kFindRow, {migration_.name})}, true));
    if (row.front().rows.empty()) return std::nullopt;
    const auto* hash = std::get_if<std::string>(&row.front().rows.front().front());
    return hash ? *hash : std::string();
  }

  void Note(const std::string& tenant, Result<Outcome> outcome) {
    if (!outcome) {
      failed_.emplace(tenant, std::move(outcome).error());
    } else {
      switch (*outcome) {
        case Outcome::kApplied: applied_.push_back(tenant); break;
        case Outcome::kHadIt: ++had_it_; break;
        case Outcome::kLacksIt: lacking_.push_back(tenant); break;
      }
    }
  }

  void Show() {
    const double share = static_cast<double>(done()) / static_cast<double>(tenants_.size());
    live_.Show(
        fmt::format("{} {} of {} tenants, {} failed", Bar(share), done(), tenants_.size(), failed_.size()));
  }

  std::string ToText() const {
    std::string text = options_.dry_run
                           ? fmt::format("{}: lacking at {} of {} tenants\n", migration_.name,
                                         lacking_.size(), tenants_.size())
                           : fmt::format("{}: applied to {} tenants, {} had it, {} failed\n", migration_.name,
                                         applied_.size(), had_it_, failed_.size());
    if (failed_.empty()) return text;
    Table table({"TENANT", "CODE", "WHY"});
    for (const auto& [tenant, error] : failed_) table.AddRow({tenant, error.code, error.message});
    return text + table.ToString();
  }

  json::value ToJson() const {
    json::array failed;
    for (const auto& [tenant, error] : failed_)
      failed.push_back(json::object{{"tenant", tenant}, {"code", error.code}, {"message", error.message}});
    return json::object{{"migration", migration_.name},
                        {"hash", migration_.hash},
                        {"tenants", tenants_.size()},
                        {"applied", json::array(applied_.begin(), applied_.end())},
                        {"had_it", had_it_},
                        {"lacking", json::array(lacking_.begin(), lacking_.end())},
                        {"failed", std::move(failed)}};
  }

  ClientContext& context_;
  const MigrationOptions& options_;
  const Migration migration_;
  const std::vector<std::string> tenants_;
  size_t next_ = 0;
  bool interrupted_ = false;
  std::vector<std::string> applied_;
  std::vector<std::string> lacking_;
  size_t had_it_ = 0;
  std::map<std::string, Error> failed_;
  LiveLine live_;
};

Result<std::string> ReadFile(const std::string& path) {
  if (auto text = TextOfFile(path)) return *std::move(text);
  return Fail(ErrorKind::kNotFound, "FILE_NOT_READABLE", "the file " + path + " cannot be read",
              "give the file with the statements");
}

}  // namespace

Result<Migration> MakeMigration(std::string name, std::string_view sql) {
  Migration migration{std::move(name), fmt::format("{:016x}", XXH3_64bits(sql.data(), sql.size())),
                      SplitStatements(sql)};
  if (migration.statements.empty())
    return Fail(ErrorKind::kInvalid, "SQL_NO_STATEMENT", "there is no SQL to run",
                "give a file with statements");
  for (const std::string& statement : migration.statements) {
    const std::string_view word = sql::FirstWord(statement);
    if (StartsWithOneOf(word, {"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "VACUUM"}))
      return Fail(
          ErrorKind::kInvalid, "MIGRATION_HAS_TRANSACTION",
          fmt::format("{} cannot be part of a migration, which is one transaction at each tenant", word),
          "leave it out");
    if (IsForeignKeysPragma(statement))
      return Fail(ErrorKind::kInvalid, "MIGRATION_HAS_TRANSACTION",
                  "PRAGMA foreign_keys has no effect in a transaction, and a migration is one",
                  "use PRAGMA defer_foreign_keys = ON, which lasts until its end");
  }
  return migration;
}

bool MatchesGlob(const std::string& glob, const std::string& name) {
  return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

Result<void> RunMigration(ClientContext& context, const MigrationOptions& options) {
  TW_TRY_ASSIGN(const std::string text, ReadFile(options.file));
  TW_TRY_ASSIGN(Migration migration,
                MakeMigration(std::filesystem::path(options.file).filename().string(), text));
  TW_TRY_ASSIGN(const json::value answer, context.admin.Get("/v1/tenants"));
  std::vector<std::string> tenants;
  if (const json::array* all = MemberAt(answer, "tenants").if_array())
    for (const json::value& tenant : *all)
      if (MatchesGlob(options.tenants, TextAt(tenant, "name"))) tenants.push_back(TextAt(tenant, "name"));
  if (tenants.empty())
    return Fail(ErrorKind::kNotFound, "TENANTS_NOT_MATCHED", "no tenant's name matches " + options.tenants,
                "tradewind tenant list shows the names; put the pattern into quotes");
  std::sort(tenants.begin(), tenants.end());
  MigrationRun run(context, options, std::move(migration), std::move(tenants));
  run.Run();
  return run.Report();
}

}  // namespace tradewind::cli
