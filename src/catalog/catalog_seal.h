// Says of a catalog that was closed what its file holds, so that a bit that flips while its node is down shows
// when it starts again. SQLite's own check sees what does not fit together, but not a letter of a name.
//
// File: CATALOG-seal, a line: "format 2:", the size of the catalog's file, the xxh3 of its content in 16 hexadecimal
// digits, and the xxh3 of all before and a line break, each behind a space. Format 1 did not say its number, and its
// last hash was of what is before it alone; it is read. An earlier program takes the seal of a later one for none, so
// a node can go back to it.
//
// Crash argument. The seal is written when the file has been closed, its WAL copied and synced, and removed, its
// folder synced, before the file is changed again. A crash in between leaves no seal, or one that is not whole:
// then nothing is known, and SQLite's check is all. One that is whole and does not fit shows damage.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/core.h"

namespace tradewind::catalog {

inline constexpr std::string_view kCatalogMissingCode = "CATALOG_FILE_MISSING";  // kRefused.

class CatalogSeal {
 public:
  CatalogSeal(runtime::Core& core, const std::string& catalog);
  // Fails with kCorrupt when there is a seal and the catalog is not as it says, with CATALOG_FILE_MISSING when it is
  // gone or empty. Suspends.
  Result<void> Check() const;
  // Success: there is no seal any more. Suspends.
  Result<void> Break() const;
  // Requires that the catalog is closed. Suspends.
  Result<void> Put() const;

 private:
  Result<std::string> ContentNow() const;

  runtime::Core& core_;
  const std::string catalog_;
  const std::string path_;
};

}  // namespace tradewind::catalog
