// What a client and a server say to each other over a WebSocket (Hrana 1 to 3), one JSON text a message.
//
//   client   {"type":"hello","jwt":...}   {"type":"request","request_id":n,"request":{"type":...,...}}
//   server   {"type":"hello_ok"}          {"type":"response_ok"|"response_error","request_id":n,...}
//
// Streams, cursors and stored SQL texts have numbers that the client gives them, on its connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "hrana/request.h"

namespace tradewind::hrana {

struct Hello {
  std::optional<std::string> jwt = {};
};
struct OpenStream {
  int32_t stream = 0;
};
struct CloseStream {
  int32_t stream = 0;
};
// An execute, batch, sequence, describe or get_autocommit.
struct OnStream {
  int32_t stream = 0;
  StreamRequest request;
};
struct OpenCursor {
  int32_t stream = 0;
  int32_t cursor = 0;
  Batch batch;
};
struct FetchCursor {
  int32_t cursor = 0;
  uint32_t most_entries = 0;
};
struct CloseCursor {
  int32_t cursor = 0;
};

struct SocketRequest {
  int32_t id = 0;
  std::variant<OpenStream, CloseStream, OnStream, OpenCursor, FetchCursor, CloseCursor, StoreSql, CloseSql>
      what;
};
using SocketMessage = std::variant<Hello, SocketRequest>;

// Fails with PROTOCOL_ERROR, as what a pipeline has (decode.h): the connection is to be closed.
Result<SocketMessage> DecodeSocketMessage(std::string_view json);

// The version of Hrana that has the request.
int LeastVersion(const SocketRequest& request);

std::string EncodeHelloOk();
std::string EncodeHelloError(const Error& error);
// Of a stream result (run.h, encode.h).
std::string EncodeSocketAnswer(int32_t request_id, std::string_view result);
// Of entries of a cursor, each a line.
std::string EncodeFetched(int32_t request_id, std::string_view entries, bool done);

}  // namespace tradewind::hrana
