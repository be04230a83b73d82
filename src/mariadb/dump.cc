#include "mariadb/dump.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "mariadb/instance.h"
#include "mariadb/programs.h"
#include "mariadb/tenant_account.h"
#include "runtime/file_descriptor.h"
#include "runtime/off_core.h"
#include "runtime/process.h"

namespace tradewind::mariadb {
namespace {

using runtime::FileDescriptor;

// It has nothing open that a move waits for before its hand-over.
class DumpVisit final : public HostedInstance::Visit {
 public:
  explicit DumpVisit(HostedInstance& instance) : Visit(instance), instance_(instance) {
    instance_.BeginExport();
  }
  ~DumpVisit() override { instance_.EndExport(); }
  DumpVisit(const DumpVisit&) = delete;
  DumpVisit& operator=(const DumpVisit&) = delete;
  void OnGate() override {}
  void OnEnd() override { ended_ = true; }
  bool ended() const { return ended_; }

 private:
  HostedInstance& instance_;
  bool ended_ = false;
};

Result<std::vector<std::string>> Words(runtime::Core& core, HostedInstance& tenant, Instance& server) {
  TW_TRY_ASSIGN(std::string program, FindDumpProgram(core));
  TW_TRY_ASSIGN(const std::vector<std::string> databases, DatabasesOf([&](std::string_view sql) {
                  return server.Query(sql, core.Now() + limits::kInstanceAnswer);
                }));
  TW_TRY_ASSIGN(std::string login, server.WriteLogin());
  std::vector<std::string> words{std::move(program),
                                 "--defaults-file=" + std::move(login),
                                 "--single-transaction",
                                 "--quick",
                                 "--hex-blob",
                                 "--routines",
                                 "--events",
                                 "--triggers",
                                 "--default-character-set=utf8mb4",
                                 "--max-allowed-packet=64M"};
  if (databases == std::vector<std::string>{tenant.name()}) {
    words.push_back("--");
  } else {
    words.insert(words.end(), {"--databases", "--"});
  }
  words.insert(words.end(), databases.begin(), databases.end());
  return words;
}

}  // namespace

Result<void> DumpTo(runtime::Core& core, HostedInstance& instance, const std::string& path,
                    const std::function<Result<void>()>& keep_going) {
  DumpVisit visit(instance);
  TW_TRY_ASSIGN(Server* const server, instance.AwaitAnswer(core.Now() + limits::kInstanceAnswer));
  // Of this machine, where files are.
  TW_TRY_ASSIGN(const std::vector<std::string> words, Words(core, instance, static_cast<Instance&>(*server)));
  int failed = 0;
  const FileDescriptor file(runtime::OffCore(core, [&] {
    const int opened = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    failed = errno;
    return opened;
  }));
  if (file.get() < 0)
    return Fail(ErrorKind::kIo, "DISK_IO",
                fmt::format("{} could not be made: {}", path, std::strerror(failed)));
  const FileDescriptor messages(memfd_create("messages", MFD_CLOEXEC));
  TW_TRY_ASSIGN(
      const auto process,
      runtime::Process::Start(
          core, {.words = words, .output = file.get(), .errors = messages.get(), .death_signal = SIGKILL}));
  while (!process->AwaitEnd(core.Now() + limits::kInstanceLook)) {
    const auto goes_on = keep_going();
    if (goes_on && !visit.ended()) continue;
    process->EndAtOnce();
    TW_TRY(goes_on);
  }
  if (process->status() == 0) return {};
  const std::string said = runtime::ReadFrom(messages);
  return Fail(ErrorKind::kUnavailable, "EXPORT_FAILED",
              fmt::format("mariadb-dump ended with {} and said: {}", process->status().value_or(-1),
                          said.substr(said.size() - std::min(said.size(), limits::kInstanceLogBytes))),
              "export again");
}

}  // namespace tradewind::mariadb
