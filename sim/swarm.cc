#include "sim/swarm.h"

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "sim/swarm_table.h"

namespace tradewind::sim {

using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr runtime::Duration kCallTime = 20s;
// How long after its answer was lost a delete may still happen.
constexpr runtime::Duration kLateDelete = 60s;

// Which of the hosts has the catalog comes from the seed too.
std::vector<std::string> DrawHosts(uint64_t seed) {
  Random random(seed ^ 0x5eed);
  std::vector<std::string> hosts = {"n1", "n2", "n3"};
  if (random.OneIn(2)) hosts.pop_back();
  std::swap(hosts.front(), hosts[random.Below(hosts.size())]);
  return hosts;
}

}  // namespace

// Has the log as long as it lives.
class Swarm::Listener {
 public:
  explicit Listener(Swarm& swarm) : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("", std::make_shared<Sink>(swarm)));
  }
  ~Listener() { spdlog::set_default_logger(before_); }

 private:
  class Sink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
   public:
    explicit Sink(Swarm& swarm) : swarm_(swarm) {}

   private:
    void sink_it_(const spdlog::details::log_msg& message) override {
      std::string who;
      if (runtime::CurrentFiber()) {
        const auto& core = static_cast<const SimCore&>(runtime::CurrentCore());
        who = core.host() + (core.crashed() ? " (down)" : "");
      }
      swarm_.Tell(
          fmt::format("    {}: {}", who, std::string_view(message.payload.data(), message.payload.size())));
    }
    void flush_() override {}
    Swarm& swarm_;
  };

  const std::shared_ptr<spdlog::logger> before_;
};

Swarm::Swarm(SwarmOptions options)
    : listener_(std::make_unique<Listener>(*this)),
      options_(options),
      hosts_(DrawHosts(options.seed)),
      // Every other one with fewer open than there are, so that they close and open again all the time.
      cluster_(options.seed, hosts_,
               {.open_tenants = options.seed % 2 == 0 ? std::optional<size_t>(2) : std::nullopt}),
      history_([this](std::string what) { Find(std::move(what)); }) {
  for (const char* name : {"kept", "held", "churn", "spin"})
    history_.AddName(name, *name == 'k' || *name == 'h');
}

Swarm::~Swarm() = default;

void Swarm::Tell(const std::string& line) {
  const auto at = std::chrono::duration<double>(now() - runtime::TimePoint{}).count();
  story_.push_back(fmt::format("{:9.4f} s  {}", at, line));
}

void Swarm::Find(std::string what) {
  Tell("WRONG: " + what);
  findings_.push_back(std::move(what));
}

std::string Swarm::AnyHost() {
  return hosts_[random().Below(hosts_.size())];
}

std::string Swarm::AnyTenant() {
  const std::vector<std::string> names = history_.names();
  return names[random().Below(names.size())];
}

// -- The run

void Swarm::Play() {
  Tell("the catalog is on " + hosts_.front());
  cluster_.InClient([this] { MakeFile(); });
  for (int client = 0; client < 3; ++client) Client("administers", &Swarm::Administer);
  for (int client = 0; client < 3; ++client) Client("writes", &Swarm::Write);
  for (int client = 0; client < 4; ++client) Client("in transactions", &Swarm::InTransactions);
  for (int client = 0; client < 2; ++client) Client("in sessions", &Swarm::InSessions);
  for (int round = 0; round < options_.rounds && findings_.empty(); ++round) Round();
  Settle();
  if (findings_.empty()) cluster_.InClient([this] { Judge(); });
  if (findings_.empty()) JudgeFiles();
}

void Swarm::Client(const std::string& name, void (Swarm::*act)()) {
  ++running_;
  cluster_.client().Spawn(name, [this, act] {
    while (!stopping_) {
      (this->*act)();
      runtime::SleepFor(random().Between(1ms, 60ms));
    }
    --running_;
  });
}

int Swarm::Call(const std::string& host, const std::string& method, const std::string& target,
                const std::string& body, std::string* answer) {
  net::HttpRequest request;
  request.method = method;
  request.headers.Set("content-type", "application/json");
  request.body = body;
  const auto response = cluster_.http().Call("http://" + host + ":8080" + target, request, now() + kCallTime);
  if (answer) *answer = response ? response->body : Describe(response.error());
  return response ? response->status : 0;
}

// -- Clients of the admin API

void Swarm::MakeFile() {
  cluster_.Call(hosts_.front(), "POST", "/v1/tenants", R"({"name":"mould"})");
  const auto client = ClientOf("mould", hosts_.front());
  load::HranaStream stream(client);
  if (const auto made = stream.Execute(MakeTable(), true); !made) Find(Describe(made.error()));
  const auto begun = cluster_.Call(hosts_.front(), "POST", "/v1/exports", R"({"tenant":"mould"})");
  const std::string path = "/v1/exports/" + std::string(begun.at("id").as_string());
  if (Call(hosts_.front(), "GET", path, "", &file_) != 200) Find("no file for imports: " + file_);
  Call(hosts_.front(), "DELETE", path, "");
  Call(hosts_.front(), "DELETE", "/v1/tenants/mould", "");
}

