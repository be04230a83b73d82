// The file in which a node keeps how it was asked to drain, so that it goes on in the same way after a restart: a line of
// JSON, and the xxh3 of that line in 16 hexadecimal digits as a second one. An earlier version wrote the JSON alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "move/options.h"
#include "runtime/core.h"

namespace tradewind::balance {

struct DrainRequest {
  std::vector<NodeName> to;  // Only to these; empty: to any other node.
  move::Pace pace = {};      // Of all its moves together.
};

std::string DrainFileText(const DrainRequest& request);
// None when it is not as it was written. Takes any bytes.
std::optional<DrainRequest> ParseDrainFile(std::string_view text);

// This core only.
class DrainFile {
 public:
  // `node` is named in what a damaged file is reported with.
  DrainFile(runtime::Core& core, std::string path, NodeName node)
      : core_(core), path_(std::move(path)), node_(std::move(node)) {}

  // Replaces what was kept; after a crash it is the one or the other, whole. Durable when it returns. Fails as the disk
  // does. Suspends.
  Result<void> Keep(const DrainRequest& request);
  // Fails with DRAIN_FILE_CORRUPT (kCorrupt) when it is missing or damaged: where to was a wish of somebody, which is not
  // guessed. Suspends.
  Result<DrainRequest> Read();

 private:
  runtime::Core& core_;
  const std::string path_;
  const NodeName node_;
};

}  // namespace tradewind::balance
