#include "sim/swarm.h"

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

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

// How fast a move is to go: by a rate, by latency with a setpoint, or as is usual.
void DrawPace(Random& random, json::object& request) {
  if (random.OneIn(2))
    request["rate_bytes_per_s"] = random.Between(uint64_t{200'000}, uint64_t{20'000'000});
  else if (random.OneIn(2))
    request["setpoint_ms"] = static_cast<double>(random.Between(uint64_t{2}, uint64_t{400})) / 10;
}

// A database without a table, of pages of this size (sqlite.org/fileformat2.html, section 1.3).
std::string EmptyDatabase(uint32_t page_size) {
  std::string page(page_size, '\0');
  const auto set = [&page](size_t at, size_t bytes, uint32_t number) {
    for (size_t i = bytes; i-- > 0; number >>= 8) page[at + i] = static_cast<char>(number & 0xff);
  };
  page.replace(0, 15, "SQLite format 3");
  set(16, 2, page_size == 65536 ? 1 : page_size);
  page[18] = page[19] = 1;  // No WAL.
  page[21] = 64;
  page[22] = page[23] = 32;
  set(24, 4, 1);  // The change counter, the pages, and what the latter is valid for.
  set(28, 4, 1);
  set(92, 4, 1);
  page[100] = 0x0d;  // The schema: a leaf without cells.
  set(105, 2, page_size == 65536 ? 0 : page_size);
  return page;
}

}  // namespace

// Which of the hosts has the catalog comes from the seed too.
SwarmShape DrawShape(const SwarmOptions& options) {
  Random random(options.seed ^ 0x5eed);
  SwarmShape shape;
  if (random.OneIn(2)) shape.hosts.pop_back();
  // Every other one with fewer open than there are, so that they close and open again all the time.
  if (options.seed % 2 == 0) shape.open_tenants = 2;
  if (options.draws_shape) {
    if (random.OneIn(4)) shape.hosts.push_back("n" + std::to_string(shape.hosts.size() + 1));
    shape.names = {"kept", "churn", "held", "spin", "kept-too"};
    shape.names.resize(random.Between(uint64_t{1}, uint64_t{5}));
    shape.page_size = std::vector<uint32_t>{512, 1024, 4096, 4096, 8192, 65536}[random.Below(6)];
    shape.administrators = static_cast<int>(random.Between(uint64_t{1}, uint64_t{3}));
    shape.writers = static_cast<int>(random.Between(uint64_t{0}, uint64_t{3}));
    shape.transactors = static_cast<int>(random.Between(uint64_t{1}, uint64_t{5}));
    shape.sessions = static_cast<int>(random.Between(uint64_t{0}, uint64_t{1}));
    shape.rows = random.OneIn(4) ? 0 : random.Between(uint64_t{5}, uint64_t{60});
  }
  std::swap(shape.hosts.front(), shape.hosts[random.Below(shape.hosts.size())]);
  if (options.draws_shape && random.OneIn(2)) shape.cores = random.Between(uint64_t{2}, uint64_t{4});
  if (options.draws_shape) shape.has_instance = random.OneIn(3);
  return shape;
}

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
        if (core.crashed()) return;  // What it says, nobody hears.
        who = core.host();
      }
      swarm_.Tell(
          fmt::format("{}: {}", who, std::string_view(message.payload.data(), message.payload.size())),
          /*of_node=*/true);
    }
    void flush_() override {}
    Swarm& swarm_;
  };

  const std::shared_ptr<spdlog::logger> before_;
};

Swarm::Swarm(SwarmOptions options)
    : listener_(std::make_unique<Listener>(*this)),
      options_(options),
      shape_(DrawShape(options)),
      cluster_(options.seed, hosts_, {.open_tenants = shape_.open_tenants, .cores = shape_.cores},
               [this](std::string_view checker, const std::string& what) {
                 Find(fmt::format("{}: {}", checker, what));
               }),
      history_([this](std::string what) { Find(std::move(what)); }) {
  for (const std::string& name : shape_.names)
    history_.AddName(name, name.front() == 'k' || name.front() == 'h');
}

