// The file in which a node keeps how it was asked to drain, so that it goes on in the same way after a restart: a line of
// JSON, and the xxh3 of that line in 16 hexadecimal digits as a second one.
//
//   {"format": 3, "to": ["n2"], "options": "{...}"}
//
// Format 2 did not say its number, format 1 had the JSON alone; both are read. Whoever changes what a field means, or adds
// one without which a drain would be another, gives it the next number.
#pragma once

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
// Fails with DRAIN_FILE_CORRUPT when it is not as it was written, and with DRAIN_FILE_FORMAT when a later version wrote it
// (both kCorrupt); the messages are parts of sentences. Takes any bytes.
Result<DrainRequest> ParseDrainFile(std::string_view text);

// This core only.
class DrainFile {
 public:
  // `node` is named in what a damaged file is reported with.
  DrainFile(runtime::Core& core, std::string path, NodeName node)
      : core_(core), path_(std::move(path)), node_(std::move(node)) {}

  // Replaces what was kept; after a crash it is the one or the other, whole. Durable when it returns. Fails as the disk
  // does. Suspends.
  Result<void> Keep(const DrainRequest& request);
  // Fails with DRAIN_FILE_CORRUPT when it is missing or damaged, and as ParseDrainFile: where to was a wish of somebody,
  // which is not guessed. Suspends.
  Result<DrainRequest> Read();

 private:
  runtime::Core& core_;
  const std::string path_;
  const NodeName node_;
};

}  // namespace tradewind::balance
