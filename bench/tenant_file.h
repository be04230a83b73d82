// An SQLite file with the tables of mixed_load.h, made for a measurement. Blocks its thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace tradewind::bench {

struct TenantFile {
  std::string path;
  uint64_t bytes = 0;
  int64_t items = 0;
};

// Writes a file of about `bytes`, as a user's file would be that is imported: pages of 4096 bytes, ids in
// their order. The content cannot be compressed. Fails with FILE_NOT_MADE.
Result<TenantFile> MakeTenantFile(const std::string& path, uint64_t bytes);

}  // namespace tradewind::bench
