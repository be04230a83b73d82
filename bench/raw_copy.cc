#include "raw_copy.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

namespace tradewind::bench {
namespace {

constexpr size_t kBufferBytes = 256u << 10;

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void Reset(int number) {
    Close();
    number_ = number;
  }
  int get() const { return number_; }
  bool ok() const { return number_ >= 0; }

 private:
  void Close() {
    if (number_ >= 0) close(number_);
    number_ = -1;
  }
  int number_;
};

tl::unexpected<Error> Failed(const char* what) {
  return Fail(ErrorKind::kIo, "RAW_COPY_FAILED", std::string(what) + ": " + std::strerror(errno));
}

Result<void> Connect(Descriptor& sending, Descriptor& receiving) {
  const Descriptor listening(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  if (!listening.ok() || bind(listening.get(), name, length) != 0 || listen(listening.get(), 1) != 0 ||
      getsockname(listening.get(), name, &length) != 0)
    return Failed("listen");
  sending.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!sending.ok() || connect(sending.get(), name, length) != 0) return Failed("connect");
  receiving.Reset(accept(listening.get(), nullptr, nullptr));
  if (!receiving.ok()) return Failed("accept");
  return {};
}

Result<void> Send(int file, int connection) {
  std::vector<char> buffer(kBufferBytes);
  for (;;) {
    const ssize_t got = read(file, buffer.data(), buffer.size());
    if (got < 0) return Failed("read");
    if (got == 0) break;
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t taken =
          send(connection, buffer.data() + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
      if (taken < 0) return Failed("send");
      sent += taken;
    }
  }
  shutdown(connection, SHUT_WR);
  return {};
}

Result<uint64_t> Receive(int connection, int file) {
  std::vector<char> buffer(kBufferBytes);
  uint64_t bytes = 0;
  for (;;) {
    const ssize_t got = recv(connection, buffer.data(), buffer.size(), 0);
    if (got < 0) return Failed("recv");
    if (got == 0) break;
    for (ssize_t written = 0; written < got;) {
      const ssize_t taken = write(file, buffer.data() + written, static_cast<size_t>(got - written));
      if (taken < 0) return Failed("write");
      written += taken;
    }
    bytes += static_cast<uint64_t>(got);
  }
  if (fdatasync(file) != 0) return Failed("fdatasync");
  return bytes;
}

}  // namespace

Result<RawCopy> CopyThroughSocket(const std::string& from, const std::string& to) {
  Descriptor sending, receiving;
  TW_TRY(Connect(sending, receiving));
  const auto began = std::chrono::steady_clock::now();
  const Descriptor source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor copy(open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!source.ok() || !copy.ok()) return Failed("open");
  Result<void> sent;
  std::thread sender([&] {
    sent = Send(source.get(), sending.get());
    if (!sent) sending.Reset(-1);
  });
  auto received = Receive(receiving.get(), copy.get());
  if (!received) receiving.Reset(-1);  // So that the sender does not wait for room.
  sender.join();
  TW_TRY(std::move(sent));
  TW_TRY_ASSIGN(const uint64_t bytes, std::move(received));
  return RawCopy{bytes, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count()};
}

}  // namespace tradewind::bench
