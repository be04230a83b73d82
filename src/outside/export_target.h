// Where an export goes: a file that gets its name once it is whole and durable. Until then it is called
// FILE.<random>.partial, and is gone when the export fails or is interrupted.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/core.h"
#include "runtime/disk.h"

namespace tradewind::outside {

class ExportTarget {
 public:
  // Looks whether FILE can become a database, before anything is copied. One that exists is replaced at the
  // end, unless a program has it open. A link is followed. Fails with EXPORT_TARGET_UNUSABLE (kInvalid: no
  // such folder, or something else than a file), EXPORT_TARGET_HAS_LOG (kRefused: a log or a journal of
  // another database lies beside it, which SQLite would apply to the new one), EXPORT_TARGET_IN_USE
  // (kRefused), or as the disk does. Suspends.
  static Result<std::unique_ptr<ExportTarget>> Open(runtime::Core& core, const std::string& path);
  ~ExportTarget();
  ExportTarget(const ExportTarget&) = delete;
  ExportTarget& operator=(const ExportTarget&) = delete;

  runtime::File& file() { return *file_; }
  // Makes the file durable, and then its name. Suspends.
  Result<void> Commit();

 private:
  ExportTarget(runtime::Core& core, std::string path) : core_(core), path_(std::move(path)) {}
  Result<void> CheckPlace();
  Result<void> CheckBeside() const;

  runtime::Core& core_;
  const std::string path_;
  std::string partial_;  // Empty once it has its name.
  std::unique_ptr<runtime::File> file_;
  std::unique_ptr<runtime::File> replaced_;  // Locked, so that no program opens it meanwhile.
};

}  // namespace tradewind::outside
