#include "move/source.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "sqlite/wireframe.h"

namespace tradewind::move {

namespace {

constexpr uint64_t kFirstList = 1;
constexpr int kWarmUpPasses = 3;
constexpr uint64_t kBurstBytes = 2 * limits::kPageBatchBytes;

double Milliseconds(runtime::Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

// One connection to the destination, and what has been heard over it.
struct Source::Session {
  std::unique_ptr<PageChannel> channel;
  std::optional<Hello> hello;
  std::optional<uint64_t> ready_list;
  bool prepared = false;
  bool owned = false;
  std::optional<Error> lost;
  uint64_t in_flight_bytes = 0;  // Pushed, and not yet taken.
  sqlite::PageSet sent;          // On this connection, or at the destination before it.
};

Source::Source(MoveHost& host, tenant::Tenant& tenant, Receipt start, MoveOptions options)
    : host_(host),
      core_(host.core()),
      tenant_(tenant),
      store_(tenant.store()),
      options_(options),
      receipt_(std::move(start)),
      bucket_(core_, options.rate_bytes_per_s, kBurstBytes),
      started_(core_.Now()),
      phase_started_(started_),
      readers_(core_) {
  receipt_.rate_bytes_per_s = options.rate_bytes_per_s;
}

Source::~Source() = default;

Receipt Source::receipt() const {
  Receipt receipt = receipt_;
  receipt.aborted = store_.refused_commits();
  receipt.bytes_sent = bytes_of_ended_sessions_ + (session_ ? session_->channel->bytes_sent() : 0);
  if (receipt.phase == Phase::kFinish) {
    const double seconds = std::chrono::duration<double>(core_.Now() - phase_started_).count();
    const double left = static_cast<double>(
        receipt.pages_total - std::min(receipt.pages_total, session_ ? session_->sent.size() : 0));
    if (receipt.pages_pushed > 0 && seconds > 0) receipt.eta_s = left * seconds / receipt.pages_pushed;
  }
  return receipt;
}

void Source::Stop() {
  if (session_) session_->channel->Close();
  bucket_.SetRate(0);
  news_.NotifyAll();
}

void Source::SetRate(uint64_t bytes_per_second) {
  bucket_.SetRate(bytes_per_second);
  receipt_.rate_bytes_per_s = bytes_per_second;
}

void Source::Enter(Phase phase) {
  TW_CHECK(IsLegal(receipt_.phase, phase), "an illegal step between the phases of a move");
  const double length = Milliseconds(core_.Now() - phase_started_);
  switch (receipt_.phase) {
    case Phase::kInit: receipt_.init_ms = length; break;
    case Phase::kDual: receipt_.dual_ms = length; break;
    case Phase::kFinish: receipt_.finish_ms = length; break;
    default: break;
  }
  receipt_.phase = phase;
  phase_started_ = core_.Now();
  if (IsOver(phase)) receipt_.ended_at = core_.UnixMilliseconds();
  log::info("move {} of {}: {}", receipt_.id, receipt_.tenant, PhaseName(phase));
}

JournalEntry Source::Entry(Role role) const {
  return JournalEntry{receipt_.tenant, role, receipt_.epoch, receipt_.id, receipt_.destination, 0};
}

// -- The connection
// -------------------------------------------------------------------------------------------------------

Result<void> Source::Connect(bool dual) {
  if (session_) {
    session_->channel->Close();
    bytes_of_ended_sessions_ += session_->channel->bytes_sent();
    session_.reset();
  }
  readers_.Join();
  const runtime::TimePoint deadline = core_.Now() + limits::kNodeCall;
  auto session = std::make_shared<Session>();
  TW_TRY_ASSIGN(session->channel, host_.OpenChannel(receipt_.destination, receipt_.id, deadline));
  session_ = session;
  readers_.Spawn("move source " + receipt_.id, [this, session] { ReadMessages(session); });
  TW_TRY(session->channel->Send(
      Offer{dual, receipt_.epoch, store_.page_size(), receipt_.id, receipt_.tenant, receipt_.source}));
  if (!WaitForUntil(news_, deadline, [&] { return session->hello || session->lost; }))
    return Fail(ErrorKind::kTimeout, "DESTINATION_SILENT",
                "node " + receipt_.destination + " does not answer the move's offer");
  if (session->lost) return Fail(*session->lost);
  return {};
}

void Source::ReadMessages(const std::shared_ptr<Session>& session) {
  while (!session->lost) {
    Result<Message> message = session->channel->Receive();
    if (!message) {
      session->lost = std::move(message).error();
      break;
    }
    if (auto* hello = std::get_if<Hello>(&*message)) {
      session->hello = std::move(*hello);
    } else if (const auto* ready = std::get_if<Ready>(&*message)) {
      session->ready_list = ready->list;
    } else if (std::holds_alternative<Prepared>(*message)) {
      session->prepared = true;
    } else if (std::holds_alternative<Owned>(*message)) {
      session->owned = true;
    } else if (std::holds_alternative<FirstServed>(*message)) {
      if (!receipt_.relief_ms) receipt_.relief_ms = Milliseconds(core_.Now() - started_);
    } else if (const auto* pull = std::get_if<Pull>(&*message)) {
      if (Result<void> answered = AnswerPull(*session, pull->page); !answered)
        session->lost = std::move(answered).error();
    } else if (const auto* took = std::get_if<Took>(&*message)) {
      session->in_flight_bytes -= std::min<uint64_t>(session->in_flight_bytes, took->bytes);
    } else if (const auto* done = std::get_if<Done>(&*message)) {
      receipt_.pages_pulled = done->pulls;
      receipt_.pull_p50_us = done->pull_p50_us;
      receipt_.pull_p99_us = done->pull_p99_us;
      done_ = true;
    } else {
      session->lost =
          Error{ErrorKind::kCorrupt, "CHANNEL_CONFUSED", "the destination sent a message out of turn", ""};
    }
    news_.NotifyAll();
  }
  session->channel->Close();
  news_.NotifyAll();
}

Result<void> Source::AnswerPull(Session& session, PageNumber page) {
  if (!store_.handed_over() || page.value < 1 || page.value > receipt_.pages_total)
    return Fail(ErrorKind::kCorrupt, "PULL_OUT_OF_RANGE",
                "the destination asked for a page that this move does not have");
  Pages answer;
  answer.numbers = {page};
  answer.contents.resize(store_.page_size());
  TW_TRY(store_.HandOver(page, answer.contents));
  hashes_[page.value - 1] = sqlite::HashPage(page, answer.contents);
  session.sent.Add(page);
  bucket_.TakeUrgent(answer.contents.size());
  ++receipt_.pages_pulled;
  return session.channel->Send(answer, Urgency::kUrgent);
}

// Sends pages in the background: at the throttle's pace, and never so far ahead of the destination that the
// answer to a pull would wait long behind them.
Result<void> Source::Push(Session& session, const Pages& pages) {
  bucket_.TakePaced(pages.contents.size());
  WaitFor(news_, [&] { return session.in_flight_bytes < limits::kPushWindowBytes || session.lost; });
  if (session.lost) return Fail(*session.lost);
  session.in_flight_bytes += pages.contents.size();
  TW_TRY(session.channel->Send(pages, Urgency::kBulk));
  runtime::Yield();
  return {};
}

// -- Init
// -----------------------------------------------------------------------------------------------------------------

Result<void> Source::SendForInit(const std::vector<PageNumber>& pages) {
  const uint32_t page_size = store_.page_size();
  const size_t per_batch = std::max<size_t>(1, limits::kPageBatchBytes / page_size);
  for (size_t next = 0; next < pages.size();) {
    Pages batch;
    for (; next < pages.size() && batch.numbers.size() < per_batch; ++next) {
      const PageNumber page = pages[next];
      if (page.value > store_.page_count()) continue;  // The database has shrunk meanwhile.
      std::vector<std::byte> content(page_size);
      TW_TRY(store_.TakeForInit(page, content));
      if (hashes_.size() < page.value) hashes_.resize(page.value);
      hashes_[page.value - 1] = sqlite::HashPage(page, content);
      batch.numbers.push_back(page);
      batch.contents.insert(batch.contents.end(), content.begin(), content.end());
    }
    if (batch.numbers.empty()) continue;
    TW_TRY(Push(*session_, batch));
  }
  return {};
}

Result<void> Source::Init() {
  TW_TRY(Connect(/*dual=*/false));
  if (session_->hello->owner)
    return Fail(ErrorKind::kRefused, "DESTINATION_CONFUSED",
                "node " + receipt_.destination + " believes that it owns the tenant");
  store_.StartSending();
  hashes_.assign(store_.page_count(), 0);
  receipt_.pages_total = store_.page_count();
  TW_TRY_ASSIGN(wireframe_, sqlite::FindWireframe(store_.page_size(), store_.page_count(),
                                                  [&](PageNumber page, MutableBytes into) {
                                                    return store_.ReadNewest(page, into);
                                                  }));
  receipt_.pages_wireframe = static_cast<uint32_t>(wireframe_.size());
  TW_TRY(SendForInit(wireframe_));
  for (int pass = 0; pass < kWarmUpPasses && options_.warm_up == WarmUp::kAll; ++pass) {
    std::vector<PageNumber> missing;
    for (uint32_t value = 1; value <= store_.page_count(); ++value)
      if (!store_.IsSentAndClean(PageNumber{value})) missing.push_back(PageNumber{value});
    receipt_.pages_warm += static_cast<uint32_t>(missing.size());
    TW_TRY(SendForInit(missing));
  }
  // What the destination can make durable now need not be made durable while requests wait.
  TW_TRY(session_->channel->Send(Prepare{store_.page_count()}));
  WaitFor(news_, [&] { return session_->prepared || session_->lost; });
  if (!session_->prepared) return Fail(*session_->lost);
  return {};
}

// -- Hand-over
// --------------------------------------------------------------------------------------------------------------

Result<void> Source::MakeAndSendList() {
  // Those of the wireframe that went stale since they were sent; page 1 is among them, so the destination can
  // open its copy.
  do TW_TRY(tenant_.WaitDurable());
  while (store_.commit_in_flight() || store_.durable() < store_.committed());
  // From here to MakeList nothing suspends.
  std::vector<PageNumber> stale;
  for (const PageNumber page : wireframe_)
    if (page.value <= store_.page_count() && !store_.IsSentAndClean(page)) stale.push_back(page);
  const sqlite::PageSet& handed = store_.MakeList(stale);
  receipt_.pages_total = store_.page_count();
  hashes_.resize(receipt_.pages_total);

  // The pages of the list are frozen now, so reading them may take its time.
  const uint32_t page_size = store_.page_size();
  const size_t per_batch = std::max<size_t>(1, limits::kPageBatchBytes / page_size);
  for (size_t next = 0; next < stale.size();) {
    Pages fresh;
    for (; next < stale.size() && fresh.numbers.size() < per_batch; ++next) {
      std::vector<std::byte> content(page_size);
      TW_TRY(store_.ReadNewest(stale[next], content));
      hashes_[stale[next].value - 1] = sqlite::HashPage(stale[next], content);
      fresh.numbers.push_back(stale[next]);
      fresh.contents.insert(fresh.contents.end(), content.begin(), content.end());
    }
    TW_TRY(session_->channel->Send(fresh));
  }
  session_->sent = handed;
  return session_->channel->Send(List{kFirstList, receipt_.epoch, receipt_.pages_total, handed.words()});
}

Result<void> Source::HandOver() {
  tenant_.StopCheckpoints();
  holds_turn_ = tenant_.turn().Acquire(this, core_.Now() + options_.open_writer_grace);
  Enter(Phase::kHandover);
  tenant_.Park();
  tenant_.SettleStarting();
  TW_TRY(MakeAndSendList());
  const runtime::TimePoint deadline = core_.Now() + limits::kReadyWait;
  if (!WaitForUntil(news_, deadline, [&] { return session_->ready_list || session_->lost; }))
    return Fail(ErrorKind::kTimeout, "DESTINATION_SLOW",
                "node " + receipt_.destination + " did not get ready in time",
                "try the move again when its disk is less busy");
  if (!session_->ready_list) return Fail(*session_->lost);
  return {};
}

// The swap: journalled before it is sent, and repeated until its outcome is known (protocol.md step 5). Fails
// only when the node is ending.
Result<void> Source::SwapOwnership() {
  while (!host_.stopping()) {
    auto answer = host_.catalog().Swap(receipt_.tenant, {receipt_.source, receipt_.epoch},
                                       receipt_.destination, receipt_.id);
    if (answer) {
      // Only this node sends this swap, so a refusal that shows what was asked for means that an earlier try
      // was applied.
      TW_CHECK(answer->Shows({receipt_.destination, receipt_.epoch.Next()}),
               "the catalog changed the owner of a tenant whose source is this node");
      receipt_.epoch = receipt_.epoch.Next();
      receipt_.waiting_for.clear();
      moved_ = true;
      return {};
    }
    receipt_.waiting_for = "the catalog: " + answer.error().message;
    runtime::SleepFor(limits::kReconnectPause);
  }
  return Fail(ErrorKind::kUnavailable, "STOPPING", "the node is ending");
}

// -- Dual, finish
// -------------------------------------------------------------------------------------------------------------

Result<void> Source::TakeHello(Session& session) {
  const auto arrived = sqlite::PageSet::FromWords(session.hello->arrived);
  session.sent = sqlite::PageSet::FromWords(session.hello->present);
  store_.MarkHandedOver(session.sent);
  std::vector<std::byte> content(store_.page_size());
  for (uint32_t value = 1; value <= receipt_.pages_total; ++value) {
    uint64_t& hash = hashes_[value - 1];
    if (!arrived.Has(PageNumber{value})) {
      hash = 0;
    } else if (hash == 0) {  // Sent by an earlier process of this node; the file is frozen since.
      TW_TRY(store_.ReadNewest(PageNumber{value}, content));
      hash = sqlite::HashPage(PageNumber{value}, content);
    }
  }
  return {};
}

Result<void> Source::PushRest(Session& session) {
  const uint32_t page_size = store_.page_size();
  const size_t per_batch = std::max<size_t>(1, limits::kPageBatchBytes / page_size);
  for (uint32_t value = 1; value <= receipt_.pages_total && !session.lost;) {
    Pages batch;
    batch.contents.resize(per_batch * page_size);
    for (; value <= receipt_.pages_total && batch.numbers.size() < per_batch; ++value) {
      const PageNumber page{value};
      if (!session.sent.Add(page)) continue;
      const MutableBytes into =
          MutableBytes(batch.contents).subspan(batch.numbers.size() * page_size, page_size);
      TW_TRY(store_.HandOver(page, into));
      hashes_[value - 1] = sqlite::HashPage(page, into);
      batch.numbers.push_back(page);
    }
    if (batch.numbers.empty()) break;
    batch.contents.resize(batch.numbers.size() * page_size);
    TW_TRY(Push(session, batch));
    receipt_.pages_pushed += static_cast<uint32_t>(batch.numbers.size());
  }
  return {};
}

uint64_t Source::SumOfHashes() const {
  uint64_t sum = 0;
  for (const uint64_t hash : hashes_) sum += hash;
  return sum;
}

// One try at pushing everything and hearing that it is done; true when it is.
Result<bool> Source::Finish() {
  const std::shared_ptr<Session> session = session_;
  TW_TRY(PushRest(*session));
  const uint64_t sum = SumOfHashes();
  TW_TRY(session->channel->Send(Complete{sum, receipt_.pages_total}, Urgency::kBulk));
  WaitFor(news_, [&] { return done_ || session->lost; });
  if (!done_) return Fail(*session->lost);
  receipt_.verified = true;
  receipt_.hash = sum;
  return true;
}

// Leaves dual once no writer is open here, or its grace is over.
void Source::EndDual() {
  if (!holds_turn_) {
    receipt_.waiting_for = "a transaction that was open at the source";
    holds_turn_ = tenant_.turn().Acquire(this, core_.Now() + options_.open_writer_grace);
    receipt_.waiting_for.clear();
  }
  if (holds_turn_) tenant_.turn().Release(this);
  holds_turn_ = false;
  Enter(Phase::kFinish);
}

Source::Outcome Source::DualToDone() {
  if (receipt_.phase == Phase::kDual) EndDual();
  while (!done_) {
    if (host_.stopping()) return Outcome::kStopped;
    Result<bool> finished = session_ && !session_->lost ? Finish() : Result<bool>(false);
    if (done_) break;
    if (!finished) log::warn("move {}: {}", receipt_.id, Describe(finished.error()));
    if (!finished) receipt_.waiting_for = "node " + receipt_.destination + ": " + finished.error().message;
    // The destination may have finished while the connection was away.
    if (auto record = host_.catalog().GetMove(receipt_.id);
        record && record->state == cluster::MoveState::kDone) {
      receipt_.verified = true;
      receipt_.hash = SumOfHashes();
      done_ = true;
      break;
    }
    runtime::SleepFor(limits::kReconnectPause);
    if (host_.stopping()) return Outcome::kStopped;
    Result<void> connected = Connect(/*dual=*/true);
    if (connected) connected = TakeHello(*session_);
    if (connected) {
      receipt_.waiting_for.clear();
    } else {
      receipt_.waiting_for = "node " + receipt_.destination + ": " + connected.error().message;
      if (session_) session_->lost = connected.error();
    }
  }
  if (session_) session_->channel->Close();
  receipt_.waiting_for = "transactions that were open at the source";
  tenant_.JoinTransactions(runtime::TimePoint::max());
  receipt_.waiting_for.clear();
  Enter(Phase::kDone);
  readers_.Join();
  if (auto saved = host_.catalog().SaveReceipt(receipt_.id, ToJson(receipt())); !saved)
    log::warn("move {}: its receipt could not be saved: {}", receipt_.id, Describe(saved.error()));
  if (auto noted = host_.journal().Put(Entry(Role::kDeleting)); !noted) return Outcome::kStopped;
  return Outcome::kMoved;
}

// -- The whole
// -----------------------------------------------------------------------------------------------------------------

Source::Outcome Source::Cancel(const Error& error) {
  log::warn("move {} of {} is given up: {}", receipt_.id, receipt_.tenant, Describe(error));
  receipt_.error = Describe(error);
  store_.StopSending();
  tenant_.AllowCheckpoints();
  if (holds_turn_) tenant_.turn().Release(this);
  holds_turn_ = false;
  tenant_.Unpark();
  if (session_) session_->channel->Close();
  readers_.Join();
  Enter(Phase::kCancelled);
  while (!host_.stopping()) {  // The tenant is served all the while; the destination waits for this word.
    auto recorded = host_.catalog().SetMoveState(receipt_.id, cluster::MoveState::kForward,
                                                 cluster::MoveState::kCancelled, ToJson(receipt()));
    if (recorded) break;
    log::warn("move {}: {}", receipt_.id, Describe(recorded.error()));
    if (recorded.error().kind == ErrorKind::kNotFound || recorded.error().kind == ErrorKind::kRefused) break;
    receipt_.waiting_for = "the catalog, to record that the move is cancelled";
    runtime::SleepFor(limits::kReconnectPause);
  }
  receipt_.waiting_for.clear();
  return Outcome::kCancelled;
}

Source::Outcome Source::Run() {
  if (Result<void> init = Init(); !init) return Cancel(init.error());
  if (Result<void> ready = HandOver(); !ready) return Cancel(ready.error());
  // Until this entry is durable a crash leaves the tenant owned here.
  if (Result<void> noted = host_.journal().Put(Entry(Role::kSwapping)); !noted) return Cancel(noted.error());
  if (Result<void> swapped = SwapOwnership(); !swapped) return Outcome::kStopped;
  tenant_.SetMoved();
  Result<void> told = session_->channel->Send(Own{receipt_.epoch});
  if (holds_turn_) tenant_.turn().Release(this);
  holds_turn_ = false;
  if (told)
    WaitForUntil(news_, core_.Now() + limits::kReadyWait, [&] { return session_->owned || session_->lost; });
  receipt_.handover_ms = Milliseconds(core_.Now() - phase_started_);
  Enter(Phase::kDual);
  if (Result<void> noted = host_.journal().Put(Entry(Role::kDual)); !noted)
    log::warn("move {}: {}", receipt_.id,
              Describe(noted.error()));  // `swapping` leads to the same after a restart.
  return DualToDone();
}

Source::Outcome Source::Resume(Role role) {
  TW_CHECK(role == Role::kSwapping || role == Role::kDual, "a source resumes from swapping or dual");
  receipt_.phase = Phase::kHandover;
  receipt_.pages_total = store_.page_count();
  hashes_.assign(receipt_.pages_total, 0);
  if (role == Role::kSwapping) {
    if (Result<void> swapped = SwapOwnership(); !swapped) return Outcome::kStopped;
  }
  moved_ = true;
  tenant_.SetMoved();
  tenant_.StopCheckpoints();
  store_.StartSending();
  store_.MakeList({});
  Enter(Phase::kDual);
  if (Result<void> noted = host_.journal().Put(Entry(Role::kDual)); !noted) return Outcome::kStopped;
  return DualToDone();
}

}  // namespace tradewind::move
