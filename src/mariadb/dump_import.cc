#include "mariadb/dump_import.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "mariadb/imported_accounts.h"
#include "mariadb/instance.h"
#include "mysql/server_connection.h"
#include "runtime/file_descriptor.h"
#include "runtime/off_core.h"
#include "runtime/process.h"
#include "runtime/program_pipe.h"
#include "runtime/random_id.h"

namespace tradewind::mariadb {
namespace {

using runtime::FileDescriptor;

constexpr std::string_view kImportUser = "tradewind_import";
// Of a dump: where it says what made it, and where it says that it is whole.
constexpr size_t kHeadBytes = 1'024;
constexpr size_t kTailBytes = 256;

std::string_view TextOf(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string AtLoopback(std::string_view user) {
  return fmt::format("'{}'@'127.0.0.1'", user);
}

class DumpImport final : public Import {
 public:
  DumpImport(runtime::Core& core, ServerPrograms programs, Options options)
      : core_(core),
        programs_(std::move(programs)),
        options_(std::move(options)),
        folder_(core, options_.folder) {}

  Result<void> Start() override;
  Result<void> Write(Bytes bytes) override;
  Result<void> Finish() override;
  void Interrupt() override;
  void End() override;

 private:
  runtime::TimePoint soon() const { return core_.Now() + limits::kInstanceFirstAnswer; }
  Result<void> Ask(const std::string& sql) {
    TW_TRY(control_->Query(sql, soon()));
    return {};
  }
  Result<void> PrepareServer(const std::string& password);
  Result<void> StartClient(const std::string& client, const std::string& login);
  Result<void> CheckIsWhole() const;
  tl::unexpected<Error> Failure();

  runtime::Core& core_;
  const ServerPrograms programs_;
  const Options options_;
  InstanceFolder folder_;
  bool interrupted_ = false;
  std::unique_ptr<Instance> server_;
  std::unique_ptr<mysql::ServerConnection> control_;  // The last one that may do everything.
  std::unique_ptr<runtime::Process> client_;
  std::unique_ptr<runtime::Connection> input_;
  std::unique_ptr<FileDescriptor> messages_;  // What it has said.
  std::string head_;
  std::string tail_;
};

Result<void> DumpImport::Start() {
  TW_TRY_ASSIGN(const std::string client, FindClientProgram(core_));
  TW_TRY_ASSIGN(const std::string data_template,
                InstanceFolder::EnsureTemplate(core_, programs_, options_.templates));
  TW_TRY(folder_.Make(data_template));
  InstanceOptions server;
  server.folder = options_.folder;
  server.is_filled = true;
  server.given_up = [this] { return interrupted_; };
  TW_TRY_ASSIGN(server_,
                Instance::Open(core_, programs_, std::move(server), core_.Now() + limits::kInstanceStart));
  const std::string password = runtime::RandomId(core_);
  TW_TRY(PrepareServer(password));
  TW_TRY_ASSIGN(const std::string login, folder_.WriteLogin(kImportUser, password, server_->address().port));
  return StartClient(client, login);
}

Result<void> DumpImport::PrepareServer(const std::string& password) {
  TW_TRY_ASSIGN(control_, server_->Connect(soon()));
  const std::string import = AtLoopback(kImportUser);
  const std::vector<std::string> statements{
      fmt::format("CREATE DATABASE {}", mysql::QuotedIdentifier(options_.tenant)),
      fmt::format("CREATE USER {} IDENTIFIED VIA mysql_native_password USING PASSWORD('{}')", import,
                  password),
      fmt::format("GRANT ALL PRIVILEGES ON `%`.* TO {}", import),
      // Of those that match, the closer one holds, and this one allows nothing.
      fmt::format("GRANT REFERENCES ON mysql.* TO {}", import),
      fmt::format("GRANT REFERENCES ON sys.* TO {}", import),
      // Other definers than itself; and SET sql_log_bin, which some dumps begin with.
      fmt::format("GRANT SET USER, BINLOG ADMIN ON *.* TO {}", import),
      // As long as the import takes.
      "SET SESSION wait_timeout = 31536000",
      // This connection stays what it is.
      fmt::format("DROP USER {}", AtLoopback(kControlUser))};
  for (const std::string& statement : statements) TW_TRY(Ask(statement));
  return {};
}

Result<void> DumpImport::StartClient(const std::string& client, const std::string& login) {
  TW_TRY_ASSIGN(auto input, runtime::MakeProgramPipe(core_, "mariadb"));
  messages_ = std::make_unique<FileDescriptor>(memfd_create("messages", MFD_CLOEXEC));
  TW_TRY_ASSIGN(client_, runtime::Process::Start(
                             core_, {.words = {client, "--defaults-file=" + login, "--batch", "--binary-mode",
                                               // Not known to each 10.11.
                                               "--loose-sandbox", "--skip-reconnect", "--local-infile=0",
                                               "--default-character-set=utf8mb4", "--max-allowed-packet=64M",
                                               "--database=" + options_.tenant},
                                     .input = input.its->get(),
                                     .errors = messages_->get(),
                                     .death_signal = SIGKILL}));
  input_ = std::move(input.ours);
  return {};
}

// The server's words, as the program repeats them: "ERROR 1064 (42000) at line 5: ...".
tl::unexpected<Error> DumpImport::Failure() {
  client_->EndAtOnce();
  if (interrupted_)
    return Fail(ErrorKind::kUnavailable, "IMPORT_GIVEN_UP", "the import is not wanted any more");
  const std::string all = runtime::OffCore(core_, [&] { return runtime::ReadFrom(*messages_); });
  // Before its words are those that it was about.
  const size_t at = all.rfind("ERROR ");
  const std::string said = all.substr(at == std::string::npos ? 0 : at).substr(0, limits::kInstanceLogBytes);
  // Access denied: to a database, a table, to grant something, or for want of a privilege.
  constexpr std::array<std::string_view, 4> kDenied{"ERROR 1044", "ERROR 1142", "ERROR 1045", "ERROR 1227"};
  const bool denied = std::any_of(kDenied.begin(), kDenied.end(), [&](std::string_view number) {
    return said.find(number) != std::string::npos;
  });
  return Fail(
      ErrorKind::kInvalid, "DUMP_FAILED",
      fmt::format("the dump stopped with: {}", said.empty() ? "nothing that was said" : said),
      denied ? "a dump may have databases and nothing of its server: leave out --all-databases, --system, "
               "--master-data, --dump-slave and --gtid"
             : "mend the dump, or make it with the mariadb-dump of MariaDB " + programs_.version.ToString());
}

Result<void> DumpImport::Write(Bytes bytes) {
  const std::string_view text = TextOf(bytes);
  head_ += text.substr(0, kHeadBytes - std::min(head_.size(), kHeadBytes));
  tail_ += text.substr(text.size() - std::min(text.size(), kTailBytes));
  tail_.erase(0, tail_.size() - std::min(tail_.size(), kTailBytes));
  // One that has ended takes some bytes nevertheless.
  if (!client_->HasEnded() && input_->Write(bytes)) return {};
  return Failure();
}

// One that was cut off between two statements is as good as a whole one to the server.
Result<void> DumpImport::CheckIsWhole() const {
  const auto says = [](std::string_view text, std::string_view words) {
    return text.find(words) != std::string_view::npos;
  };
  const bool is_signed = says(head_, "-- MariaDB dump") || says(head_, "-- MySQL dump");
  if (!is_signed || says(tail_, "-- Dump completed")) return {};
  return Fail(ErrorKind::kInvalid, "DUMP_TORN",
              "the dump does not end with \"-- Dump completed\": its end is missing", "dump again");
}

Result<void> DumpImport::Finish() {
  TW_TRY(CheckIsWhole());
  input_->Close();
  client_->AwaitEnd(runtime::TimePoint::max());
  if (client_->status() != 0 || interrupted_) return Failure();
  TW_TRY(SettleDefiners(*control_, soon()));
  TW_TRY(Ask(fmt::format("DROP USER {}", AtLoopback(kImportUser))));
  control_.reset();
  // Killed, it would lose what it has not synced.
  if (std::exchange(server_, nullptr)->Stop(core_.Now() + limits::kInstanceStart) !=
      Instance::Ended::kCleanly)
    return Fail(ErrorKind::kInternal, "IMPORT_NOT_ENDED", "the server of the import did not end in time");
  return folder_.MakeDurable();
}

void DumpImport::Interrupt() {
  interrupted_ = true;
  if (client_) client_->Signal(SIGKILL);
}

void DumpImport::End() {
  Interrupt();
  if (client_) client_->EndAtOnce();
  input_.reset();
  control_.reset();
  if (server_) std::exchange(server_, nullptr)->Stop(core_.Now());
  if (const auto removed = folder_.Remove(); !removed)
    log::warn("an import in {} is not removed: {}", folder_.path(), Describe(removed.error()));
}

}  // namespace

std::unique_ptr<Import> NewDumpImport(runtime::Core& core, const ServerPrograms& programs,
                                      Import::Options options) {
  return std::make_unique<DumpImport>(core, programs, std::move(options));
}

}  // namespace tradewind::mariadb
