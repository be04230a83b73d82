#include "load/generator.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "net/http_client.h"
#include "runtime/test_core.h"

namespace tradewind::load {
namespace {

using namespace std::chrono_literals;

// Requests that call something of the test, and nobody else.
class CallsOfTest final : public Requests {
 public:
  explicit CallsOfTest(std::function<void()> call) : call_(std::move(call)) {}
  Request Draw(size_t, Random&) override {
    return {"call", [this](const HranaClient&) -> Result<void> {
              call_();
              return {};
            }};
  }

 private:
  const std::function<void()> call_;
};

class GeneratorTest : public testing::Test {
 protected:
  std::unique_ptr<Generator> Make(Requests& requests, int workers) {
    GeneratorOptions options;
    options.tenants = {"shop"};
    options.servers = {"http://127.0.0.1:1"};
    options.workers = workers;
    return Generator::Make(core_, *http_, requests, options).value();
  }
  void Run(const std::function<void()>& body) {
    core_.Run([&] {
      http_.emplace(core_);
      body();
      http_->Close();
    });
  }
  runtime::TestCore core_;
  std::optional<net::HttpClient> http_;
};

TEST_F(GeneratorTest, CountsTheLatencyOfArrivalsBehindAStallFromTheirOwnTimes) {
  Run([&] {
    runtime::Event released;
    CallsOfTest requests([&] { released.Wait(); });
    const auto generator = Make(requests, 1);
    generator->Start(MakeFixedArrivals({.steps = {{0, 1'000}}}));
    runtime::SleepFor(20ms);
    released.Set();
    generator->Stop();
    const std::vector<Sent>& sent = generator->sent();
    ASSERT_GE(sent.size(), 20u) << "what arrived during the stall is sent after it";
    for (size_t i = 1; i < sent.size(); ++i) {
      EXPECT_NEAR(sent[i].at_s - sent[i - 1].at_s, 1e-3, 1e-9);
      const double answered_s = sent[i].at_s + static_cast<double>(sent[i].latency_ns) / 1e9;
      EXPECT_GE(answered_s, 20e-3) << "it waited for the stall to end";
    }
  });
}

TEST_F(GeneratorTest, NeverSendsBeforeItsTime) {
  Run([&] {
    Generator* sending = nullptr;
    std::vector<double> sent_s;
    runtime::Event enough;
    CallsOfTest requests([&] {
      sent_s.push_back(sending->now_s());
      if (sent_s.size() == 30) enough.Set();
    });
    const auto generator = Make(requests, 4);
    sending = generator.get();
    generator->Start(MakeFixedArrivals({.steps = {{0, 2'000}}}));
    enough.Wait();
    generator->Stop();
    ASSERT_GE(generator->sent().size(), 30u);
    for (const Sent& sent : generator->sent()) EXPECT_GE(sent.latency_ns, 0);
    for (size_t i = 0; i < 30; ++i) EXPECT_GE(sent_s[i], generator->sent()[i].at_s);
  });
}

}  // namespace
}  // namespace tradewind::load