Swarm::~Swarm() = default;

void Swarm::Tell(const std::string& line, bool of_node) {
  events_.push_back({now(), line, of_node});
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
  Tell(fmt::format("the nodes are {}; the catalog is on {}", fmt::join(hosts_, ", "), hosts_.front()));
  Tell(fmt::format("the tenants are {}, of pages of {} bytes if they are imported",
                   fmt::join(shape_.names, ", "), shape_.page_size));
  cluster_.InClient([this] { Begin(); });
  if (shape_.has_instance) load_ = std::make_unique<InstanceLoad>(cluster_, std::string(kSwarmInstance));
  for (int client = 0; client < shape_.administrators; ++client) Client("administers", &Swarm::Administer);
  for (int client = 0; client < shape_.writers; ++client) Client("writes", &Swarm::Write);
  for (int client = 0; client < shape_.transactors; ++client)
    Client("in transactions", &Swarm::InTransactions);
  for (int client = 0; client < shape_.sessions; ++client) Client("in sessions", &Swarm::InSessions);
  for (int round = 0; round < options_.rounds && findings_.empty(); ++round) Round();
  Settle();
  if (findings_.empty()) cluster_.InClient([this] { CheckOutcome(); });
  if (findings_.empty()) CheckFiles();
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

// Before any fault.
void Swarm::Begin() {
  if (!options_.draws_shape) return MakeFile();
  file_ = EmptyDatabase(shape_.page_size);
  if (shape_.has_instance) {
    const json::object request{{"name", kSwarmInstance}, {"engine", "mariadb"}, {"node", AnyHost()}};
    cluster_.Call(hosts_.front(), "POST", "/v1/tenants", json::serialize(request));
  }
  for (const std::string& tenant : shape_.names) {
    if (!history_.is_kept(tenant)) continue;
    if (random().OneIn(3))
      Create(tenant);
    else
      Import(tenant);
    for (uint64_t row = 0; row < shape_.rows; row += 20) Fill(tenant);
  }
}

// Twenty rows at once.
void Swarm::Fill(const std::string& tenant) {
  const auto client = ClientOf(tenant, AnyHost());
  load::HranaStream stream(client);
  std::vector<sql::Statement> statements = MakeTable();
  std::vector<int64_t> ids;
  statements.push_back(Plain("BEGIN"));
  for (int row = 0; row < 20; ++row) {
    ids.push_back(history_.Add(tenant, DrawLength(random()), /*open=*/false, now()));
    statements.push_back(Insert(ids.back(), tenant));
  }
  statements.push_back(Plain("COMMIT"));
  if (!stream.Execute(statements, /*then_close=*/true)) return;
  for (const int64_t id : ids) NoteAcknowledged(tenant, id);
}

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
  if (shape_.has_instance && random().OneIn(4)) return MoveInstance();
  const std::string tenant = AnyTenant();
  if (options_.mostly_moves && !random().OneIn(6)) return Move(tenant);
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
    Tell("a client has made " + tenant);
    history_.NoteMade(tenant, "created", sent, now());
  } else if (status != 409) {
    Tell(fmt::format("a client has perhaps made {}: {} {}", tenant, status, answer));
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
  Tell("a client has imported " + tenant);
  history_.NoteMade(tenant, "imported", sent, now());
}

void Swarm::Delete(const std::string& tenant) {
  if (history_.is_kept(tenant)) return;
  const size_t number = history_.BeginDelete(tenant, now());
  const int status = Call(AnyHost(), "DELETE", "/v1/tenants/" + tenant, "");
  history_.EndDelete(tenant, number, status == 0 || status >= 500 ? now() + kLateDelete : now(),
                     status == 204);
  if (status == 204) Tell("a client has deleted " + tenant);
}

