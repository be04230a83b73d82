// The admin API of a node, as the commands use it: JSON in, JSON or an Error out.
//
// One core only; every call suspends.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "net/url.h"
#include "runtime/core.h"

namespace tradewind::net {
class HttpClient;
}

namespace tradewind::cli {

// Errors of all calls: the node's own (kind, code, message and action come over the wire), NODE_UNREACHABLE
// and ANSWER_LOST of net::HttpClient, and ANSWER_NOT_JSON.
class AdminClient {
 public:
  // Fails with URL_INVALID. The HTTP client must outlive this.
  static Result<AdminClient> Make(runtime::Core& core, net::HttpClient& http, const std::string& server,
                                  const std::string& token = {});

  // `path` begins with "/v1/" or is "/health"; path segments taken from the user go through EscapeSegment().
  Result<boost::json::value> Get(const std::string& path);
  // With any other method that answers in JSON.
  Result<boost::json::value> Send(const std::string& method, const std::string& path,
                                  const boost::json::object& body);
  Result<boost::json::value> Post(const std::string& path, const boost::json::object& body);
  Result<void> Delete(const std::string& path);
  Result<std::string> GetBytes(const std::string& path);
  Result<void> PutBytes(const std::string& path, std::string bytes);

  // How long a call may take; ten minutes as a start, as some copy a whole database.
  void set_timeout(runtime::Duration timeout) { timeout_ = timeout; }

 private:
  AdminClient(runtime::Core& core, net::HttpClient& http) : core_(&core), http_(&http) {}
  Result<std::string> Call(const std::string& method, const std::string& path, std::string body,
                           const std::string& content_type);

  runtime::Core* core_;
  net::HttpClient* http_;
  net::Endpoint endpoint_{runtime::Address{}};
  std::string base_path_;
  std::string authorization_;
  runtime::Duration timeout_ = std::chrono::minutes(10);
};

// Percent-escapes everything but letters, digits, '-', '.', '_' and '~'.
std::string EscapeSegment(std::string_view text);

}  // namespace tradewind::cli
