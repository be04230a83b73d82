#include "cli/admin_client.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cctype>

#include "net/http_client.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

constexpr ErrorKind kKinds[] = {ErrorKind::kInvalid,      ErrorKind::kNotFound,    ErrorKind::kExists,
                                ErrorKind::kRefused,      ErrorKind::kUnavailable, ErrorKind::kTimeout,
                                ErrorKind::kUnauthorized, ErrorKind::kTooLarge,    ErrorKind::kIo,
                                ErrorKind::kCorrupt,      ErrorKind::kInternal};

ErrorKind KindOfStatus(int status) {
  switch (status) {
    case 400: return ErrorKind::kInvalid;
    case 401: return ErrorKind::kUnauthorized;
    case 404: return ErrorKind::kNotFound;
    case 409: return ErrorKind::kRefused;
    case 413: return ErrorKind::kTooLarge;
    case 503: return ErrorKind::kUnavailable;
    case 504: return ErrorKind::kTimeout;
    default: return ErrorKind::kInternal;
  }
}

std::string TextMember(const json::object& object, const char* name) {
  const json::value* member = object.if_contains(name);
  return member && member->is_string() ? json::value_to<std::string>(*member) : std::string();
}

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

Error ErrorFromAnswer(int status, const std::string& body) {
  Error error{KindOfStatus(status), "HTTP_" + std::to_string(status), {}, {}};
  boost::system::error_code failed;
  const json::value parsed = json::parse(body, failed);
  if (const json::object* object = failed ? nullptr : parsed.if_object()) {
    error.message = TextMember(*object, "error");
    error.action = TextMember(*object, "action");
    if (std::string code = TextMember(*object, "code"); !code.empty()) error.code = std::move(code);
    const std::string kind = TextMember(*object, "kind");
    for (ErrorKind known : kKinds)
      if (KindName(known) == kind) error.kind = known;
  }
  if (error.message.empty()) error.message = fmt::format("the server answered {} {}", status, body);
  return error;
}

std::string EscapeSegment(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~')
      escaped += c;
    else
      escaped += fmt::format("%{:02X}", byte);
  }
  return escaped;
}

Result<AdminClient> AdminClient::Make(runtime::Core& core, net::HttpClient& http, const std::string& server,
                                      const std::string& token) {
  AdminClient client(core, http);
  TW_TRY_ASSIGN(net::Url url, net::ParseUrl(server));
  client.address_ = std::move(url.address);
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
  TW_TRY_ASSIGN(net::HttpResponse response, http_->Call(address_, request, core_->Now() + timeout_));
  if (response.status < 200 || response.status > 299)
    return Fail(ErrorFromAnswer(response.status, response.body));
  return std::move(response.body);
}

Result<json::value> AdminClient::Get(const std::string& path) {
  TW_TRY_ASSIGN(const std::string body, Call("GET", path, {}, {}));
  return ParseJson(body);
}

Result<json::value> AdminClient::Post(const std::string& path, const json::object& body) {
  TW_TRY_ASSIGN(const std::string answer, Call("POST", path, json::serialize(body), "application/json"));
  return ParseJson(answer);
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
