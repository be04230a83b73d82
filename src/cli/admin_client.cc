#include "cli/admin_client.h"

#include <boost/json.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

#include "net/api_error.h"
#include "net/http_client.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

Result<json::value> ParseJson(const std::string& text) {
  boost::system::error_code failed;
  json::value parsed = json::parse(text, failed);
  if (failed) {
    return Fail(ErrorKind::kCorrupt, "ANSWER_NOT_JSON", "the server's answer is no JSON",
                "check that the server is a Tradewind node");
  }
  return parsed;
}

}  // namespace

std::string EscapeSegment(std::string_view text) {
  return boost::urls::encode(text, boost::urls::unreserved_chars);
}

Result<AdminClient> AdminClient::Make(runtime::Core& core, net::HttpClient& http, const std::string& server,
                                      const std::string& token) {
  AdminClient client(core, http);
  TW_TRY_ASSIGN(net::Url url, net::ParseUrl(server));
  client.endpoint_ = url.endpoint();
  client.base_path_ = std::move(url.target);
  while (client.base_path_.ends_with('/')) client.base_path_.pop_back();
  if (!token.empty()) client.authorization_ = "Bearer " + token;
  return client;
}

Result<std::string> AdminClient::Call(const std::string& method, const std::string& path, std::string body,
                                      const std::string& content_type) {
  net::HttpRequest request;
  request.method = method;
  request.target = base_path_ + path;
  request.idempotent = method == "GET";
  if (!content_type.empty()) request.headers.Add("Content-Type", content_type);
  if (!authorization_.empty()) request.headers.Add("Authorization", authorization_);
  request.body = std::move(body);
  TW_TRY_ASSIGN(net::HttpResponse response, http_->Call(endpoint_, request, core_->Now() + timeout_));
  if (response.status < 200 || response.status > 299) return Fail(net::ParseErrorResponse(response));
  return std::move(response.body);
}

Result<json::value> AdminClient::Get(const std::string& path) {
  TW_TRY_ASSIGN(const std::string body, Call("GET", path, {}, {}));
  return ParseJson(body);
}

Result<json::value> AdminClient::Send(const std::string& method, const std::string& path,
                                      const json::object& body) {
  TW_TRY_ASSIGN(const std::string answer, Call(method, path, json::serialize(body), "application/json"));
  return ParseJson(answer);
}

Result<json::value> AdminClient::Post(const std::string& path, const json::object& body) {
  return Send("POST", path, body);
}

Result<void> AdminClient::Delete(const std::string& path) {
  TW_TRY(Call("DELETE", path, {}, {}));
  return {};
}

Result<std::string> AdminClient::GetBytes(const std::string& path) {
  return Call("GET", path, {}, {});
}

Result<void> AdminClient::PutBytes(const std::string& path, std::string bytes) {
  TW_TRY(Call("PUT", path, std::move(bytes), "application/octet-stream"));
  return {};
}

}  // namespace tradewind::cli
