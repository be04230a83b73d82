// What is looked at when a swarm's faults are over.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/limits.h"
#include "sim/swarm.h"
#include "sim/swarm_table.h"

namespace tradewind::sim {

using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

// For what must be over by itself when nothing is wrong any more.
constexpr runtime::Duration kPatience = 2min;
// A file that was sent and not committed goes when it has been idle for limits::kTransferIdle.
constexpr runtime::Duration kFilePatience = 10min;

}  // namespace

void Swarm::Settle() {
  stopping_ = true;
  if (!cluster_.world().RunUntil([this] { return running_ == 0; }, 10min))
    Find("a client never gets an answer");
}

void Swarm::CheckOutcome() {
  // The connection with a node that lost its power may still have to end, so this is asked until it is answered.
  for (const std::string& host : hosts_)
    cluster_.Call(hosts_.front(), "DELETE", "/v1/nodes/" + host + "/drain");
  AwaitMoves();
  const std::map<std::string, std::string> owners = Owners();
  for (const std::string& tenant : history_.names())
    if (!owners.contains(tenant) && history_.MustExist(tenant, now())) Find(tenant + " is gone");
  if (load_ && !owners.contains(std::string(kSwarmInstance))) Find(fmt::format("{} is gone", kSwarmInstance));
  for (const auto& [tenant, owner] : owners) CheckServed(tenant);
  history_.CheckOrder();
  for (const auto& [tenant, owner] : owners) {
    if (!findings_.empty()) return;
    CheckMoves(tenant, owner);
    CheckServed(tenant);
  }
  if (findings_.empty() && load_) {
    load_->Stop();
    runtime::SleepFor(2s);
    if (std::string wrong = load_->Verify(owners.at(std::string(kSwarmInstance))); !wrong.empty())
      Find(std::move(wrong));
  }
  if (findings_.empty()) CheckFreshNames();
}

// Those of the clients and of drains. One that waits for its tenant's name, behind a change of its core say, is in no
// list yet; it waits no longer than a call between nodes may take.
void Swarm::AwaitMoves() {
  runtime::SleepFor(limits::kNodeCall);
  const runtime::TimePoint patience = now() + kPatience;
  std::string moving = "?";
  while (!moving.empty() && now() < patience) {
    std::string answer;
    if (Call(hosts_.front(), "GET", "/v1/moves", "", &answer) == 200) {
      moving.clear();
      const json::value listed = json::parse(answer);
      for (const json::value& move : listed.at("moves").as_array()) {
        const auto& phase = move.at("phase").as_string();
        if (phase != "done" && phase != "cancelled") moving = json::serialize(move);
      }
    }
    if (!moving.empty()) runtime::SleepFor(50ms);
  }
  if (!moving.empty()) Find("a move does not end: " + moving);
}

// As every node lists them. A tenant of which nobody knows yet whether it was made may be made between two lists, once.
std::map<std::string, std::string> Swarm::Owners() {
  constexpr int kLooks = 3;
  std::map<std::string, std::string> owners;
  for (int look = 1; look <= kLooks; ++look) {
    bool differ = false;
    for (const std::string& host : hosts_) {
      const json::value listed = cluster_.Call(host, "GET", "/v1/tenants");
      std::map<std::string, std::string> seen;
      for (const json::value& tenant : listed.at("tenants").as_array())
        seen[std::string(tenant.at("name").as_string())] = std::string(tenant.at("owner").as_string());
      differ |= host != hosts_.front() && seen != owners;
      owners = std::move(seen);
    }
    if (!differ) return owners;
  }
  Find("two nodes list different tenants");
  return owners;
}

// Its clients get on.
void Swarm::CheckInstanceServed() {
  const size_t wanted = load_->acknowledged().size() + 5;
  const runtime::TimePoint patience = now() + kPatience;
  while (load_->acknowledged().size() < wanted && now() < patience) runtime::SleepFor(20ms);
  if (load_->acknowledged().size() < wanted) Find(fmt::format("{} does not serve", kSwarmInstance));
}

