#include "zephyr/source.h"

#include <utility>

#include "base/limits.h"
#include "move/host.h"
#include "tenant/local_tenants.h"

namespace tradewind::zephyr {

namespace {

constexpr int kReadsBetweenTurns = 32;
constexpr size_t kNamedPages = 20;       // In an error about pages that differ.
constexpr uint64_t kSpareBits = 3 * 64;  // That a set has beyond the file.

// A free leaf does not travel: at both ends its hash is that of its number alone.
uint64_t HashFreeLeaf(PageNumber page) {
  return sqlite::HashPage(page, {});
}

// Whether a set can be of pages of the file: it is none at all (the destination has no copy open), or has a bit for each
// page, and holds no other.
bool FitsFile(const std::vector<uint64_t>& words, uint32_t pages) {
  if (words.empty()) return true;
  const uint64_t bits = uint64_t{words.size()} * 64;
  if (bits <= pages || bits > uint64_t{pages} + kSpareBits || (words[0] & 1) != 0) return false;
  for (uint64_t page = uint64_t{pages} + 1; page < bits; ++page)
    if ((words[page / 64] >> (page % 64)) & 1) return false;
  return true;
}

}  // namespace

Source::Source(move::SourceMove& move)
    : move_(move),
      core_(move.host().core()),
      tenant_(tenant::SqliteTenant(move.hosted())),
      store_(tenant_.store()),
      figures_(move.figures()) {}

Source::~Source() = default;

bool Source::is_small() const {
  return uint64_t{store_.page_count()} * store_.page_size() <= limits::kSmallTenantBytes;
}

move::Completion Source::MakeCompletion() const {
  SumPart sum;
  sum.pages = figures_.pages_total;
  for (const uint64_t hash : hashes_.span()) {
    sum.sum += hash;
    sum.sent += hash == 0 ? 0 : 1;
  }
  return {EncodePart(sum), sum.sum};
}

void Source::Describe(move::Receipt& receipt) const {
  receipt.refused_commits = store_.handed().refused_commits();
}

uint64_t Source::bytes_left(const move::SourceSession* session) const {
  uint64_t there = uint64_t{figures_.pages_wireframe} + figures_.pages_warm + figures_.pages_pulled +
                   figures_.pages_pushed;
  if (figures_.phase ==
      move::Phase::kInit)  // What has gone stale has been sent to no avail, a batch before it counts.
    there -= std::min<uint64_t>(there, store_.handed().stale_count());
  else if (session)
    there = channel_.sent.size();
  return (figures_.pages_total - std::min<uint64_t>(figures_.pages_total, there)) * store_.page_size();
}

// -- The hand-over

// New transactions wait here for one that goes back, and nothing is pulled any more: whatever lacks a page runs there in
// a moment. How long the write turn is waited for is the operator's to say.
Result<void> Source::Freeze(runtime::TimePoint) {
  tenant_.checkpoints().Stop();
  if (is_reverse()) {
    move_.Park();
    store_.arrival().StopPulls();
  } else {
    move_.AwaitQuiet();
  }
  holds_turn_ = tenant_.turn().Acquire(this, core_.Now() + move_.options().open_writer_grace);
  // Readers go on while what the last writer committed becomes durable.
  return tenant_.WaitDurable();
}

void Source::Thaw() {
  tenant_.checkpoints().Allow();
  ReleaseTurn();
}

void Source::ReleaseTurn() {
  if (std::exchange(holds_turn_, false)) tenant_.turn().Release(this);
}

// -- After the swap

Result<void> Source::Resume() {
  figures_.pages_total = store_.page_count();
  hashes_ = ZeroedArray<uint64_t>(figures_.pages_total);
  tenant_.checkpoints().Stop();
  TW_TRY(FindFrozenLeaves());
  store_.handed().StartSending();
  if (is_reverse())
    store_.handed().MakeReverseList({});
  else
    store_.handed().MakeList({});
  return {};
}

void Source::EndWriters() {
  FindRestOfWireframe();
  holds_turn_ = tenant_.turn().Acquire(this, core_.Now() + move_.options().open_writer_grace);
  ReleaseTurn();
}

// On every channel after the swap the destination first says what it has (docs/move.md, step 7). Its pulls are
// answered from then on, also while pages are read here: so what it lacks is forgotten before the first of
// those reads lets others run, and what a pull has noted since is kept.
Result<void> Source::GoOn(Session& session) {
  if (session.kind == move::OfferKind::kVerify) {
    hashes_ = ZeroedArray<uint64_t>(figures_.pages_total);  // To be made anew from what is here.
    TW_TRY(FindFrozenLeaves());
  }
  const auto arrived = sqlite::PageSet::FromWords(channel_.greeting.arrived);
  channel_.sent = sqlite::PageSet::FromWords(channel_.greeting.present);
  store_.handed().MarkHandedOver(channel_.sent);
  std::vector<PageNumber> unknown;  // Sent by an earlier process of this node, or to be read again.
  for (uint32_t value = 1; value <= figures_.pages_total; ++value) {
    const PageNumber page{value};
    uint64_t& hash = hashes_[value - 1];
    if (!arrived.Has(page)) {
      hash = 0;
    } else if (free_.Has(page)) {
      hash = HashFreeLeaf(page);
    } else if (hash == 0) {
      unknown.push_back(page);
    }
  }
  std::vector<std::byte> content(store_.page_size());
  for (size_t index = 0; index < unknown.size(); ++index) {
    if (index % kReadsBetweenTurns == 0) runtime::Yield();
    TW_TRY(store_.ReadNewest(unknown[index], content));  // It is frozen since.
    hashes_[unknown[index].value - 1] = sqlite::HashPage(unknown[index], content);
  }
  return {};
}

// What a restart has lost: the file is frozen, so the same leaves are free. On the way back it may lack pages, and it
// sent none as free.
Result<void> Source::FindFrozenLeaves() {
  sqlite::PageSet free(figures_.pages_total);
  if (!is_reverse()) {
    TW_TRY_ASSIGN(const auto leaves,
                  sqlite::FindFreeLeaves(store_.page_size(), store_.page_count(), Reader()));
    for (const PageNumber leaf : leaves) free.Add(leaf);
  }
  free_ = std::move(free);
  return {};
}

// Once ownership has passed: until then it would only keep the hand-over waiting, the longer the larger the
// tenant. Without it pulls are answered page by page.
void Source::FindRestOfWireframe() {
  if (read_ahead_ || is_reverse()) return;
  auto wireframe = sqlite::FindWireframe(store_.page_size(), store_.page_count(), Reader());
  if (!wireframe) return;
  wireframe_ = std::move(wireframe->pages);
  read_ahead_.emplace(store_.page_size(), std::move(wireframe->next_leaf));
}

// Reads newest versions for a walk through the file, and lets others run now and then.
sqlite::ReadPage Source::Reader() {
  return [this, reads = 0](PageNumber page, MutableBytes into) mutable -> Result<void> {
    if (++reads % kReadsBetweenTurns == 0) runtime::Yield();
    return store_.ReadNewest(page, into);
  };
}

// -- What is heard

tl::unexpected<Error> Source::OutOfTurn(const char* what) const {
  return Fail(ErrorKind::kCorrupt, std::string(move::kConfusedCode),
              "node " + move_.peer() + " sent " + std::string(what) + " out of turn");
}

bool Source::TakeGreeting(const Session& session, Bytes part) {
  auto greeting = DecodePart<GreetingPart>(part);
  if (!greeting) return false;
  channel_.greeting = std::move(*greeting);
  if (session.kind == move::OfferKind::kInit || session.kind == move::OfferKind::kReverse) return true;
  return FitsFile(channel_.greeting.arrived, figures_.pages_total) &&
         FitsFile(channel_.greeting.present, figures_.pages_total);
}

bool Source::IsInTurn(const Session& session, const Hashes& hashes) const {
  return session.sent_complete && !hashes.values.empty() && hashes.first.value == channel_.hashes_heard + 1 &&
         hashes.values.size() <= figures_.pages_total - channel_.hashes_heard;
}

Result<void> Source::Take(Session& session, move::EngineMessage raw) {
  TW_TRY_ASSIGN(const Message message, Decode(std::move(raw)));
  if (const auto* pull = std::get_if<Pull>(&message)) {
    if (!move_.MayOwn(session)) return OutOfTurn("a pull");
    return AnswerPull(session, pull->page);
  }
  if (const auto* ack = std::get_if<Ack>(&message)) {
    if (ack->bytes > channel_.window.in_flight()) return OutOfTurn("that it took more than was sent");
    channel_.window.NoteAck(ack->bytes, core_.Now());
  } else if (std::holds_alternative<Prepared>(message)) {
    if (!channel_.sent_prepare || channel_.prepared) return OutOfTurn("that it is prepared");
    channel_.prepared = true;
  } else if (const auto* hashes = std::get_if<Hashes>(&message)) {
    if (!IsInTurn(session, *hashes)) return OutOfTurn("hashes");
    channel_.hashes_heard += static_cast<uint32_t>(hashes->values.size());
    NoteDifferences(*hashes);
  } else {
    return OutOfTurn("a message of a source");
  }
  return {};
}

bool Source::TakeDone(Bytes part) {
  const auto figures = DecodePart<FiguresPart>(part);
  if (!figures) return false;
  figures_.pull_p50_us = figures->pull_p50_us;
  figures_.pull_p99_us = figures->pull_p99_us;
  return true;
}

void Source::NoteDifferences(const Hashes& hashes) {
  for (size_t index = 0; index < hashes.values.size(); ++index) {
    const uint64_t number = uint64_t{hashes.first.value} + index;
    if (number < 1 || number > hashes_.size() || hashes_[number - 1] == hashes.values[index]) continue;
    ++differing_count_;
    if (differing_.size() < kNamedPages) differing_.push_back(PageNumber{static_cast<uint32_t>(number)});
  }
}

std::optional<std::string> Source::TakeDifference() {
  if (differing_count_ == 0) return std::nullopt;
  std::string pages;
  for (const PageNumber page : differing_)
    pages += (pages.empty() ? ": " : ", ") + std::to_string(page.value);
  if (differing_count_ > differing_.size()) pages += ", ...";
  std::string text = std::to_string(differing_count_) + " of " + std::to_string(figures_.pages_total) +
                     " pages differ between the two nodes" + pages;
  differing_.clear();
  differing_count_ = 0;
  return text;
}

}  // namespace tradewind::zephyr
