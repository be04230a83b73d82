// The swarm's clients of tenants: writes, transactions over several requests, and what a session remembers.
#include <fmt/format.h>

#include "sim/swarm.h"
#include "sim/swarm_table.h"

namespace tradewind::sim {

using namespace std::chrono_literals;

sql::Statement Plain(std::string_view sql) {
  return {.sql = std::string(sql)};
}

std::vector<sql::Statement> MakeTable() {
  return {Plain("CREATE TABLE IF NOT EXISTS note (id INTEGER NOT NULL, tenant TEXT NOT NULL, mark TEXT, "
                "filler TEXT)"),
          Plain("CREATE INDEX IF NOT EXISTS note_by_id ON note (id)")};
}

load::HranaClient Swarm::ClientOf(const std::string& tenant, const std::string& host) {
  return *load::HranaClient::Make(cluster_.client(), cluster_.http(), "http://" + host + ":8080", tenant);
}

sql::Statement Swarm::Insert(int64_t id, const std::string& tenant) const {
  return {.sql = std::string(kInsert),
          .arguments = {id, tenant, DurabilityChecker::MarkOf(id),
                        std::string(history_.LengthOf(id), static_cast<char>('a' + id % kLetters))}};
}

std::set<int64_t> Swarm::CheckRead(const std::string& tenant, const sql::StatementResult& result, int64_t own,
                                   runtime::TimePoint sent) {
  return history_.CheckRead(tenant, result, own, sent, now());
}

void Swarm::NoteAcknowledged(const std::string& tenant, int64_t id) {
  history_.NoteAcknowledged(id, now());
  if (!history_.MayHaveBeenDeletedSince(id, now())) cluster_.checkers().durability().Acknowledged(tenant, id);
}

void Swarm::PauseAtLength() {
  runtime::SleepFor(random().Between(0ms, random().OneIn(4) ? 6s : 400ms));
}

uint64_t DrawLength(Random& random) {
  return random.OneIn(12) ? random.Between(uint64_t{4'000}, uint64_t{20'000})
                          : random.Between(uint64_t{0}, uint64_t{600});
}

void Swarm::Write() {
  const std::string tenant = AnyTenant();
  const auto client = ClientOf(tenant, AnyHost());
  load::HranaStream stream(client);
  const int64_t id = history_.Add(tenant, DrawLength(random()), /*open=*/false, now());
  std::vector<sql::Statement> statements = MakeTable();
  statements.push_back(Insert(id, tenant));
  statements.push_back(Plain(kReadAll));
  const runtime::TimePoint sent = now();
  const auto done = stream.Execute(statements, /*then_close=*/true);
  if (!done) return;
  NoteAcknowledged(tenant, id);
  if (!CheckRead(tenant, done->back(), 0, sent).contains(id) && history_.is_kept(tenant))
    Find(fmt::format("row {} of {} is not there right after its insert", id, tenant));
}

// One stream, some transactions, one after the other.
void Swarm::InTransactions() {
  const std::string tenant = AnyTenant();
  const auto client = ClientOf(tenant, AnyHost());
  load::HranaStream stream(client);
  do {
    const std::optional<int64_t> id = Transact(tenant, stream);
    if (!id) break;
    const bool last = random().OneIn(2);
    if (!stream.Execute({Plain("COMMIT")}, last)) return;
    NoteAcknowledged(tenant, *id);
    if (last) return;
    PauseAtLength();
  } while (!stopping_ && stream.open());
  if (const auto closed = stream.Close(); !closed && stream.open()) Tell("a stream could not be closed");
}

// Its row, when COMMIT is what comes next. Otherwise it is rolled back.
std::optional<int64_t> Swarm::Transact(const std::string& tenant, load::HranaStream& stream) {
  const int64_t id = history_.Add(tenant, DrawLength(random()), /*open=*/true, now());
  std::set<int64_t> read;
  const auto run = [&]() -> bool {
    const runtime::TimePoint sent = now();
    const auto before =
        stream.Execute({Plain(random().OneIn(3) ? "BEGIN IMMEDIATE" : "BEGIN"), Plain(kReadAll)});
    if (!before) return false;
    read = CheckRead(tenant, before->back(), id, sent);
    PauseAtLength();
    const auto again = stream.Execute({Plain(kReadAll)});
    if (!again) return false;
    if (CheckRead(tenant, again->back(), id, sent) != read)
      Find(fmt::format("two reads of {} in one transaction differ", tenant));
    if (!stream.Execute({Insert(id, tenant)})) return false;
    PauseAtLength();
    std::set<int64_t> wanted = read;
    wanted.insert(id);
    const auto with_own = stream.Execute({Plain(kReadAll)});
    if (!with_own) return false;
    if (CheckRead(tenant, with_own->back(), id, sent) != wanted)
      Find(fmt::format("a transaction of {} does not see its own row and what it saw before", tenant));
    return !random().OneIn(4);
  };
  if (run()) {
    history_.NoteCommitSent(id, std::move(read));
    return id;
  }
  history_.NoteRolledBack(id);
  return std::nullopt;
}

// What SQL sees of its connection stays, whatever becomes of the tenant; or the session is gone, and says so.
void Swarm::InSessions() {
  const std::string tenant = AnyTenant();
  const auto client = ClientOf(tenant, AnyHost());
  load::HranaStream stream(client);
  const int64_t id = history_.Add(tenant, DrawLength(random()), /*open=*/false, now());
  const auto before = stream.Execute({Insert(id, tenant), Plain(kReadSession)});
  if (before) NoteAcknowledged(tenant, id);
  for (int look = 0; look < 3 && before && stream.open(); ++look) {
    PauseAtLength();
    const auto after = stream.Execute({Plain(kReadSession)});
    if (!after) break;
    if (after->back().rows != before->back().rows)
      Find(fmt::format("a session of {} has forgotten its last insert", tenant));
  }
  if (const auto closed = stream.Close(); !closed && stream.open()) Tell("a stream could not be closed");
}

}  // namespace tradewind::sim
