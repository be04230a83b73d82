#include "mariadb/instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "mariadb/backup.h"
#include "mysql/native_password.h"
#include "runtime/network.h"

namespace tradewind::mariadb {
namespace {

constexpr std::string_view kPortTakenCode = "INSTANCE_PORT_TAKEN";

std::vector<std::string> Words(const ServerPrograms& programs, const InstanceOptions& options,
                               const InstanceFolder& folder, const Control& control, uint16_t port) {
  std::vector<std::string> words{
      programs.mariadbd, "--no-defaults", "--datadir=" + folder.data(), "--tmpdir=" + folder.temporary(),
      "--log-error=" + folder.log(), "--init-file=" + folder.account(),
      // Relative to the data folder: the path of a socket has 107 bytes at most.
      "--socket=socket", "--pid-file=pid", "--bind-address=127.0.0.1", fmt::format("--port={}", port),
      "--skip-name-resolve",
      // What speaks for clients of other hosts says so before their login (mysql/login_exchange.h).
      "--proxy-protocol-networks=127.0.0.1", "--skip-slave-start",
      fmt::format("--server-id={}", control.server_id),
      fmt::format("--innodb-buffer-pool-size={}", options.buffer_pool_bytes),
      fmt::format("--innodb-log-file-size={}", options.redo_log_bytes), "--innodb-log-buffer-size=4M",
      "--aria-pagecache-buffer-size=8M", "--key-buffer-size=1M",
      fmt::format("--max-connections={}", options.connections), "--max-allowed-packet=64M",
      "--character-set-server=utf8mb4", "--symbolic-links=0", "--local-infile=0"};
  const std::vector<std::string> as_used{
      "--read-only=1", "--log-bin=binlog", "--binlog-format=ROW", "--log-slave-updates=1",
      // Rows are logged, so what a trigger or a function does is too, and nobody needs a privilege of the server for one.
      "--log-bin-trust-function-creators=1", "--gtid-strict-mode=1", "--sync-binlog=1",
      "--binlog-expire-logs-seconds=86400", "--innodb-flush-log-at-trx-commit=1"};
  const std::vector<std::string> as_filled{"--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"};
  const auto& more = options.is_filled ? as_filled : as_used;
  words.insert(words.end(), more.begin(), more.end());
  if (geteuid() == 0) words.emplace_back("--user=root");  // Otherwise it refuses.
  return words;
}

// Of a node that was killed before it wrote down whom it had started.
void EndOrphan(runtime::Core& core, InstanceFolder& folder) {
  const pid_t holder = folder.LockHolder();
  if (holder == 0) return;
  const auto orphan = runtime::Process::FindNumber(core, holder);
  // Once more: the number may have got to another process before there was a hold on it.
  if (!orphan || folder.LockHolder() != holder) return;
  log::warn("mariadb: process {} has the data of {} open and is ended: nobody wrote it down", holder,
            folder.path());
  orphan->Stop(core.Now() + limits::kInstanceStop);
}

}  // namespace

Result<std::unique_ptr<Instance>> Instance::Open(runtime::Core& core, const ServerPrograms& programs,
                                                 InstanceOptions options, runtime::TimePoint deadline) {
  std::unique_ptr<Instance> instance(new Instance(core, programs, std::move(options)));
  TW_TRY_ASSIGN(instance->control_, instance->folder_.ReadControl());
  TW_TRY_ASSIGN(instance->adopted_, instance->Adopt());
  if (!instance->adopted_) TW_TRY(instance->Start(deadline));
  instance->watch_.Spawn("mariadb-instance", [self = instance.get()] { self->Watch(); });
  return instance;
}

Instance::~Instance() {
  TW_CHECK(watch_.size() == 0, "an instance was stopped or left before it goes");
}

Result<bool> Instance::Adopt() {
  const auto written = folder_.ReadRunning();
  if (!written) return false;
  address_.port = written->port;
  process_ = runtime::Process::Find(core_, written->process);
  if (!process_) return false;
  const runtime::TimePoint deadline = core_.Now() + limits::kInstanceAnswer;
  answers_ = true;  // As far as is known: for Connect().
  const auto take_over = [&]() -> Result<void> {
    TW_TRY_ASSIGN(const auto connection, Connect(deadline));
    TW_TRY_ASSIGN(const auto answer, connection->Query("SELECT @@datadir", deadline));
    const auto& of = answer.rows.at(0).at(0);
    bool ours = false;
    core_.RunOffCore([&] {
      std::error_code missing;
      ours = of && std::filesystem::equivalent(*of, folder_.data(), missing);
    });
    if (!ours)
      return Fail(
          ErrorKind::kCorrupt, "INSTANCE_OF_ANOTHER_FOLDER",
          fmt::format("the server on port {} has the data folder {}", address_.port, of.value_or("NULL")));
    // Whom it followed it reached by a port of the node of before, which may be somebody else's by now.
    TW_TRY(connection->Query("STOP ALL SLAVES", deadline));
    return MakeReadOnly(deadline);
  };
  const auto taken = take_over();
  if (taken) {
    ++starts_;
    // A copy's may still stand back.
    process_->SetNiceness(options_.niceness);
    return true;
  }
  log::warn("mariadb: the server {} in {} cannot be adopted and is ended: {}", pid(), folder_.path(),
            Describe(taken.error()));
  answers_ = false;
  process_->Stop(core_.Now() + limits::kInstanceStop);
  process_.reset();
  return false;
}

void Instance::EndIn(runtime::Core& core, InstanceFolder& folder) {
  if (const auto written = folder.ReadRunning())
    if (const auto server = runtime::Process::Find(core, written->process))
      server->Stop(core.Now() + limits::kInstanceStop);
  EndOrphan(core, folder);
}

Result<void> Instance::Start(runtime::TimePoint deadline) {
  EndOrphan(core_, folder_);
  TW_TRY(folder_.WriteAccount(control_));
  for (int tries = 1;; ++tries) {
    const uint64_t log_from = folder_.LogSize();
    TW_TRY_ASSIGN(address_.port, ChoosePort());
    options_.port_chosen(address_.port);
    TW_TRY(Launch());
    const auto answered = AwaitAnswer(deadline, log_from);
    if (answered) break;
    // What does not answer is not left running: nobody would know it.
    EndAtOnce();
    if (answered.error().code != kPortTakenCode || tries == limits::kInstancePorts)
      return Fail(answered.error());
    address_.port = 0;
  }
  answers_ = true;
  ++starts_;
  changed_.NotifyAll();
  return {};
}

Result<void> Instance::Launch() {
  int log = -1;
  int failed = 0;
  core_.RunOffCore([&] {
    log = open(folder_.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    failed = errno;
  });
  if (log < 0)
    return Fail(ErrorKind::kIo, "DISK_IO",
                fmt::format("{} could not be opened: {}", folder_.log(), std::strerror(failed)));
  auto started =
      runtime::Process::Start(core_, {.words = Words(programs_, options_, folder_, control_, address_.port),
                                      .output = log,
                                      .errors = log,
                                      .death_signal = options_.is_filled ? SIGKILL : 0,
                                      .niceness = options_.niceness});
  close(log);
  if (!started) return Fail(started.error());
  process_ = std::move(*started);
  const auto written = folder_.WriteRunning({process_->identity(), address_.port});
  if (written) return {};
  // Not to be found by the next node.
  EndAtOnce();
  return written;
}

Result<void> Instance::AwaitAnswer(runtime::TimePoint deadline, uint64_t log_from) {
  for (;;) {
    const bool ended = process_->HasEnded();
    if (ended || core_.Now() >= deadline || ending_ || options_.given_up()) {
      const std::string tail = folder_.LogTail(log_from);
      if (ended && tail.find("Bind on TCP/IP port") != std::string::npos)
        return Fail(ErrorKind::kUnavailable, std::string(kPortTakenCode),
                    fmt::format("another program took port {} of 127.0.0.1 before the server in {} did",
                                address_.port, folder_.path()));
      return Fail(ErrorKind::kUnavailable, "INSTANCE_NOT_STARTED",
                  fmt::format("the server in {} {}; its log ends with:\n{}", folder_.path(),
                              ended ? "ended instead of answering" : "does not answer in time", tail),
                  "the log says why, as a rule");
    }
    // Nobody listens there until it has recovered. Whoever else has the port does not know the password.
    const auto connection =
        LogIn(std::min<runtime::TimePoint>(deadline, core_.Now() + limits::kInstanceAnswer));
    if (connection && !process_->HasEnded()) return {};
    runtime::SleepFor(limits::kInstanceStartLook);
  }
}

Result<uint16_t> Instance::ChoosePort() {
  // The one that it had, if it is free: clients and replicas know it.
  if (address_.port != 0)
    if (const auto again = core_.network().Listen(address_)) return address_.port;
  TW_TRY_ASSIGN(const auto listener, core_.network().Listen({address_.host, 0}));
  return listener->local().port;
}

void Instance::Watch() {
  runtime::Duration pause = limits::kInstancePause;
  runtime::TimePoint started = core_.Now();
  while (!ending_) {
    if (process_ && !process_->HasEnded()) {
      changed_.WaitUntil(core_.Now() + limits::kInstanceLook);
      continue;
    }
    if (process_) {
      log::error("mariadb: the server in {} has died; its log ends with:\n{}", folder_.path(),
                 folder_.LogTail(0));
      Down();
    }
    if (core_.Now() - started >= limits::kInstanceLives) pause = limits::kInstancePause;
    const runtime::TimePoint next = core_.Now() + pause;
    while (!ending_ && changed_.WaitUntil(next)) {
    }
    if (ending_) return;
    pause = std::min<runtime::Duration>(2 * pause, limits::kInstancePauseLongest);
    started = core_.Now();
    const auto again = Start(started + limits::kInstanceStart);
    if (again) {
      log::info("mariadb: the server in {} runs again, read-only", folder_.path());
      options_.on_restart();
    } else if (!ending_) {
      log::error("mariadb: {}", Describe(again.error()));
    }
  }
}

void Instance::EndAtOnce() {
  process_->EndAtOnce();
  process_.reset();
}

void Instance::Down() {
  process_.reset();
  answers_ = false;
}

void Instance::EndWatch() {
  ending_ = true;
  changed_.NotifyAll();
  watch_.Join();
}

Instance::Ended Instance::Stop(runtime::TimePoint deadline) {
  EndWatch();
  if (!process_) return Ended::kCleanly;
  const bool cleanly = process_->Stop(deadline);
  if (!cleanly) log::warn("mariadb: the server in {} had not ended in time and was killed", folder_.path());
  Down();
  return cleanly ? Ended::kCleanly : Ended::kKilled;
}

void Instance::EndStandingBack() {
  if (std::exchange(options_.niceness, 0) != 0 && process_) process_->SetNiceness(0);
}

void Instance::Leave() {
  EndWatch();
  Down();
}

void Instance::PassTo(std::function<void()> on_restart, std::function<bool()> given_up) {
  core_.AssertHere();
  options_.on_restart = std::move(on_restart);
  options_.given_up = std::move(given_up);
}

bool Instance::AwaitStart(uint64_t starts, runtime::TimePoint deadline) {
  runtime::WaitForUntil(changed_, deadline, [&] { return ending_ || (answers_ && starts_ >= starts); });
  return !ending_ && answers_ && starts_ >= starts;
}

Result<std::unique_ptr<mysql::ServerConnection>> Instance::Connect(runtime::TimePoint deadline) {
  if (!answers_)
    return Fail(ErrorKind::kUnavailable, "INSTANCE_DOWN",
                fmt::format("no server runs in {} now", folder_.path()));
  return LogIn(deadline);
}

Result<std::unique_ptr<mysql::ServerConnection>> Instance::LogIn(runtime::TimePoint deadline) {
  const mysql::ServerLogin login{
      {std::string(kControlUser), mysql::PasswordKey::OfPassword(control_.password)}};
  return mysql::ServerConnection::Open(core_, address_, login, deadline);
}

Result<mysql::ServerAnswer> Instance::Query(std::string_view sql, runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(const auto connection, Connect(deadline));
  return connection->Query(sql, deadline);
}

uint64_t Instance::DataBytes() {
  return mariadb::DataBytes(core_, folder_);
}

Result<void> Instance::MakeWritable(runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(const auto connection, Connect(deadline));
  TW_TRY(connection->Query("SET GLOBAL read_only = 0", deadline));
  return {};
}

Result<void> Instance::MakeReadOnly(runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(const auto connection, Connect(deadline));
  // The server's own deadline, before ours: a statement that we no longer wait for would go on, and keep all others
  // from writing.
  const auto left = std::chrono::ceil<std::chrono::seconds>(deadline - core_.Now());
  const int64_t seconds = std::max<int64_t>(left.count(), 1);
  TW_TRY(connection->Query(fmt::format("SET SESSION lock_wait_timeout = {}", seconds), deadline));
  TW_TRY(connection->Query("SET GLOBAL read_only = 1", deadline + std::chrono::seconds(2)));
  return {};
}

Result<bool> Instance::IsReadOnly(runtime::TimePoint deadline) {
  TW_TRY_ASSIGN(const auto connection, Connect(deadline));
  TW_TRY_ASSIGN(const auto answer, connection->Query("SELECT @@read_only", deadline));
  return answer.rows.at(0).at(0) == "1";
}

}  // namespace tradewind::mariadb
