// A client of Hrana over WebSocket that asks one thing after the other, for measurements: its frames are masked with zeros,
// which the protocol allows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "net/http_client.h"
#include "runtime/core.h"

namespace tradewind::bench {

class SocketClient {
 public:
  // Connects, says hello and opens a stream. Null when that fails. Suspends.
  static std::unique_ptr<SocketClient> Open(runtime::Core& core, net::HttpClient& http,
                                            const std::string& url);
  // Whether the statement, with one integer for an argument, has run. Suspends.
  bool Execute(const std::string& sql, int64_t argument);

 private:
  explicit SocketClient(net::UpgradedConnection upgraded)
      : connection_(std::move(upgraded.connection)), unread_(std::move(upgraded.already_read)) {}
  bool Send(const std::string& message);
  // The next message; empty when there is none.
  std::string Receive();
  bool Fill(size_t bytes);

  std::unique_ptr<runtime::Connection> connection_;
  std::string unread_;
};

}  // namespace tradewind::bench
