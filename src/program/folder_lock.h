// Keeps two processes from using one data folder.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace tradewind::program {

// Held as long as the object lives; the kernel lets go of it when the process ends, in whatever way.
class FolderLock {
 public:
  // Makes the folder when it is missing, and locks FOLDER/lock. Fails with DATA_FOLDER_IN_USE (kRefused,
  // naming the process that has it) or DATA_FOLDER_UNUSABLE (kIo).
  static Result<std::unique_ptr<FolderLock>> Take(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

}  // namespace tradewind::program
