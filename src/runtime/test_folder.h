// A folder for a test, which goes away with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.h"

namespace tradewind::runtime {

class TestFolder {
 public:
  TestFolder() : path_((std::filesystem::temp_directory_path() / "tradewind-XXXXXX").string()) {
    TW_CHECK(::mkdtemp(path_.data()) != nullptr, "no folder for the test");
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace tradewind::runtime
