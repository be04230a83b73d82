#include "move/payload.h"

#include <fmt/format.h>

#include <string>

#include "move/host.h"

namespace tradewind::move {

Result<Engine*> KnownEngine(MoveHost& host, std::string_view name) {
  Engine* const engine = host.FindEngine(name);
  if (engine) return engine;
  return Fail(ErrorKind::kRefused, "ENGINE_UNKNOWN",
              fmt::format("node {} cannot move tenants of the engine '{}'", host.self(), name),
              "run a version of tradewind on both nodes that can");
}

tl::unexpected<Error> OutOfTurn(std::string_view what) {
  return Fail(ErrorKind::kCorrupt, std::string(kConfusedCode),
              "the source sent " + std::string(what) + " out of turn");
}

}  // namespace tradewind::move
