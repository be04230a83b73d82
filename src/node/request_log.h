// What the log says of requests over HTTP: a line for each, by choice, and one for whatever is done through the admin API.
//
//   request  id, peer, method, path, status, ms: up to the answer, of a cursor up to its first piece
//   audit    id, peer, who (admin_token; nobody: without the right one; open: this node asks for none; node: another node,
//            that passes it on), method, path, tenant (where it is about one), status, outcome (done, or the error's code)
//
// Ids: what the client says in X-Request-Id, if that can stand in a log, or one of this core's. The answer has it too.
// Never in a line: what is asked for behind the path, bodies, tokens.
//
// This core only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http.h"
#include "net/routes.h"
#include "runtime/core.h"

namespace tradewind::node {

inline constexpr std::string_view kRequestIdField = "X-Request-Id";

class RequestLog {
 public:
  // `asks_admins`: for a token.
  RequestLog(runtime::Core& core, bool logs_requests, bool asks_admins);

  std::string IdOf(const net::HttpRequest& request);
  // It was answered here.
  void Note(const net::HttpRequest& request, const net::Routes::Found& found, const std::string& id,
            const net::HttpResponse& response) const;

 private:
  void Audit(const net::HttpRequest& request, const net::Routes::Found& found, const std::string& id,
             const net::HttpResponse& response) const;

  runtime::Core& core_;
  const bool logs_requests_;
  const bool asks_admins_;
  const std::string prefix_;  // Of this core's ids.
  uint64_t last_ = 0;
};

}  // namespace tradewind::node