// To one that the node may not have, now and then.
void Swarm::ChangeCore(const std::string& tenant) {
  const uint64_t core = random().Between(uint64_t{0}, uint64_t{shape_.cores});
  Tell(fmt::format("a client pins {} to core {}, answered {}", tenant, core,
                   Call(AnyHost(), "PATCH", "/v1/tenants/" + tenant, fmt::format(R"({{"core":{}}})", core))));
}

void Swarm::Move(const std::string& tenant) {
  if (shape_.cores > 1 && random().OneIn(3)) ChangeCore(tenant);
  json::object request{{"tenant", tenant}, {"to", AnyHost()}};
  DrawPace(random(), request);
  if (!request.contains("rate_bytes_per_s") && random().OneIn(3))
    request["finish_within_s"] = static_cast<double>(random().Between(uint64_t{1}, uint64_t{200})) / 10;
  if (random().OneIn(8))
    request["method"] = "stop-and-copy";
  else if (random().OneIn(3))
    request["warm_up"] = std::vector<const char*>{"none", "hot", "all"}[random().Below(3)];
  std::string answer;
  if (Call(AnyHost(), "POST", "/v1/moves", json::serialize(request), &answer) != 202) return;
  const std::string id(json::parse(answer).at("id").as_string());
  const std::string to(request.at("to").as_string());
  request.erase("tenant");
  request.erase("to");
  Tell(fmt::format("a client moves {} to {}: {} ({})", tenant, to, NameOfMove(id), json::serialize(request)));
  ChangeMove(tenant, id);
}

void Swarm::MoveInstance() {
  json::object request{{"tenant", kSwarmInstance}, {"to", AnyHost()}};
  if (random().OneIn(3)) DrawPace(random(), request);
  if (random().OneIn(2)) request["keep_source_s"] = static_cast<double>(random().Below(30)) / 10;
  if (random().OneIn(3)) request["compress"] = "zstd";
  std::string answer;
  const std::string asked = json::serialize(request);
  if (Call(AnyHost(), "POST", "/v1/moves", asked, &answer) != 202) return;
  const std::string id(json::parse(answer).at("id").as_string());
  Tell(fmt::format("a client moves {}: {} ({})", kSwarmInstance, NameOfMove(id), asked));
  ChangeMove(std::string(kSwarmInstance), id);
}

// While it is on, or when it is over.
void Swarm::ChangeMove(const std::string& tenant, const std::string& id) {
  if (random().OneIn(4)) {
    runtime::SleepFor(random().Between(1ms, 300ms));
    json::object change;
    DrawPace(random(), change);
    if (change.empty()) change["verify_again"] = true;
    const std::string set = json::serialize(change);
    Tell(fmt::format("a client sets {} of {}: {}, answered {}", id, tenant, set,
                     Call(AnyHost(), "PATCH", "/v1/moves/" + id, set)));
  }
  if (random().OneIn(3)) {
    runtime::SleepFor(random().Between(1ms, random().OneIn(3) ? 2s : 300ms));
    Tell(fmt::format("a client cancels {} of {}, answered {}", id, tenant,
                     Call(AnyHost(), "POST", "/v1/moves/" + id + "/cancel", "")));
  }
}

void Swarm::Drain() {
  const std::string host = AnyHost();
  Tell(fmt::format("a client drains {}, answered {}", host,
                   Call(AnyHost(), "POST", "/v1/nodes/" + host + "/drain", "{}")));
  PauseAtLength();
  Tell(fmt::format("a client undrains {}, answered {}", host,
                   Call(AnyHost(), "DELETE", "/v1/nodes/" + host + "/drain", "")));
}

void Swarm::Look(const std::string& tenant) {
  std::string answer;
  const runtime::TimePoint sent = now();
  if (Call(AnyHost(), "GET", "/v1/tenants/" + tenant, "", &answer) != 200) return;
  history_.NoteEpoch(tenant, json::parse(answer).at("epoch").to_number<int64_t>(), sent, now());
}

}  // namespace tradewind::sim
