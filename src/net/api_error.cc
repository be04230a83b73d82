#include "net/api_error.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "base/json_fields.h"
#include "net/json_text.h"

namespace tradewind::net {

namespace {

constexpr std::array kKinds = {ErrorKind::kInvalid,      ErrorKind::kNotFound,    ErrorKind::kExists,
                               ErrorKind::kRefused,      ErrorKind::kUnavailable, ErrorKind::kTimeout,
                               ErrorKind::kUnauthorized, ErrorKind::kTooLarge,    ErrorKind::kIo,
                               ErrorKind::kCorrupt,      ErrorKind::kInternal};

ErrorKind KindOfStatus(int status) {
  switch (status) {
    case 400: return ErrorKind::kInvalid;
    case 401: return ErrorKind::kUnauthorized;
    case 403: return ErrorKind::kRefused;
    case 404: return ErrorKind::kNotFound;
    case 405: return ErrorKind::kInvalid;
    case 409: return ErrorKind::kRefused;
    case 413: return ErrorKind::kTooLarge;
    case 415: return ErrorKind::kInvalid;
    case 502: return ErrorKind::kUnavailable;
    case 503: return ErrorKind::kUnavailable;
    case 504: return ErrorKind::kTimeout;
    case 507: return ErrorKind::kTooLarge;
    default: return ErrorKind::kInternal;
  }
}

void AppendMember(std::string& out, std::string_view name, std::string_view value) {
  out += out.empty() ? '{' : ',';
  AppendJsonString(out, name);
  out += ':';
  AppendJsonString(out, value);
}

}  // namespace

int StatusOf(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kInvalid: return 400;
    case ErrorKind::kUnauthorized: return 401;
    case ErrorKind::kNotFound: return 404;
    case ErrorKind::kExists: return 409;
    case ErrorKind::kRefused: return 409;
    case ErrorKind::kTooLarge: return error.code == "DISK_FULL" ? 507 : 413;
    case ErrorKind::kUnavailable: return 503;
    case ErrorKind::kTimeout: return 504;
    case ErrorKind::kIo: return 500;
    case ErrorKind::kCorrupt: return 500;
    case ErrorKind::kInternal: return 500;
  }
  return 500;
}

HttpResponse ErrorResponse(const Error& error) {
  std::string body;
  AppendMember(body, "error", error.message);
  AppendMember(body, "code", error.code);
  AppendMember(body, "kind", KindName(error.kind));
  AppendMember(body, "action", error.action);
  body += '}';
  return HttpResponse::Json(StatusOf(error), std::move(body));
}

Error ParseErrorResponse(const HttpResponse& response) {
  Error error{KindOfStatus(response.status), "HTTP_ANSWER", {}, {}};
  if (const auto object = ParseJsonObject(response.body)) {
    error.message = FindText(*object, "error").value_or("");
    error.action = FindText(*object, "action").value_or("");
    if (const auto code = FindText(*object, "code"); code && !code->empty()) error.code = *code;
    const std::string_view name = FindText(*object, "kind").value_or("");
    for (const ErrorKind kind : kKinds)
      if (KindName(kind) == name) error.kind = kind;
  }
  if (error.message.empty())
    error.message = fmt::format("the server answered {} {}", response.status, response.body);
  return error;
}

}  // namespace tradewind::net