void Swarm::CheckServed(const std::string& tenant) {
  if (tenant == kSwarmInstance) return CheckInstanceServed();
  for (const std::string& host : hosts_) {
    const auto client = ClientOf(tenant, host);
    const runtime::TimePoint patience = now() + kPatience;
    while (true) {
      load::HranaStream stream(client);
      std::vector<sql::Statement> statements = MakeTable();
      statements.push_back(Plain("PRAGMA integrity_check"));
      statements.push_back(Plain(kReadAll));
      const runtime::TimePoint sent = now();
      const auto read = stream.Execute(statements, /*then_close=*/true);
      if (!read && now() < patience) {
        runtime::SleepFor(100ms);
        continue;
      }
      if (!read)
        return Find(fmt::format("{} does not serve through {}: {}", tenant, host, Describe(read.error())));
      const auto& integrity = std::get<std::string>((*read)[2].rows.at(0).at(0));
      if (integrity != "ok") Find(fmt::format("{} is damaged: {}", tenant, integrity));
      CheckRead(tenant, read->back(), 0, sent);
      break;
    }
  }
}

// To each other node, and back.
void Swarm::CheckMoves(const std::string& tenant, const std::string& owner) {
  std::vector<std::string> stations;
  for (const std::string& host : hosts_)
    if (host != owner) stations.push_back(host);
  stations.push_back(owner);
  for (const std::string& host : stations) {
    const json::object receipt = cluster_.AwaitMove(cluster_.StartMove(tenant, host));
    const json::value* const phase = receipt.if_contains("phase");
    if (!phase || phase->as_string() != "done")
      return Find(fmt::format("{} cannot be moved to {}: {}", tenant, host, json::serialize(receipt)));
  }
}

void Swarm::CheckFreshNames() {
  for (const std::string& host : hosts_) {
    const std::string name = "fresh-" + host;
    std::string answer;
    const auto make = [&] {
      return Call(AnyHost(), "POST", "/v1/tenants",
                  json::serialize(json::object{{"name", name}, {"node", host}}), &answer);
    };
    int made = make();
    // Over a connection that was kept from before its node went down: perhaps it is made, and perhaps not.
    if (made == 504) made = Call(AnyHost(), "GET", "/v1/tenants/" + name, "", &answer) == 200 ? 201 : make();
    if (made != 201) {
      Find(fmt::format("{} cannot be made on {}: {}", name, host, answer));
      continue;
    }
    const auto remove = [&] { return Call(AnyHost(), "DELETE", "/v1/tenants/" + name, "", &answer); };
    int removed = remove();
    // The same.
    if (removed == 504)
      removed = Call(AnyHost(), "GET", "/v1/tenants/" + name, "", &answer) == 404 ? 204 : remove();
    if (removed != 204) Find(fmt::format("{} cannot be deleted: {}", name, answer));
  }
}

void Swarm::CheckFiles() {
  std::string stray = "?";
  const runtime::TimePoint patience = now() + kFilePatience;
  while (!stray.empty() && now() < patience) {
    // Asked anew: a tenant of which no client knows whether it was made may be made meanwhile.
    std::map<std::string, std::string> owners;
    cluster_.InClient([&] { owners = Owners(); });
    stray = StrayFile(owners);
    if (!stray.empty()) Let(1s);
  }
  if (!stray.empty()) Find(stray);
}

// What is not as it must be; "" when all is.
std::string Swarm::StrayFile(const std::map<std::string, std::string>& owners) {
  for (const std::string& host : hosts_) {
    std::set<std::string> files;
    for (const std::string& file : cluster_.FilesOf(host, "/data/tenants")) files.insert(file);
    const auto& entries = cluster_.node(host).journal().entries();
    for (const auto& [tenant, owner] : owners) {
      if (owner != host) continue;
      if (files.erase(tenant + (tenant == kSwarmInstance ? ".mariadb" : ".db")) == 0)
        return fmt::format("{} owns {} and has no file of it", host, tenant);
      files.erase(tenant + ".db-wal");
      const auto entry = entries.find(tenant);
      if (entry == entries.end() || entry->second.role != move::Role::kOwned)
        return fmt::format("the journal of {} does not say that it owns {}", host, tenant);
    }
    if (!files.empty()) return fmt::format("{} has {}, which belongs to nobody", host, *files.begin());
    for (const auto& [tenant, entry] : entries)
      if (!owners.contains(tenant) || owners.at(tenant) != host)
        return fmt::format("the journal of {} speaks of {}, which it does not own", host, tenant);
    for (const char* folder : {"/data/transfers", "/data/removed"})
      for (const std::string& file : cluster_.FilesOf(host, folder))
        return fmt::format("{} has {}/{}, which is of no use", host, folder, file);
  }
  return "";
}

}  // namespace tradewind::sim
