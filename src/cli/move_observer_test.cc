#include "cli/move_observer.h"

#include <gtest/gtest.h>

#include <string>

#include "cli/client_command.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "runtime/real_core.h"

namespace tradewind::cli {
namespace {

namespace json = boost::json;

// A server whose clock is an hour behind: of its moves from n1 one was there before the drain of n1 that takes the other.
class DrainedElsewhere {
 public:
  explicit DrainedElsewhere(runtime::Core& core) : core_(core) {}

  net::HttpResponse Answer(const net::HttpRequest& request) {
    const double clock = static_cast<double>(core_.UnixMilliseconds()) - 3'600'000;
    if (request.method == "POST") {
      moves_.insert(moves_.begin(), Receipt("of the drain", "n1", clock));
      moves_.insert(moves_.begin(), Receipt("of another node", "n2", clock));
    } else if (moves_.empty()) {
      moves_.push_back(Receipt("earlier", "n1", clock));
    }
    net::HttpResponse response;
    response.body = json::serialize(request.path == "/v1/moves" ? json::object{{"moves", moves_}}
                                                                : json::object{{"state", "drained"}});
    return response;
  }

 private:
  static json::object Receipt(const std::string& id, const std::string& source, double at) {
    return {{"id", id},           {"source", source}, {"phase", "done"},
            {"verified", true},   {"tenant", "shop"}, {"destination", "n3"},
            {"method", "zephyr"}, {"started_at", at}, {"ended_at", at}};
  }

  runtime::Core& core_;
  json::array moves_;
};

TEST(MoveObserverTest, TheMovesOfADrainAreThoseThatWereNotThereBeforeWhateverTheClockOfTheCatalogSays) {
  const auto core = runtime::RealCore::Create();
  core->RunUntilReturned("test", [&] {
    DrainedElsewhere nodes(*core);
    const auto server = net::HttpServer::Start(
        *core, {"127.0.0.1", 0}, [&](const net::HttpRequest& request) { return nodes.Answer(request); });
    ASSERT_TRUE(server) << Describe(server.error());
    net::HttpClient http(*core);
    const runtime::TimePoint began = core->Now();
    const auto now_s = [&] { return std::chrono::duration<double>(core->Now() - began).count(); };
    MoveObserver observer(
        *core, AdminClient::Make(*core, http, "http://" + (*server)->local().ToString()).value(), now_s);
    observer.Plan(ParsePlannedDrain("n1@0s").value(), {});
    while (!observer.over()) runtime::Yield();
    observer.Join();
    EXPECT_TRUE(observer.ok());
    const json::array moves = observer.Json();
    EXPECT_EQ(moves.size(), 1u);
    for (const json::value& move : moves) {
      EXPECT_EQ(TextAt(move, "id"), "of the drain");
      EXPECT_GE(NumberAt(move, "from_t"), 0);
    }
    http.Close();
    (*server)->Stop();
  });
}

}  // namespace
}  // namespace tradewind::cli
