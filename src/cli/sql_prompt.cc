#include "cli/sql_prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "cli/line_editor.h"
#include "cli/sql_printer.h"
#include "load/hrana_client.h"
#include "net/http_client.h"
#include "runtime/fiber.h"
#include "sql/sql_text.h"

namespace tradewind::cli {
namespace {

using namespace std::chrono_literals;

constexpr runtime::Duration kKeepAlive = 3s;
constexpr runtime::Duration kKeptIdle = 30min;     // Whoever has left keeps no connection of the tenant.
constexpr runtime::Duration kStatementWait = 24h;  // The node's own limit ends it.

constexpr std::string_view kHelp =
    ".help             this text\n"
    ".mode MODE        how rows are shown: table, list, csv, json, line\n"
    ".quit             leave (or Ctrl-D)\n"
    ".schema [NAME]    how tables, indexes, views and triggers were made\n"
    ".tables           tables and views\n"
    "A statement ends with a semicolon and may have several lines. Ctrl-C gives up what is typed, or ends "
    "what runs.\n";

// ~/.tradewind_history, unless there is no home.
std::string HistoryFile() {
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.tradewind_history" : std::string();
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    const size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

// The session, and what a signal ends it by.
class Session {
 public:
  Session(ClientContext& context, std::string tenant) : context_(context), tenant_(std::move(tenant)) {
    http_.SetTrust(context.trust);
  }
  ~Session() { http_.Close(); }

  Result<sql::StatementResult> Run(const std::string& sql, std::vector<sql::Value> arguments = {}) {
    TW_TRY(Open());
    load::Statement statement;
    statement.sql = sql;
    statement.arguments = std::move(arguments);
    auto results = Call({statement});
    if (!results) return Fail(std::move(results).error());
    return std::move(results->front());
  }

  // What keeps the session, also at the node that has the tenant.
  void KeepAlive() {
    load::Statement statement;
    statement.sql = "SELECT 1";
    if (stream_ && stream_->open() && !Call({statement})) stream_.reset();
  }

  // Ctrl-C: the call under way fails, and its node ends the statement. Suspends.
  void Interrupt() {
    if (!calling_ || interrupted_) return;
    interrupted_ = true;
    http_.Close();
  }
  bool TakeInterrupted() { return std::exchange(interrupted_, false); }

  void Close() {
    if (stream_ && !stream_->Close()) stream_.reset();  // The node ends an idle session by itself.
  }

 private:
  Result<void> Open() {
    if (stream_ && stream_->open()) return {};
    TW_TRY_ASSIGN(load::HranaClient client,
                  load::HranaClient::Make(context_.core, http_, context_.global.server,
                                          EscapeSegment(tenant_), context_.global.token));
    client.set_timeout(kStatementWait);
    stream_.reset();
    client_ = std::make_unique<load::HranaClient>(std::move(client));
    stream_.emplace(*client_);
    return {};
  }

  Result<std::vector<sql::StatementResult>> Call(const std::vector<load::Statement>& statements) {
    calling_ = true;
    auto results = stream_->Execute(statements);
    calling_ = false;
    return results;
  }

  ClientContext& context_;
  const std::string tenant_;
  net::HttpClient http_{context_.core};
  std::unique_ptr<load::HranaClient> client_;
  std::optional<load::HranaStream> stream_;
  bool calling_ = false;
  bool interrupted_ = false;
};

class Prompt {
 public:
  Prompt(ClientContext& context, std::string tenant)
      : context_(context), tenant_(std::move(tenant)), editor_(HistoryFile()), signals_(context.core) {
    Renew();
  }

  Result<void> Run() {
    TW_TRY(session_->Run("SELECT 1"));  // The tenant is there.
    fmt::print("{} at {}; .help says what the prompt knows\n", tenant_, context_.global.server);
    if (context_.json()) mode_ = RowMode::kJson;
    context_.core.OnSignal([this](int) { signals_.Spawn("interrupt", [this] { session_->Interrupt(); }); });
    std::string line;
    for (bool going_on = true; going_on;) {
      switch (Read(line)) {
        case LineEditor::Input::kEnd: going_on = false; break;
        case LineEditor::Input::kInterrupted: typed_.clear(); break;
        case LineEditor::Input::kLine: going_on = Take(line); break;
      }
    }
    fmt::print("\n");
    signals_.Join();
    session_->Close();
    return {};
  }

 private:
  void Renew() { session_ = std::make_unique<Session>(context_, tenant_); }

  // On a thread that may block, while the core keeps the session alive.
  LineEditor::Input Read(std::string& line) {
    const std::string prompt = typed_.empty() ? tenant_ + "> " : std::string(tenant_.size(), '.') + "> ";
    LineEditor::Input input = LineEditor::Input::kEnd;
    runtime::Event read;
    runtime::TaskGroup reader(context_.core);
    reader.Spawn("prompt", [&] {
      std::fflush(stdout);
      context_.core.RunOffCore([&] { input = editor_.Read(prompt, line); });
      read.Set();
    });
    const runtime::TimePoint began = context_.core.Now();
    while (!read.WaitUntil(context_.core.Now() + kKeepAlive))
      if (context_.core.Now() - began < kKeptIdle) session_->KeepAlive();
    reader.Join();
    return input;
  }

  // Whether to go on.
  bool Take(const std::string& line) {
    if (typed_.empty() && line.starts_with('.')) {
      editor_.Remember(line);
      return Command(Words(line));
    }
    typed_ += line + "\n";
    bool ran = false;
    while (true) {
      const sql::StatementExtent first = sql::FirstStatement(typed_);
      const bool whole =
          first.length < typed_.size();  // What has no semicolon goes to the end, past the line's.
      if (!whole) break;
      if (!std::exchange(ran, true)) editor_.Remember(OneLine(typed_));
      const std::string statement = typed_.substr(first.begin, first.end - first.begin);
      typed_.erase(0, first.length);
      if (!statement.empty()) RunStatement(statement);
    }
    if (sql::BlankLength(typed_) == typed_.size()) typed_.clear();
    return true;
  }

  void RunStatement(const std::string& statement, std::vector<sql::Value> arguments = {}) {
    const auto result = session_->Run(statement, std::move(arguments));
    if (result) {
      fmt::print("{}", RowsText(*result, mode_));
      if (result->columns.empty() && result->affected_row_count > 0)
        fmt::print("{} {}\n", result->affected_row_count, result->affected_row_count == 1 ? "row" : "rows");
      return;
    }
    if (session_->TakeInterrupted()) {
      signals_.Join();
      Renew();
      fmt::print("\nthe statement was ended; a transaction that was open is rolled back\n");
      return;
    }
    const Error& error = result.error();
    fmt::print("{}: {}\n", error.code, error.message);
    if (!error.action.empty()) fmt::print("  {}\n", error.action);
  }

  bool Command(const std::vector<std::string_view>& words) {
    const std::string_view command = words.front();
    const std::string argument(words.size() > 1 ? words[1] : std::string_view());
    if (command == ".quit" || command == ".exit") return false;
    if (command == ".help") {
      fmt::print("{}", kHelp);
    } else if (command == ".tables") {
      RunStatement(
          "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' "
          "ESCAPE '\\' ORDER BY name");
    } else if (command == ".schema") {
      ShowSchema(argument);
    } else if (command == ".mode") {
      if (const auto mode = ParseRowMode(argument))
        mode_ = *mode;
      else
        fmt::print(".mode table, list, csv, json or line\n");
    } else {
      fmt::print("{} is not known; .help says what is\n", command);
    }
    return true;
  }

  void ShowSchema(const std::string& name) {
    const RowMode mode = std::exchange(mode_, RowMode::kList);
    RunStatement(
        "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND (?1 = '' OR tbl_name = ?1) ORDER BY "
        "rowid",
        {name});
    mode_ = mode;
  }

  ClientContext& context_;
  const std::string tenant_;
  LineEditor editor_;
  std::unique_ptr<Session> session_;
  RowMode mode_ = RowMode::kTable;
  std::string typed_;  // Of a statement that has not ended.
  runtime::TaskGroup signals_;
};

}  // namespace

Result<void> RunPrompt(ClientContext& context, const std::string& tenant) {
  Prompt prompt(context, tenant);
  return prompt.Run();
}

}  // namespace tradewind::cli
