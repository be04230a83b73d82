#include "hrana/error_codes.h"

#include "base/limits.h"
#include "net/json_text.h"

namespace tradewind::hrana {
namespace {

struct Mapping {
  std::string_view code;  // For an error that has none.
  int status;
};

Mapping OfKind(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid: return {kSqlInputError, 400};
    case ErrorKind::kNotFound: return {"NOT_FOUND", 404};
    case ErrorKind::kExists: return {"EXISTS", 409};
    case ErrorKind::kRefused: return {"REFUSED", 409};
    case ErrorKind::kUnavailable: return {"UNAVAILABLE", 503};
    case ErrorKind::kTimeout: return {"TIMEOUT", 504};
    case ErrorKind::kUnauthorized: return {"AUTH_HEADER_NOT_FOUND", 401};
    case ErrorKind::kTooLarge: return {"TOO_LARGE", 413};
    case ErrorKind::kIo: return {"SQLITE_IOERR", 500};
    case ErrorKind::kCorrupt: return {"SQLITE_CORRUPT", 500};
    case ErrorKind::kInternal: return {"INTERNAL_ERROR", 500};
  }
  return {"INTERNAL_ERROR", 500};
}

int HttpStatus(const Error& error) {
  if (error.code == kStreamExpired || error.code == kBatonInvalid) return 400;
  if (error.code == kTooManyStreams || error.code == kTooManyRequests) return 429;
  return OfKind(error.kind).status;
}

// SQLite repeats names of any length in its sentences: a thousand errors must not fill the memory.
std::string Sentence(const Error& error) {
  std::string sentence = error.message;
  if (size_t length = limits::kErrorTextBytes; sentence.size() > length) {
    while ((sentence[length] & 0xc0) == 0x80) --length;  // Not in the middle of a character.
    sentence.resize(length);
    sentence += "...";
  }
  if (!error.action.empty()) sentence += "; " + error.action;
  return sentence;
}

std::string_view Code(const Error& error) {
  if (error.code == kBusySnapshot) return "SQLITE_BUSY";
  return error.code.empty() ? OfKind(error.kind).code : std::string_view(error.code);
}

void AppendWithCode(std::string& out, std::string_view key, const Error& error) {
  out += "{\"";
  out += key;
  out += "\":";
  net::AppendJsonString(out, Sentence(error));
  out += ",\"code\":";
  net::AppendJsonString(out, Code(error));
  if (error.code == kBusySnapshot) {  // SQLite's extended code, for clients that look at it.
    out += ",\"extended_code\":";
    net::AppendJsonString(out, error.code);
  }
  out += '}';
}

}  // namespace

void AppendError(std::string& out, const Error& error) {
  AppendWithCode(out, "message", error);
}

HttpFailure ToHttpFailure(const Error& error) {
  HttpFailure failure{HttpStatus(error), "application/json", {}};
  if (error.code == kBatonInvalid) {
    failure.content_type = "text/plain";
    failure.body = Sentence(error);
  } else {
    AppendWithCode(failure.body, failure.status == 400 ? "message" : "error", error);
  }
  return failure;
}

}  // namespace tradewind::hrana
