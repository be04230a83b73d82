#include "hrana/socket_message.h"

#include "base/overloaded.h"
#include "hrana/error_codes.h"
#include "net/json_text.h"

namespace tradewind::hrana {
namespace {

void AppendStart(std::string& out, std::string_view type, int32_t request_id) {
  out += "{\"type\":\"";
  out += type;
  out += "\",\"request_id\":";
  net::AppendJsonNumber(out, int64_t{request_id});
  out += ',';
}

}  // namespace

int LeastVersion(const SocketRequest& request) {
  return std::visit(Overloaded{[](const OpenStream&) { return 1; }, [](const CloseStream&) { return 1; },
                               [](const OnStream& on_stream) {
                                 if (std::holds_alternative<GetAutocommit>(on_stream.request)) return 3;
                                 const bool is_first = std::holds_alternative<Execute>(on_stream.request) ||
                                                       std::holds_alternative<Batch>(on_stream.request);
                                 return is_first ? 1 : 2;
                               },
                               [](const OpenCursor&) { return 3; }, [](const FetchCursor&) { return 3; },
                               [](const CloseCursor&) { return 3; }, [](const StoreSql&) { return 2; },
                               [](const CloseSql&) { return 2; }},
                    request.what);
}

std::string EncodeHelloOk() {
  return R"({"type":"hello_ok"})";
}

std::string EncodeHelloError(const Error& error) {
  std::string out = R"({"type":"hello_error","error":)";
  AppendError(out, error);
  out += '}';
  return out;
}

// A result is {"type":"ok","response":...} or {"type":"error","error":...}: only its start is another.
std::string EncodeSocketAnswer(int32_t request_id, std::string_view result) {
  const size_t rest = result.find(',') + 1;
  const bool is_ok = result.starts_with(R"({"type":"ok")");
  std::string out;
  out.reserve(result.size() + 64);
  AppendStart(out, is_ok ? "response_ok" : "response_error", request_id);
  out += result.substr(rest);
  return out;
}

std::string EncodeFetched(int32_t request_id, std::string_view entries, bool done) {
  std::string out;
  out.reserve(entries.size() + 128);
  AppendStart(out, "response_ok", request_id);
  out += R"("response":{"type":"fetch_cursor","entries":[)";
  const size_t begin = out.size();
  out += entries;
  for (size_t at = begin; at < out.size(); ++at)
    if (out[at] == '\n') out[at] = ',';
  if (out.size() > begin) out.pop_back();
  out += "],\"done\":";
  net::AppendJsonBool(out, done);
  out += "}}";
  return out;
}

}  // namespace tradewind::hrana
