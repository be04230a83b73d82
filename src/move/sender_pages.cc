// The half of Sender that reads and sends pages. Each page that leaves is added to the sum of hashes by which
// the two ends are compared, in any order (design.md section 4).
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "move/sender.h"
#include "move/sender_session.h"
#include "sqlite/wireframe.h"

namespace tradewind::move {

namespace {

constexpr int kWarmUpPasses = 3;
constexpr int kReadsBetweenTurns = 32;
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

size_t Sender::batch_pages(const Session& session) const {
  return std::max<size_t>(1, PushBytes(rate(), session.window.size()) / store_.page_size());
}

bool Sender::is_small() const {
  return uint64_t{store_.page_count()} * store_.page_size() <= limits::kSmallTenantBytes;
}

Complete Sender::MakeComplete() const {
  Complete complete;
  complete.pages = receipt_.pages_total;
  for (const uint64_t hash : hashes_.span()) {
    complete.sum += hash;
    complete.sent += hash == 0 ? 0 : 1;
  }
  return complete;
}

// In the background: at the throttle's pace, and never further ahead of the receiver than the window. A small
// tenant is a few messages, which need no lane of their own.
Result<void> Sender::Push(Session& session, const Pages& pages, Turn turn) {
  using Cause = pace::Bottleneck::Cause;
  bottleneck_.Note(Cause::kDisk, core_.Now());  // Up to here it was read.
  if (turn == Turn::kPaced)
    AwaitPace(session, pages.contents.size());
  else
    TakePace(pages.contents.size());
  bottleneck_.Note(Cause::kPace, core_.Now());
  WaitFor(news_, [&] { return session.window.HasRoom() || session.lost; });
  if (session.lost) return Fail(*session.lost);
  bottleneck_.Note(Cause::kPeer, core_.Now());
  session.window.NoteSent(pages.contents.size(), core_.Now());
  const Urgency urgency = is_small() ? Urgency::kUrgent : Urgency::kBulk;
  session.sent_in_bulk |= urgency == Urgency::kBulk;
  TW_TRY(session.channel->Send(pages, urgency));
  runtime::Yield();
  bottleneck_.Note(Cause::kNetwork, core_.Now());
  progress_.Note(core_.Now(), session.channel->bytes_sent() + bytes_of_ended_sessions_);
  return {};
}

// -- Init

Result<void> Sender::Init() {
  store_.StartSending();
  hashes_ = ZeroedArray<uint64_t>(store_.page_count(), store_.page_count() / 8 + kSparePages);
  receipt_.pages_total = store_.page_count();
  receipt_.pages_warm = 0;
  if (options_.method == Method::kStopAndCopy) TW_TRY(BeginHandOver());
  TW_TRY_ASSIGN(wireframe_, sqlite::FindWireframeTop(store_.page_size(), store_.page_count(), Reader(),
                                                     limits::kWireframeTopBytes / store_.page_size()));
  read_ahead_.reset();
  receipt_.pages_wireframe = 0;
  TW_TRY(SendForInit(wireframe_, Turn::kAtOnce, receipt_.pages_wireframe));
  TW_TRY(SendWarmUp());
  host_.Reached(Step::kSourceSentInit);
  return SendPrepare();
}

Result<void> Sender::SendWarmUp() {
  const bool all = options_.warm_up == WarmUp::kAll || options_.method == Method::kStopAndCopy || is_small();
  if (!all && options_.warm_up == WarmUp::kNone) return {};
  for (int pass = 0; pass < kWarmUpPasses; ++pass) {
    TW_TRY_ASSIGN(const std::vector<PageNumber> pages, PagesForInit());
    if (pages.empty()) break;
    TW_TRY(SendForInit(pages, Turn::kPaced, receipt_.pages_warm));
    // What has gone stale meanwhile is worth another pass only of a warm-up that took its time.
    if (!all || is_small()) break;
  }
  return {};
}

std::vector<PageNumber> Sender::HotPages() const {
  const uint64_t bytes = std::min<uint64_t>(
      limits::kHotBytes, uint64_t{store_.page_count()} * store_.page_size() / limits::kHotShare);
  return store_.HotPages(bytes / store_.page_size());
}

// What a pass of the warm-up sends: in the order of the file, so that neighbours are read and written at
// once.
Result<std::vector<PageNumber>> Sender::PagesForInit() {
  std::vector<PageNumber> pages;
  if (options_.warm_up == WarmUp::kHot && !is_small()) {
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
  std::erase_if(pages, [this](PageNumber page) { return store_.IsSentAndClean(page); });
  return pages;
}

Result<void> Sender::SendForInit(std::span<const PageNumber> pages, Turn turn, uint32_t& sent) {
  const size_t page_size = store_.page_size();
  while (!pages.empty()) {
    Pages batch;
    batch.pushed = true;
    for (; !pages.empty() && batch.numbers.size() < batch_pages(*session_); pages = pages.subspan(1))
      if (pages.front().value <= store_.page_count())
        batch.numbers.push_back(pages.front());  // Not cut off since.
    if (batch.numbers.empty()) continue;
    batch.contents.resize(batch.numbers.size() * page_size);
    TW_TRY(store_.TakeForInit(batch.numbers, batch.contents));
    NoteHashes(batch, hashes_);
    TW_TRY(Push(*session_, batch, turn));
    sent += static_cast<uint32_t>(batch.numbers.size());
  }
  return {};
}

// What the receiver can make durable now need not be made durable while requests wait. It comes on the urgent
// lane, so the pages have to be there before it: also those of a tenant that has become small meanwhile.
Result<void> Sender::SendPrepare() {
  const std::shared_ptr<Session> session = session_;
  if (session->sent_in_bulk)
    WaitFor(news_, [&] { return session->window.in_flight() == 0 || session->lost; });
  session->sent_prepare = true;
  if (!session->lost) TW_TRY(session->channel->Send(Prepare{store_.page_count()}));
  WaitFor(news_, [&] { return session->prepared || session->lost; });
  if (!session->prepared) return Fail(*session->lost);
  return {};
}

// -- The list

Result<void> Sender::MakeAndSendList() {
  const auto read = [&](PageNumber page, MutableBytes into) { return store_.ReadNewest(page, into); };
  std::vector<PageNumber> free;
  CommitSequence looked_at;
  do {
    TW_TRY(tenant_.WaitDurable());
    looked_at = store_.committed();
    if (direction_ == Direction::kForward) {
      TW_TRY_ASSIGN(free, sqlite::FindFreeLeaves(store_.page_size(), store_.page_count(), read));
    }
  } while (store_.commit_in_flight() || store_.durable() < store_.committed() ||
           store_.committed() != looked_at);
  // From here to the list nothing suspends. With it go those of the wireframe that went stale since they were
  // sent; page 1 is among them, so the receiver can open its copy. What is free by now (the root of a table
  // that was dropped) does not travel: at both ends it counts as a free leaf, whatever was sent of it before.
  free_ = sqlite::PageSet(store_.page_count());
  for (const PageNumber leaf : free) free_.Add(leaf);
  std::vector<PageNumber> fresh;
  if (direction_ == Direction::kForward) {
    for (const PageNumber page : wireframe_)
      if (page.value <= store_.page_count() && !store_.IsSentAndClean(page) && !free_.Has(page))
        fresh.push_back(page);
  } else if (store_.WasWrittenHere(PageNumber{1})) {
    fresh.push_back(PageNumber{1});
  }
  std::vector<PageNumber> with = fresh;
  with.insert(with.end(), free.begin(), free.end());
  const sqlite::PageSet& handed =
      direction_ == Direction::kForward ? store_.MakeList(with) : store_.MakeReverseList(with);
  receipt_.pages_total = store_.page_count();
  hashes_.Resize(receipt_.pages_total);
  for (const PageNumber leaf : free) hashes_[leaf.value - 1] = HashFreeLeaf(leaf);
  session_->sent = handed;
  // The pages of the list are frozen now, so reading them may take its time.
  TW_TRY(SendListed(fresh));
  session_->sent_list = true;
  return session_->channel->Send(
      List{list_, receipt_.epoch, receipt_.pages_total, session_->sent.words(), free_.words()});
}

Result<void> Sender::SendListed(std::span<const PageNumber> pages) {
  const size_t page_size = store_.page_size();
  while (!pages.empty()) {
    const auto part = pages.first(std::min(pages.size(), batch_pages(*session_)));
    pages = pages.subspan(part.size());
    Pages batch;
    batch.numbers.assign(part.begin(), part.end());
    batch.contents.resize(part.size() * page_size);
    TW_TRY(store_.ReadNewest(part, batch.contents));
    NoteHashes(batch, hashes_);
    TW_TRY(session_->channel->Send(batch));
  }
  return {};
}

// -- Dual and finish

// The answer to a pull: the page, and what will probably be wanted next.
Result<void> Sender::AnswerPull(Session& session, PageNumber page) {
  const size_t page_size = store_.page_size();
  if (!store_.handed_over() || page.value < 1 || page.value > receipt_.pages_total)
    return Fail(ErrorKind::kCorrupt, "PULL_OUT_OF_RANGE",
                "the other node asked for a page that this move does not have");
  Pages answer;
  answer.contents.reserve(2 * page_size + limits::kReadAheadBytes);
  const auto add = [&](PageNumber wanted) -> Result<Bytes> {
    const size_t at = answer.contents.size();
    answer.contents.resize(at + page_size);
    const MutableBytes into = MutableBytes(answer.contents).subspan(at);
    TW_TRY(store_.HandOver({&wanted, 1}, into));
    answer.numbers.push_back(wanted);
    hashes_[wanted.value - 1] = free_.Has(wanted) ? HashFreeLeaf(wanted) : sqlite::HashPage(wanted, into);
    if (session.sent.Add(wanted)) ++receipt_.pages_pulled;
    return Bytes(into);
  };
  TW_TRY_ASSIGN(const Bytes content, add(page));
  pulled_bytes_ += page_size;
  if (read_ahead_) {
    TW_TRY(read_ahead_->Follow(page, content, [&](PageNumber next) -> Result<Bytes> {
      if (next.value < 1 || next.value > receipt_.pages_total || session.sent.Has(next)) return Bytes();
      return add(next);
    }));
  }
  TakePace(answer.contents.size());
  return session.channel->Send(answer, Urgency::kUrgent);
}

// On every channel after the swap the receiver first says what it has (protocol.md step 7). Its pulls are
// answered from then on, also while pages are read here: so what it lacks is forgotten before the first of
// those reads lets others run, and what a pull has noted since is kept.
Result<void> Sender::TakeHello(Session& session) {
  const auto arrived = sqlite::PageSet::FromWords(session.hello->arrived);
  session.sent = sqlite::PageSet::FromWords(session.hello->present);
  store_.MarkHandedOver(session.sent);
  std::vector<PageNumber> unknown;  // Sent by an earlier process of this node, or to be read again.
  for (uint32_t value = 1; value <= receipt_.pages_total; ++value) {
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

// First the rest of the wireframe, without which each lookup would pull twice; then what was used lately, since
// pulls are felt, and the longer the slower the move; then in the order of the file.
Result<void> Sender::PushRest(Session& session) {
  const auto missing = [&] {
    return receipt_.pages_total - std::min(receipt_.pages_total, session.sent.size());
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
    if (missing() <= half && !std::exchange(past_half, true)) host_.Reached(Step::kSourcePushedHalf);
    return {};
  };
  const auto add = [&](PageNumber page) {
    if (page.value <= receipt_.pages_total && session.sent.Add(page)) batch.numbers.push_back(page);
    return batch.numbers.size() >= batch_pages(session);
  };
  for (const PageNumber page : wireframe_)
    if (add(page)) TW_TRY(push(Turn::kAtOnce, receipt_.pages_wireframe));
  TW_TRY(push(Turn::kAtOnce, receipt_.pages_wireframe));
  for (const PageNumber page : HotPages())
    if (add(page)) TW_TRY(push(Turn::kPaced, receipt_.pages_pushed));
  for (uint32_t value = 1; value <= receipt_.pages_total; ++value)
    if (add(PageNumber{value})) TW_TRY(push(Turn::kPaced, receipt_.pages_pushed));
  return push(Turn::kPaced, receipt_.pages_pushed);
}

Result<void> Sender::TakeHandedOver(Pages& batch) {
  const size_t page_size = store_.page_size();
  batch.contents.resize(batch.numbers.size() * page_size);
  TW_TRY(store_.HandOver(batch.numbers, batch.contents));
  NoteHashes(batch, hashes_);
  return {};
}

// What a restart has lost: the file is frozen, so the same leaves are free.
Result<void> Sender::FindFrozenLeaves() {
  sqlite::PageSet free(receipt_.pages_total);
  if (direction_ ==
      Direction::kForward) {  // On the way back its file may lack pages, and it sent none as free.
    TW_TRY_ASSIGN(const auto leaves,
                  sqlite::FindFreeLeaves(store_.page_size(), store_.page_count(), Reader()));
    for (const PageNumber leaf : leaves) free.Add(leaf);
  }
  free_ = std::move(free);
  return {};
}

// Once ownership has passed: until then it would only keep the hand-over waiting, the longer the larger the
// tenant. Without it pulls are answered page by page.
void Sender::FindRestOfWireframe() {
  if (read_ahead_ || direction_ == Direction::kReverse) return;
  auto wireframe = sqlite::FindWireframe(store_.page_size(), store_.page_count(), Reader());
  if (!wireframe) return;
  wireframe_ = std::move(wireframe->pages);
  read_ahead_.emplace(store_.page_size(), std::move(wireframe->next_leaf));
}

// Reads newest versions for a walk through the file, and lets others run now and then.
sqlite::ReadPage Sender::Reader() {
  return [this, reads = 0](PageNumber page, MutableBytes into) mutable -> Result<void> {
    if (++reads % kReadsBetweenTurns == 0) runtime::Yield();
    return store_.ReadNewest(page, into);
  };
}

}  // namespace tradewind::move
