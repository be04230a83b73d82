#include "sim/swarm_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace tradewind::sim {

namespace {

bool Holds(const std::set<int64_t>& larger, const std::set<int64_t>& smaller) {
  return std::includes(larger.begin(), larger.end(), smaller.begin(), smaller.end());
}

}  // namespace

// -- Names

std::vector<std::string> History::names() const {
  std::vector<std::string> names;
  for (const auto& [tenant, name] : names_) names.push_back(tenant);
  return names;
}

void History::NoteMade(const std::string& tenant, const char* how, runtime::TimePoint sent,
                       runtime::TimePoint now) {
  std::optional<Span>& made = names_.at(tenant).made;
  if (made && !MayHaveBeenDeleted(tenant, {std::min(made->from, sent), now}))
    find_(fmt::format("{} was {} although it was there", tenant, how));
  made = Span{sent, now};
}

size_t History::BeginDelete(const std::string& tenant, runtime::TimePoint now) {
  std::vector<Delete>& deletes = names_.at(tenant).deletes;
  deletes.push_back({{now, runtime::TimePoint::max()}});
  return deletes.size() - 1;
}

void History::EndDelete(const std::string& tenant, size_t number, runtime::TimePoint at_the_latest,
                        bool certain) {
  Delete& one = names_.at(tenant).deletes[number];
  one.span.to = at_the_latest;
  one.certain = certain;
}

bool History::MayHaveBeenDeleted(const std::string& tenant, Span span) const {
  const std::vector<Delete>& deletes = names_.at(tenant).deletes;
  return std::any_of(deletes.begin(), deletes.end(),
                     [&](const Delete& one) { return one.span.to >= span.from && one.span.from <= span.to; });
}

bool History::MustExist(const std::string& tenant, runtime::TimePoint now) const {
  const auto& made = names_.at(tenant).made;
  return made && !MayHaveBeenDeleted(tenant, {made->from, now});
}

void History::NoteEpoch(const std::string& tenant, int64_t epoch, runtime::TimePoint sent,
                        runtime::TimePoint now) {
  auto& epochs = names_.at(tenant).epochs;
  for (const auto& [shown, before] : epochs)
    if (shown <= sent && before > epoch)
      find_(fmt::format("{} is at epoch {} after it was at {}", tenant, epoch, before));
  if (epochs.empty() || epochs.back().second < epoch) epochs.emplace_back(now, epoch);
}

// -- Rows

int64_t History::Add(const std::string& tenant, uint64_t length, bool open, runtime::TimePoint now) {
  Row& row = rows_[next_row_];
  row.tenant = tenant;
  row.length = length;
  row.sent = now;
  row.state = open ? RowState::kOpen : RowState::kUnknown;
  return next_row_++;
}

void History::NoteCommitSent(int64_t id, std::optional<std::set<int64_t>> read) {
  rows_.at(id).state = RowState::kUnknown;
  rows_.at(id).read = std::move(read);
}

void History::NoteAcknowledged(int64_t id, runtime::TimePoint now) {
  rows_.at(id).state = RowState::kAcknowledged;
  rows_.at(id).sure = std::min(rows_.at(id).sure, now);
  ++acknowledged_;
}

void History::CheckRow(const std::string& tenant, const std::vector<sql::Value>& row, int64_t own,
                       runtime::TimePoint sent) {
  const auto* id = std::get_if<int64_t>(&row.at(0));
  const auto* name = std::get_if<std::string>(&row.at(1));
  const auto* length = std::get_if<int64_t>(&row.at(2));
  const auto* whole = std::get_if<int64_t>(&row.at(3));
  const auto found = id ? rows_.find(*id) : rows_.end();
  if (found == rows_.end()) return find_(fmt::format("{} has a row that nobody wrote", tenant));
  const Row& written = found->second;
  if (!name || *name != tenant || written.tenant != tenant)
    return find_(fmt::format("{} has row {} of {}", tenant, *id, written.tenant));
  if (!length || static_cast<uint64_t>(*length) != written.length || !whole || *whole != 1)
    find_(fmt::format("row {} of {} is not as it was written", *id, tenant));
  if (*id != own && written.state == RowState::kOpen)
    find_(fmt::format("row {} of {} is seen although its transaction is open", *id, tenant));
  if (written.state == RowState::kRolledBack)
    find_(fmt::format("row {} of {} is seen although it was rolled back", *id, tenant));
  for (const Delete& one : names_.at(tenant).deletes)
    if (one.certain && written.sure < one.span.from && one.span.to < sent)
      find_(fmt::format("row {} of {} is seen although its tenant was deleted", *id, tenant));
}

std::set<int64_t> History::CheckRead(const std::string& tenant, const sql::StatementResult& result,
                                     int64_t own, runtime::TimePoint sent, runtime::TimePoint now) {
  std::set<int64_t> ids;
  for (const auto& row : result.rows) {
    CheckRow(tenant, row, own, sent);
    if (const auto* id = std::get_if<int64_t>(&row.at(0)); id && !ids.insert(*id).second)
      find_(fmt::format("row {} of {} is there twice", *id, tenant));
  }
  for (auto& [id, row] : rows_) {
    if (row.tenant != tenant || id == own) continue;
    if (ids.contains(id))
      row.sure = std::min(row.sure, now);
    else if (row.sure <= sent && !MayHaveBeenDeleted(tenant, {row.sent, now}))
      find_(fmt::format("row {} of {} is not seen any more", id, tenant));
  }
  std::set<int64_t> state = ids;
  state.erase(own);
  if (is_kept(tenant)) CheckState(tenant, state);
  return ids;
}

void History::CheckState(const std::string& tenant, const std::set<int64_t>& state) {
  auto& states = names_.at(tenant).states;
  const auto [at, added] = states.emplace(state.size(), state);
  if (!added && at->second != state)
    return find_(fmt::format("two reads of {} belong to no one order", tenant));
  const bool after_earlier = at == states.begin() || Holds(state, std::prev(at)->second);
  const bool before_later = std::next(at) == states.end() || Holds(std::next(at)->second, state);
  if (!after_earlier || !before_later) find_(fmt::format("two reads of {} belong to no one order", tenant));
}

void History::CheckOrder() {
  for (const auto& [id, row] : rows_) {
    if (!row.read || row.sure == runtime::TimePoint::max() || !is_kept(row.tenant)) continue;
    const auto& states = names_.at(row.tenant).states;
    const auto next = states.upper_bound(row.read->size());
    if (next != states.end() && !next->second.contains(id))
      find_(fmt::format("something was committed in {} between what the transaction of row {} read and wrote",
                        row.tenant, id));
  }
}

}  // namespace tradewind::sim
