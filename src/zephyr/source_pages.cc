// The half of Source that reads and sends pages. Each page that leaves is added to the sum of hashes by which
// the two ends are compared, in any order.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "move/host.h"
#include "sqlite/wireframe.h"
#include "zephyr/source.h"

namespace tradewind::zephyr {

namespace {

constexpr int kWarmUpPasses = 3;
constexpr size_t kSparePages = 1024;  // For what the tenant grows by until its hand-over.

// A free leaf does not travel: at both ends its hash is that of its number alone.
uint64_t HashFreeLeaf(PageNumber page) {
  return sqlite::HashPage(page, {});
}

// Of pages as they travel. `hashes` grows with a tenant that has grown.
void NoteHashes(const Pages& batch, ZeroedArray<uint64_t>& hashes) {
  if (batch.numbers.empty()) return;
  const size_t page_size = batch.contents.size() / batch.numbers.size();
  for (size_t index = 0; index < batch.numbers.size(); ++index) {
    const PageNumber page = batch.numbers[index];
    if (hashes.size() < page.value) hashes.Resize(page.value);
    hashes[page.value - 1] =
        sqlite::HashPage(page, Bytes(batch.contents).subspan(index * page_size, page_size));
  }
}

}  // namespace

size_t Source::batch_pages() const {
  return std::max<size_t>(1, PushBytes(move_.pace().rate(), channel_.window.size()) / store_.page_size());
}

// In the background: at the throttle's pace, and never further ahead of the destination than the window. A small
// tenant is a few messages, which need no lane of their own.
Result<void> Source::Push(Session& session, const Pages& pages, Turn turn) {
  using Cause = pace::Bottleneck::Cause;
  move::SourcePace& pace = move_.pace();
  pace.NoteCause(Cause::kDisk);  // Up to here it was read.
  if (turn == Turn::kPaced)
    // Not when the move is being given up: what waits here must not keep it.
    pace.Await(pages.contents.size(), [&] { return session.lost || move_.is_ending(); });
  else
    pace.TakeUrgent(pages.contents.size());
  pace.NoteCause(Cause::kPace);
  WaitFor(move_.news(), [&] { return channel_.window.HasRoom() || session.lost; });
  if (session.lost) return Fail(*session.lost);
  pace.NoteCause(Cause::kPeer);
  channel_.window.NoteSent(pages.contents.size(), core_.Now());
  const move::Urgency urgency = is_small() ? move::Urgency::kUrgent : move::Urgency::kBulk;
  channel_.sent_in_bulk |= urgency == move::Urgency::kBulk;
  TW_TRY(session.channel->Send(EncodePages(pages), urgency));
  runtime::Yield();
  pace.NoteCause(Cause::kNetwork);
  pace.NoteSent(move_.bytes_sent());
  return {};
}

// -- Init

Result<void> Source::Prepare(Session& session) {
  figures_.pages_total = store_.page_count();
  if (is_reverse()) return {};
  store_.handed().StartSending();
  hashes_ = ZeroedArray<uint64_t>(store_.page_count(), store_.page_count() / 8 + kSparePages);
  figures_.pages_warm = 0;
  if (move_.options().method == move::Method::kStopAndCopy) TW_TRY(move_.BeginHandOver());
  TW_TRY_ASSIGN(wireframe_, sqlite::FindWireframeTop(store_.page_size(), store_.page_count(), Reader(),
                                                     limits::kWireframeTopBytes / store_.page_size()));
  read_ahead_.reset();
  figures_.pages_wireframe = 0;
  TW_TRY(SendForInit(session, wireframe_, Turn::kAtOnce, figures_.pages_wireframe));
  TW_TRY(SendWarmUp(session));
  move_.host().Reached(move::Step::kSourceSentInit);
  return SendPrepare(session);
}

Result<void> Source::SendWarmUp(Session& session) {
  const move::MoveOptions& options = move_.options();
  const bool all =
      options.warm_up == move::WarmUp::kAll || options.method == move::Method::kStopAndCopy || is_small();
  if (!all && options.warm_up == move::WarmUp::kNone) return {};
  for (int pass = 0; pass < kWarmUpPasses; ++pass) {
    TW_TRY_ASSIGN(const std::vector<PageNumber> pages, PagesForInit());
    if (pages.empty()) break;
    TW_TRY(SendForInit(session, pages, Turn::kPaced, figures_.pages_warm));
    // What has gone stale meanwhile is worth another pass only of a warm-up that took its time.
    if (!all || is_small()) break;
  }
  return {};
}

std::vector<PageNumber> Source::HotPages() const {
  const uint64_t bytes = std::min<uint64_t>(
      limits::kHotBytes, uint64_t{store_.page_count()} * store_.page_size() / limits::kHotShare);
  return store_.HotPages(bytes / store_.page_size());
}

// What a pass of the warm-up sends: in the order of the file, so that neighbours are read and written at
// once.
Result<std::vector<PageNumber>> Source::PagesForInit() {
  std::vector<PageNumber> pages;
  if (move_.options().warm_up == move::WarmUp::kHot && !is_small()) {
    pages = HotPages();
    std::sort(pages.begin(), pages.end());
  } else {
    TW_TRY_ASSIGN(const auto leaves,
                  sqlite::FindFreeLeaves(store_.page_size(), store_.page_count(), Reader()));
    sqlite::PageSet free(store_.page_count());
    for (const PageNumber leaf : leaves) free.Add(leaf);
    for (uint32_t value = 1; value <= store_.page_count(); ++value)
      if (!free.Has(PageNumber{value})) pages.push_back(PageNumber{value});
  }
  std::erase_if(pages, [this](PageNumber page) { return store_.handed().IsSentAndClean(page); });
  return pages;
}

Result<void> Source::SendForInit(Session& session, std::span<const PageNumber> pages, Turn turn,
                                 uint32_t& sent) {
  const size_t page_size = store_.page_size();
  while (!pages.empty()) {
    Pages batch;
    batch.pushed = true;
    for (; !pages.empty() && batch.numbers.size() < batch_pages(); pages = pages.subspan(1))
      if (pages.front().value <= store_.page_count())
        batch.numbers.push_back(pages.front());  // Not cut off since.
    if (batch.numbers.empty()) continue;
    batch.contents.resize(batch.numbers.size() * page_size);
    TW_TRY(store_.handed().TakeForInit(batch.numbers, batch.contents));
    NoteHashes(batch, hashes_);
    TW_TRY(Push(session, batch, turn));
    sent += static_cast<uint32_t>(batch.numbers.size());
  }
  return {};
}

// What the destination can make durable now need not be made durable while requests wait. It comes on the urgent
// lane, so the pages have to be there before it: also those of a tenant that has become small meanwhile.
Result<void> Source::SendPrepare(Session& session) {
  if (channel_.sent_in_bulk)
    WaitFor(move_.news(), [&] { return channel_.window.in_flight() == 0 || session.lost; });
  channel_.sent_prepare = true;
  if (!session.lost) TW_TRY(zephyr::Send(*session.channel, zephyr::Prepare{store_.page_count()}));
  WaitFor(move_.news(), [&] { return channel_.prepared || session.lost; });
  if (!channel_.prepared) return Fail(*session.lost);
  return {};
}

// -- The list

Result<move::Part> Source::MakeList(Session& session) {
  if (is_reverse()) store_.handed().StartSending();
  const auto read = [&](PageNumber page, MutableBytes into) { return store_.ReadNewest(page, into); };
  std::vector<PageNumber> free;
  CommitSequence looked_at;
  do {
    TW_TRY(tenant_.WaitDurable());
    looked_at = store_.log().committed();
    if (!is_reverse()) {
      TW_TRY_ASSIGN(free, sqlite::FindFreeLeaves(store_.page_size(), store_.page_count(), read));
    }
  } while (store_.log().commit_in_flight() || store_.log().durable() < store_.log().committed() ||
           store_.log().committed() != looked_at);
  // From here to the list nothing suspends. With it go those of the wireframe that went stale since they were
  // sent; page 1 is among them, so the destination can open its copy. What is free by now (the root of a table
  // that was dropped) does not travel: at both ends it counts as a free leaf, whatever was sent of it before.
  free_ = sqlite::PageSet(store_.page_count());
  for (const PageNumber leaf : free) free_.Add(leaf);
  std::vector<PageNumber> fresh;
  if (!is_reverse()) {
    for (const PageNumber page : wireframe_)
      if (page.value <= store_.page_count() && !store_.handed().IsSentAndClean(page) && !free_.Has(page))
        fresh.push_back(page);
  } else if (store_.handed().WasWrittenHere(PageNumber{1})) {
    fresh.push_back(PageNumber{1});
  }
  std::vector<PageNumber> with = fresh;
  with.insert(with.end(), free.begin(), free.end());
  const sqlite::PageSet& handed =
      !is_reverse() ? store_.handed().MakeList(with) : store_.handed().MakeReverseList(with);
  figures_.pages_total = store_.page_count();
  hashes_.Resize(figures_.pages_total);
  for (const PageNumber leaf : free) hashes_[leaf.value - 1] = HashFreeLeaf(leaf);
  channel_.sent = handed;
  // The pages of the list are frozen now, so reading them may take its time.
  TW_TRY(SendListed(session, fresh));
  return EncodePart(ListPart{figures_.pages_total, channel_.sent.words(), free_.words()});
}

Result<void> Source::SendListed(Session& session, std::span<const PageNumber> pages) {
  const size_t page_size = store_.page_size();
  while (!pages.empty()) {
    const auto part = pages.first(std::min(pages.size(), batch_pages()));
    pages = pages.subspan(part.size());
    Pages batch;
    batch.numbers.assign(part.begin(), part.end());
    batch.contents.resize(part.size() * page_size);
    TW_TRY(store_.ReadNewest(part, batch.contents));
    NoteHashes(batch, hashes_);
    TW_TRY(session.channel->Send(EncodePages(batch)));
  }
  return {};
}

// -- Dual and finish

// The answer to a pull: the page, and what will probably be wanted next.
Result<void> Source::AnswerPull(Session& session, PageNumber page) {
  const size_t page_size = store_.page_size();
  if (!store_.handed().handed_over() || page.value < 1 || page.value > figures_.pages_total)
    return Fail(ErrorKind::kCorrupt, "PULL_OUT_OF_RANGE",
                "the other node asked for a page that this move does not have");
  Pages answer;
  answer.contents.reserve(2 * page_size + limits::kReadAheadBytes);
  const auto add = [&](PageNumber wanted) -> Result<Bytes> {
    const size_t at = answer.contents.size();
    answer.contents.resize(at + page_size);
    const MutableBytes into = MutableBytes(answer.contents).subspan(at);
    TW_TRY(store_.handed().HandOver({&wanted, 1}, into));
    answer.numbers.push_back(wanted);
    hashes_[wanted.value - 1] = free_.Has(wanted) ? HashFreeLeaf(wanted) : sqlite::HashPage(wanted, into);
    if (channel_.sent.Add(wanted)) ++figures_.pages_pulled;
    return Bytes(into);
  };
  TW_TRY_ASSIGN(const Bytes content, add(page));
  move_.pace().NoteWaitedFor(page_size);
  if (read_ahead_) {
    TW_TRY(read_ahead_->Follow(page, content, [&](PageNumber next) -> Result<Bytes> {
      if (next.value < 1 || next.value > figures_.pages_total || channel_.sent.Has(next)) return Bytes();
      return add(next);
    }));
  }
  move_.pace().TakeUrgent(answer.contents.size());
  return session.channel->Send(EncodePages(answer), move::Urgency::kUrgent);
}

// First the rest of the wireframe, without which each lookup would pull twice; then what was used lately, since
// pulls are felt, and the longer the slower the move; then in the order of the file.
Result<void> Source::SendRest(Session& session) {
  const auto missing = [&] {
    return figures_.pages_total - std::min(figures_.pages_total, channel_.sent.size());
  };
  const uint32_t half = missing() / 2;
  bool past_half = false;
  Pages batch;
  batch.pushed = true;
  const auto push = [&](Turn turn, uint32_t& pushed) -> Result<void> {
    if (batch.numbers.empty()) return {};
    TW_TRY(TakeHandedOver(batch));
    TW_TRY(Push(session, batch, turn));
    pushed += static_cast<uint32_t>(batch.numbers.size());
    batch.numbers.clear();
    if (missing() <= half && !std::exchange(past_half, true))
      move_.host().Reached(move::Step::kSourcePushedHalf);
    return {};
  };
  const auto add = [&](PageNumber page) {
    if (page.value <= figures_.pages_total && channel_.sent.Add(page)) batch.numbers.push_back(page);
    return batch.numbers.size() >= batch_pages();
  };
  for (const PageNumber page : wireframe_)
    if (add(page)) TW_TRY(push(Turn::kAtOnce, figures_.pages_wireframe));
  TW_TRY(push(Turn::kAtOnce, figures_.pages_wireframe));
  for (const PageNumber page : HotPages())
    if (add(page)) TW_TRY(push(Turn::kPaced, figures_.pages_pushed));
  for (uint32_t value = 1; value <= figures_.pages_total; ++value)
    if (add(PageNumber{value})) TW_TRY(push(Turn::kPaced, figures_.pages_pushed));
  return push(Turn::kPaced, figures_.pages_pushed);
}

Result<void> Source::TakeHandedOver(Pages& batch) {
  const size_t page_size = store_.page_size();
  batch.contents.resize(batch.numbers.size() * page_size);
  TW_TRY(store_.handed().HandOver(batch.numbers, batch.contents));
  NoteHashes(batch, hashes_);
  return {};
}

}  // namespace tradewind::zephyr
