#include "sim/swarm.h"

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/log.h"
#include "cli/load/hrana_client.h"

namespace tradewind::sim {

using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr runtime::Duration kCallTime = 20s;
// How long after its answer was lost a delete may still happen.
constexpr runtime::Duration kLateDelete = 60s;
constexpr std::string_view kMakeTable =
    "CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, filler BLOB)";
constexpr std::string_view kInsert = "INSERT INTO note VALUES (?, ?, zeroblob(300))";
constexpr std::string_view kReadAll = "SELECT id, tenant FROM note";

// Which of the hosts has the catalog comes from the seed too.
std::vector<std::string> DrawHosts(uint64_t seed) {
  Random random(seed ^ 0x5eed);
  std::vector<std::string> hosts = {"n1", "n2", "n3"};
  if (random.OneIn(2)) hosts.pop_back();
  std::swap(hosts.front(), hosts[random.Below(hosts.size())]);
  return hosts;
}

sqlite::Statement Plain(std::string_view sql) {
  return {.sql = std::string(sql)};
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
      cluster_(options.seed, hosts_) {
  for (const char* name : {"kept", "held", "churn", "spin"}) names_[name].kept = *name == 'k' || *name == 'h';
}

Swarm::~Swarm() = default;

void Swarm::Tell(std::string line) {
  const auto at = std::chrono::duration<double>(cluster_.world().now() - runtime::TimePoint{}).count();
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
  return std::next(names_.begin(), static_cast<ptrdiff_t>(random().Below(names_.size())))->first;
}

// -- The run

void Swarm::Play() {
  cluster_.InClient([this] { MakeFile(); });
  for (int client = 0; client < 3; ++client) Client("administers", &Swarm::Administer);
  for (int client = 0; client < 3; ++client) Client("writes", &Swarm::Write);
  for (int client = 0; client < 5; ++client) Client("in transactions", &Swarm::InTransactions);
  for (int round = 0; round < options_.rounds && findings_.empty(); ++round) Round();
  Settle();
  if (findings_.empty()) cluster_.InClient([this] { Judge(); });
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
  request.body = body;
  const auto response = cluster_.http().Call("http://" + host + ":8080" + target, request, now() + kCallTime);
  if (answer) *answer = response ? response->body : Describe(response.error());
  return response ? response->status : 0;
}

// -- Clients of the admin API

void Swarm::MakeFile() {
  cluster_.Call(hosts_.front(), "POST", "/v1/tenants", R"({"name":"mould"})");
  const auto client =
      load::HranaClient::Make(cluster_.client(), cluster_.http(), cluster_.urls()[0], "mould");
  load::HranaStream stream(*client);
  if (const auto made = stream.Execute({Plain(kMakeTable)}, true); !made) Find(Describe(made.error()));
  const auto begun = cluster_.Call(hosts_.front(), "POST", "/v1/exports", R"({"tenant":"mould"})");
  const std::string path = "/v1/exports/" + std::string(begun.at("id").as_string());
  if (Call(hosts_.front(), "GET", path, "", &file_) != 200) Find("no file for imports: " + file_);
  Call(hosts_.front(), "DELETE", "/v1/tenants/mould", "");
}

void Swarm::Administer() {
  const std::string tenant = AnyTenant();
  switch (random().Below(8)) {
    case 0:
    case 1: return Delete(tenant);
    case 2: return Import(tenant);
    case 3:
    case 4: return Move(tenant);
    case 5: return Create(tenant);
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

bool Swarm::MayHaveBeenDeleted(const std::string& tenant, Span span) const {
  const std::vector<Span>& deletes = names_.at(tenant).deletes;
  return std::any_of(deletes.begin(), deletes.end(),
                     [&](const Span& one) { return one.to >= span.from && one.from <= span.to; });
}

void Swarm::NoteMade(const std::string& tenant, const char* how, runtime::TimePoint sent) {
  std::optional<Span>& made = names_[tenant].made;
  Tell(fmt::format("{} was {}", tenant, how));
  if (made && !MayHaveBeenDeleted(tenant, {std::min(made->from, sent), now()}))
    Find(fmt::format("{} was {} although it was there", tenant, how));
  made = Span{sent, now()};
}

void Swarm::Create(const std::string& tenant) {
  const json::object request{{"name", tenant}, {"node", AnyHost()}};
  std::string answer;
  const runtime::TimePoint sent = now();
  const int status = Call(AnyHost(), "POST", "/v1/tenants", json::serialize(request), &answer);
  if (status == 201) NoteMade(tenant, "created", sent);
  if (status == 0) Tell(fmt::format("{} was perhaps created: {}", tenant, answer));
}

void Swarm::Import(const std::string& tenant) {
  const std::string host = AnyHost();
  const json::object request{{"tenant", tenant}, {"size_bytes", file_.size()}, {"node", AnyHost()}};
  std::string answer;
  if (Call(host, "POST", "/v1/imports", json::serialize(request), &answer) != 201) return;
  const std::string path = "/v1/imports/" + std::string(json::parse(answer).at("id").as_string());
  if (Call(host, "PUT", path + "?offset=0", file_) != 204) return;
  const runtime::TimePoint sent = now();
  if (Call(host, "POST", path + "/commit", "") == 201) NoteMade(tenant, "imported", sent);
}

void Swarm::Delete(const std::string& tenant) {
  Name& name = names_[tenant];
  if (name.kept) return;
  const size_t own = name.deletes.size();
  name.deletes.push_back({now(), runtime::TimePoint::max()});
  const int status = Call(AnyHost(), "DELETE", "/v1/tenants/" + tenant, "");
  name.deletes[own].to = status == 0 || status >= 500 ? now() + kLateDelete : now();
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
  moves_.push_back(id);
  Tell(fmt::format("{} moves to {} ({})", tenant, std::string(request.at("to").as_string()), id));
  if (!random().OneIn(3)) return;
  runtime::SleepFor(random().Between(1ms, 300ms));
  Tell(fmt::format("cancel {}: {}", id, Call(AnyHost(), "POST", "/v1/moves/" + id + "/cancel", "")));
}

// -- Clients of tenants

int64_t Swarm::AddRow(const std::string& tenant, RowState state) {
  rows_[next_row_] = Row{tenant, now(), state};
  return next_row_++;
}

std::set<int64_t> Swarm::CheckRead(const std::string& tenant, const sqlite::StatementResult& result,
                                   int64_t own) {
  std::set<int64_t> ids;
  for (const auto& row : result.rows) {
    const int64_t id = std::get<int64_t>(row[0]);
    const std::string& name = std::get<std::string>(row[1]);
    ids.insert(id);
    const auto found = rows_.find(id);
    if (found == rows_.end()) {
      Find(fmt::format("{} has row {}, which nobody wrote", tenant, id));
    } else if (name != tenant || found->second.tenant != tenant) {
      Find(fmt::format("{} has row {} of {}", tenant, id, found->second.tenant));
    } else if (id != own && found->second.state == RowState::kOpen) {
      Find(fmt::format("row {} of {} is seen although its transaction is open", id, tenant));
    } else if (found->second.state == RowState::kRolledBack) {
      Find(fmt::format("row {} of {} is seen although it was rolled back", id, tenant));
    }
  }
  return ids;
}

void Swarm::Write() {
  const std::string tenant = AnyTenant();
  const auto client =
      load::HranaClient::Make(cluster_.client(), cluster_.http(), "http://" + AnyHost() + ":8080", tenant);
  load::HranaStream stream(*client);
  const int64_t id = AddRow(tenant, RowState::kUnknown);
  const auto done = stream.Execute(
      {Plain(kMakeTable), {.sql = std::string(kInsert), .arguments = {id, tenant}}, Plain(kReadAll)},
      /*then_close=*/true);
  if (!done) return;
  rows_[id].state = RowState::kAcknowledged;
  ++acknowledged_;
  if (!CheckRead(tenant, done->back(), id).contains(id) && names_[tenant].kept)
    Find(fmt::format("row {} of {} is not there right after its insert", id, tenant));
}

void Swarm::InTransactions() {
  const std::string tenant = AnyTenant();
  const auto client =
      load::HranaClient::Make(cluster_.client(), cluster_.http(), "http://" + AnyHost() + ":8080", tenant);
  load::HranaStream stream(*client);
  const int64_t id = AddRow(tenant, RowState::kOpen);
  const auto pause = [this] { runtime::SleepFor(random().Between(0ms, random().OneIn(3) ? 6s : 400ms)); };
  const auto transact = [&]() -> bool {
    const auto before = stream.Execute({Plain("BEGIN"), Plain(kReadAll)});
    if (!before) return false;
    const std::set<int64_t> first = CheckRead(tenant, before->back(), id);
    pause();
    const auto again = stream.Execute({Plain(kReadAll)});
    if (!again) return false;
    if (CheckRead(tenant, again->back(), id) != first)
      Find(fmt::format("two reads of {} in one transaction differ", tenant));
    if (!stream.Execute({{.sql = std::string(kInsert), .arguments = {id, tenant}}})) return false;
    pause();
    std::set<int64_t> wanted = first;
    wanted.insert(id);
    const auto with_own = stream.Execute({Plain(kReadAll)});
    if (!with_own) return false;
    if (CheckRead(tenant, with_own->back(), id) != wanted)
      Find(fmt::format("a transaction of {} does not see its own row and what it saw before", tenant));
    return !random().OneIn(4);
  };
  if (!transact()) {
    rows_[id].state = RowState::kRolledBack;
    if (const auto closed = stream.Close(); !closed && stream.open()) Tell("a stream could not be closed");
    return;
  }
  rows_[id].state = RowState::kUnknown;
  if (!stream.Execute({Plain("COMMIT")}, /*then_close=*/true)) return;
  rows_[id].state = RowState::kAcknowledged;
  ++acknowledged_;
}

// -- Faults

void Swarm::Let(runtime::Duration time) {
  cluster_.world().RunUntil([this] { return !findings_.empty(); }, time);
}

void Swarm::Round() {
  std::vector<void (Swarm::*)()> faults;
  if (options_.crashes) faults.push_back(&Swarm::GoDown);
  if (options_.cuts) faults.push_back(&Swarm::CutLinks);
  if (options_.full_disks) faults.push_back(&Swarm::FillDisk);
  if (options_.flipped_bits) faults.push_back(&Swarm::FlipBits);
  if (options_.second_nodes) faults.push_back(&Swarm::StartSecondNode);
  Let(random().Between(10ms, 1500ms));
  if (!faults.empty()) (this->*faults[random().Below(faults.size())])();
}

void Swarm::GoDown() {
  const std::string host = AnyHost();
  const bool power_lost = random().OneIn(2);
  Tell(host + (power_lost ? " loses power" : " is killed"));
  cluster_.TakeDown(host, power_lost);
  Let(random().Between(0ms, 3000ms));
  Tell(host + " starts again");
  cluster_.BringBack();
}

void Swarm::CutLinks() {
  const std::string one = AnyHost();
  const std::string other = AnyHost();
  if (one == other) return;
  Tell("the link between " + one + " and " + other + " is cut");
  cluster_.world().CutLink(one, other);
  Let(random().Between(10ms, 8000ms));
  Tell("the link between " + one + " and " + other + " is whole");
  cluster_.world().HealLink(one, other);
}

void Swarm::FillDisk() {
  const std::string host = AnyHost();
  Tell("the disk of " + host + " fills");
  cluster_.world().SetDiskCapacity(host, random().Below(64u << 10));
  Let(random().Between(10ms, 4000ms));
  Tell("the disk of " + host + " has room");
  cluster_.world().SetDiskCapacity(host, UINT64_MAX);
}

void Swarm::FlipBits() {
  const std::string one = AnyHost();
  const std::string other = AnyHost();
  if (one == other) return;
  Tell("bits flip between " + one + " and " + other);
  cluster_.world().DamageLink(one, other, 20'000);
  Let(random().Between(10ms, 4000ms));
  cluster_.world().DamageLink(one, other, 0);
}

void Swarm::StartSecondNode() {
  const std::string name = hosts_.back();
  Tell("a second node is started as " + name);
  const std::string refusal = cluster_.TryStart("second", name, /*replace=*/false);
  if (refusal.empty())
    Find("a second node was let in as " + name);
  else
    Tell("it is refused: " + refusal);
}

// -- Judgement

void Swarm::Settle() {
  stopping_ = true;
  if (!cluster_.world().RunUntil([this] { return running_ == 0; }, 10min))
    Find("a client never gets an answer");
}

void Swarm::Judge() {
  for (const std::string& id : moves_) {
    if (Call(hosts_.front(), "GET", "/v1/moves/" + id, "") == 404) continue;  // It never began.
    cluster_.AwaitMove(id);
  }
  const json::value listed = cluster_.Call(hosts_.back(), "GET", "/v1/tenants");
  std::map<std::string, std::string> owners;
  for (const json::value& tenant : listed.at("tenants").as_array())
    owners[std::string(tenant.at("name").as_string())] = std::string(tenant.at("owner").as_string());
  for (const auto& [tenant, name] : names_) {
    const auto owner = owners.find(tenant);
    if (owner != owners.end()) JudgeTenant(tenant, owner->second);
    if (owner == owners.end() && name.made && !MayHaveBeenDeleted(tenant, {name.made->from, now()}))
      Find(tenant + " is gone");
    for (const std::string& host : hosts_) {
      if (owner != owners.end() && host == owner->second) continue;
      const runtime::TimePoint patience = now() + 1min;
      while (cluster_.HasFile(host, tenant) && now() < patience) runtime::SleepFor(10ms);
      if (cluster_.HasFile(host, tenant)) Find(host + " has a file of " + tenant + ", which it does not own");
    }
  }
}

void Swarm::JudgeTenant(const std::string& tenant, const std::string& owner) {
  if (!cluster_.HasFile(owner, tenant)) Find(fmt::format("{} owns {} and has no file of it", owner, tenant));
  for (const std::string& host : hosts_) {
    const auto client =
        load::HranaClient::Make(cluster_.client(), cluster_.http(), "http://" + host + ":8080", tenant);
    const runtime::TimePoint patience = now() + 2min;
    while (true) {
      load::HranaStream stream(*client);
      const auto read = stream.Execute({Plain("PRAGMA integrity_check"), Plain(kMakeTable), Plain(kReadAll)},
                                       /*then_close=*/true);
      if (!read && now() < patience) {
        runtime::SleepFor(100ms);
        continue;
      }
      if (!read)
        return Find(fmt::format("{} does not serve through {}: {}", tenant, host, Describe(read.error())));
      const std::string integrity = std::get<std::string>((*read)[0].rows.at(0).at(0));
      if (integrity != "ok") Find(fmt::format("{} is damaged: {}", tenant, integrity));
      const std::set<int64_t> ids = CheckRead(tenant, read->back(), 0);
      for (const auto& [id, row] : rows_) {
        const bool must_be_there = row.tenant == tenant && row.state == RowState::kAcknowledged &&
                                   !MayHaveBeenDeleted(tenant, {row.sent, runtime::TimePoint::max()});
        if (must_be_there && !ids.contains(id)) Find(fmt::format("row {} of {} is lost", id, tenant));
      }
      break;
    }
  }
}

}  // namespace tradewind::sim
