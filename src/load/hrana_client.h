// A small Hrana client over HTTP (v2 pipelines) for the commands and the load generator: what any client of a
// tenant would send, through any node. It does not retry: an error that reaches it reaches its user.
//
// One core only; one fiber at a time uses a stream.
//
// Errors. NODE_UNREACHABLE: nothing ran. ANSWER_LOST: it may have run. HRANA_REFUSED: the server refused the
// request as a whole (an HTTP status, or a code of its own such as STREAM_EXPIRED); nothing of it ran.
// Anything else is the code of the statement that failed, kind kRefused.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "net/url.h"
#include "runtime/core.h"
#include "sql/value.h"

namespace tradewind::net {
class HttpClient;
}

namespace tradewind::load {

using sql::Statement;
using sql::StatementResult;

// A tenant as it is reached through one node. Cheap to copy.
class HranaClient {
 public:
  // `server` is the node's URL. Fails with URL_INVALID. The HTTP client must outlive this and all streams.
  static Result<HranaClient> Make(runtime::Core& core, net::HttpClient& http, const std::string& server,
                                  const std::string& tenant, const std::string& token = {});

  // How long a request may take before it counts as unanswered.
  void set_timeout(runtime::Duration timeout) { timeout_ = timeout; }

 private:
  friend class HranaStream;
  HranaClient(runtime::Core& core, net::HttpClient& http) : core_(&core), http_(&http) {}
  // The body of the answer to a pipeline. Suspends.
  Result<std::string> Post(std::string body) const;

  runtime::Core* core_;
  net::HttpClient* http_;
  net::Url pipeline_;
  std::string authorization_;
  runtime::Duration timeout_ = std::chrono::seconds(30);
};

// A session at the tenant. The server rolls back and forgets it when it is closed or has been idle for too
// long; the destructor does not close it.
class HranaStream {
 public:
  // The client must outlive the stream.
  explicit HranaStream(const HranaClient& client) : client_(client) {}

  // Runs the statements in one request, in order; each runs even if one before it failed. Fails with the
  // first error. With `then_close` the stream ends with the same request. Suspends.
  Result<std::vector<StatementResult>> Execute(const std::vector<Statement>& statements,
                                               bool then_close = false);

  // All or nothing, in one request that also closes the stream: a Hrana batch of BEGIN IMMEDIATE, the
  // statements each on the success of the one before, COMMIT, and ROLLBACK otherwise. Suspends.
  Result<std::vector<StatementResult>> Transact(const std::vector<Statement>& statements);

  // Ends the stream; an open transaction is rolled back. Does nothing when there is none. Suspends.
  Result<void> Close();

  // Whether the server keeps the stream for the next request.
  bool open() const { return !baton_.empty(); }

 private:
  const HranaClient& client_;
  std::string baton_;
};

}  // namespace tradewind::load
