#include "cli/serve_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

namespace tradewind::cli {
namespace {

constexpr auto kReadyPatience = std::chrono::seconds(30);
constexpr size_t kLogTailBytes = 2'000;

tl::unexpected<Error> SystemError(const std::string& what) {
  return Fail(ErrorKind::kIo, "PROCESS_NOT_STARTED", what + ": " + std::strerror(errno));
}

std::string Tail(const std::string& path) {
  std::ifstream file(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  return text.size() > kLogTailBytes ? text.substr(text.size() - kLogTailBytes) : text;
}

// The first line that arrives at `descriptor`; empty when the writer ended without one. Blocks.
std::string ReadLine(int descriptor) {
  std::string line;
  char byte = 0;
  while (read(descriptor, &byte, 1) == 1) {
    if (byte == '\n') return line;
    line += byte;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ServeProcess>> ServeProcess::Start(runtime::Core& core, ServeProcessOptions options) {
  std::unique_ptr<ServeProcess> process(new ServeProcess(core, std::move(options)));
  TW_TRY(process->Launch());
  TW_TRY(process->AwaitReady());
  return process;
}

Result<void> ServeProcess::Launch() {
  std::vector<std::string> words{
      options_.program, "serve",  "--name",      options_.name, "--listen",
      options_.listen,  "--data", options_.data, "--cores",     std::to_string(options_.cores)};
  if (!options_.mysql_listen.empty()) words.insert(words.end(), {"--mysql-listen", options_.mysql_listen});
  if (!options_.join.empty()) words.insert(words.end(), {"--join", options_.join});
  if (!options_.cluster_secret_file.empty())
    words.insert(words.end(), {"--cluster-secret-file", options_.cluster_secret_file});

  const int log = open(options_.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return SystemError("cannot write " + options_.log);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    close(log);
    return SystemError("cannot make a pipe");
  }
  output_ = ends[0];
  auto started = runtime::Process::Start(core_, {words, -1, ends[1], log, SIGTERM});
  close(ends[1]);
  close(log);
  if (!started) return Fail(started.error());
  process_ = std::move(*started);
  return {};
}

Result<void> ServeProcess::AwaitReady() {
  std::string line;
  // Killing a child that says nothing ends the reading.
  const auto timer = core_.StartTimer(core_.Now() + kReadyPatience, [this] { process_->Signal(SIGKILL); });
  core_.RunOffCore([&] { line = ReadLine(output_); });
  core_.CancelTimer(timer);
  const std::string expected = "ready " + options_.name + " ";
  if (!line.starts_with(expected)) {
    return Fail(
        ErrorKind::kUnavailable, "NODE_NOT_READY",
        fmt::format("node {} did not get ready; its log ends with:\n{}", options_.name, Tail(options_.log)));
  }
  url_ = line.substr(expected.size());
  return {};
}

void ServeProcess::Kill() {
  if (!running()) return;
  process_->Kill();
  process_.reset();
}

Result<void> ServeProcess::Stop(runtime::Duration patience) {
  if (!running()) return {};
  process_->Stop(core_.Now() + patience);
  const int status = process_->status().value_or(0);
  process_.reset();
  if (status == 0) return {};
  return Fail(ErrorKind::kInternal, "NODE_NOT_STOPPED",
              fmt::format("node {} {} when asked to end; its log ends with:\n{}", options_.name,
                          status < 128 ? "failed" : "did not react or crashed", Tail(options_.log)));
}

ServeProcess::~ServeProcess() {
  Kill();
  if (output_ >= 0) close(output_);
}

Result<std::string> MakeTemporaryFolder(const std::string& prefix) {
  const char* parent = std::getenv("TMPDIR");
  std::string path = fmt::format("{}/{}-XXXXXX", parent && *parent ? parent : "/tmp", prefix);
  if (!mkdtemp(path.data())) return SystemError("cannot make a folder like " + path);
  return path;
}

}  // namespace tradewind::cli
