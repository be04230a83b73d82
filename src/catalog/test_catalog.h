// A catalog for one unit test: a file in a folder of its own, on a real core.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "catalog/embedded_catalog.h"
#include "runtime/real_core.h"
#include "runtime/test_folder.h"
#include "sqlite/vfs.h"

namespace tradewind::catalog {

class TestFolder : public runtime::TestFolder {
 public:
  TestFolder() { sqlite::InitializeSqlite(); }
};

// Opens the file's catalog, runs `body` with it in a fiber, and closes it.
inline void WithCatalog(runtime::RealCore& core, const std::string& path,
                        const std::function<void(EmbeddedCatalog&)>& body) {
  core.RunUntilReturned("test", [&] {
    auto catalog = EmbeddedCatalog::Open(core, path);
    ASSERT_TRUE(catalog) << Describe(catalog.error());
    body(**catalog);
    (*catalog)->Close();
  });
}

// The value of a call that the test needs to succeed.
template <typename T>
T Need(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << Describe(result.error());
    return T{};
  }
  return std::move(*result);
}
inline void Need(Result<void> result) {
  if (!result) ADD_FAILURE() << Describe(result.error());
}

template <typename T>
std::string CodeOf(const Result<T>& result) {
  return result ? "no error" : result.error().code;
}

}  // namespace tradewind::catalog
