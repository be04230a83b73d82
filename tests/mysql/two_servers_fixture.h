// Two MariaDB servers, which all tests of a process share, and a core to talk to them from.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "runtime/real_core.h"
#include "runtime/test_folder.h"
#include "tests/mysql/mariadb_server.h"

namespace tradewind::tests {

class TwoServersTest : public testing::Test {
 protected:
  struct Shared {
    const runtime::TestFolder folder;
    std::unique_ptr<runtime::RealCore> core = runtime::RealCore::Create();
    std::unique_ptr<MariaDbServer> first;
    std::unique_ptr<MariaDbServer> second;

    Shared() {
      core->RunUntilReturned("start", [&] {
        first = MariaDbServer::Start(*core, folder.File("first"));
        second = MariaDbServer::Start(*core, folder.File("second"));
      });
    }
  };

  static void SetUpTestSuite() {
    if (!shared_) shared_ = std::make_unique<Shared>();
  }

  static runtime::RealCore& core() { return *shared_->core; }
  static const MariaDbServer& first() { return *shared_->first; }
  static const MariaDbServer& second() { return *shared_->second; }
  static const std::string& folder() { return shared_->folder.path(); }
  static runtime::TimePoint soon() { return Soon(core()); }
  static void Run(std::function<void()> body) { core().RunUntilReturned("test", std::move(body)); }

 private:
  static inline std::unique_ptr<Shared> shared_;
};

}  // namespace tradewind::tests