void Swarm::Administer() {
  const std::string tenant = AnyTenant();
  switch (random().Below(20)) {
    case 0:
    case 1:
    case 2:
    case 3: return Delete(tenant);
    case 4:
    case 5: return Import(tenant);
    case 6:
    case 7:
    case 8:
    case 9:
    case 10: return Move(tenant);
    case 11:
    case 12: return Create(tenant);
    case 13: return Drain();
    case 14:
    case 15:
    case 16: return Look(tenant);
    default: return Rush(tenant);
  }
}

// Several clients want the same name at once, and one may want it gone.
void Swarm::Rush(const std::string& tenant) {
  runtime::TaskGroup rush(cluster_.client());
  for (int client = 0; client < 4; ++client) {
    const auto act = client == 3 ? &Swarm::Import : &Swarm::Create;
    rush.Spawn("rush", [this, tenant, act] {
      runtime::SleepFor(random().Between(0ms, random().OneIn(2) ? 2ms : 60ms));
      (this->*act)(tenant);
    });
  }
  if (random().OneIn(2)) {
    runtime::SleepFor(random().Between(0ms, 20ms));
    Delete(tenant);
  }
  rush.Join();
}

void Swarm::Create(const std::string& tenant) {
  const json::object request{{"name", tenant}, {"node", AnyHost()}};
  std::string answer;
  const runtime::TimePoint sent = now();
  const int status = Call(AnyHost(), "POST", "/v1/tenants", json::serialize(request), &answer);
  if (status == 201) {
    Tell(tenant + " was created");
    history_.NoteMade(tenant, "created", sent, now());
  } else if (status != 409) {
    Tell(fmt::format("{} was perhaps created: {} {}", tenant, status, answer));
  }
}

void Swarm::Import(const std::string& tenant) {
  const std::string host = AnyHost();
  const json::object request{{"tenant", tenant}, {"size_bytes", file_.size()}, {"node", AnyHost()}};
  std::string answer;
  if (Call(host, "POST", "/v1/imports", json::serialize(request), &answer) != 201) return;
  const std::string path = "/v1/imports/" + std::string(json::parse(answer).at("id").as_string());
  if (Call(host, "PUT", path + "?offset=0", file_) != 204) return;
  const runtime::TimePoint sent = now();
  if (Call(host, "POST", path + "/commit", "") != 201) return;
  Tell(tenant + " was imported");
  history_.NoteMade(tenant, "imported", sent, now());
}

void Swarm::Delete(const std::string& tenant) {
  if (history_.is_kept(tenant)) return;
  const size_t number = history_.BeginDelete(tenant, now());
  const int status = Call(AnyHost(), "DELETE", "/v1/tenants/" + tenant, "");
  history_.EndDelete(tenant, number, status == 0 || status >= 500 ? now() + kLateDelete : now(),
                     status == 204);
  if (status == 204) Tell(tenant + " was deleted");
}

void Swarm::Move(const std::string& tenant) {
  json::object request{{"tenant", tenant}, {"to", AnyHost()}};
  if (random().OneIn(2))
    request["rate_bytes_per_s"] = random().Between(uint64_t{200'000}, uint64_t{20'000'000});
  if (random().OneIn(4)) request["warm_up"] = "hot";
  if (random().OneIn(8)) request["method"] = "stop-and-copy";
  std::string answer;
  if (Call(AnyHost(), "POST", "/v1/moves", json::serialize(request), &answer) != 202) return;
  const std::string id(json::parse(answer).at("id").as_string());
  Tell(fmt::format("{} moves to {} ({})", tenant, std::string(request.at("to").as_string()), id));
  if (!random().OneIn(3)) return;
  runtime::SleepFor(random().Between(1ms, 300ms));
  Tell(fmt::format("cancel {}: {}", id, Call(AnyHost(), "POST", "/v1/moves/" + id + "/cancel", "")));
}

void Swarm::Drain() {
  const std::string host = AnyHost();
  Tell(fmt::format("drain {}: {}", host, Call(AnyHost(), "POST", "/v1/nodes/" + host + "/drain", "{}")));
  PauseAtLength();
  Tell(fmt::format("undrain {}: {}", host, Call(AnyHost(), "DELETE", "/v1/nodes/" + host + "/drain", "")));
}

void Swarm::Look(const std::string& tenant) {
  std::string answer;
  const runtime::TimePoint sent = now();
  if (Call(AnyHost(), "GET", "/v1/tenants/" + tenant, "", &answer) != 200) return;
  history_.NoteEpoch(tenant, json::parse(answer).at("epoch").to_number<int64_t>(), sent, now());
}

}  // namespace tradewind::sim
