#include "load/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "net/http_client.h"

namespace tradewind::load {

namespace {
constexpr size_t kComplaints = 10;
// A stop-and-copy of a large tenant lets a request wait this long.
constexpr runtime::Duration kRequestTimeout = std::chrono::seconds(120);
}  // namespace

Generator::Generator(runtime::Core& core, Requests& requests, GeneratorOptions options)
    : core_(core),
      requests_(requests),
      options_(std::move(options)),
      tenant_picker_(options_.skewed_tenants ? KeyChoice::kZipfian : KeyChoice::kUniform,
                     static_cast<int64_t>(options_.tenants.size())),
      random_(options_.seed),
      running_(core) {}

Generator::~Generator() {
  TW_CHECK(running_.size() == 0, "requests use the generator until Stop() has returned");
}

Result<std::unique_ptr<Generator>> Generator::Make(runtime::Core& core, net::HttpClient& http,
                                                   Requests& requests, GeneratorOptions options) {
  TW_CHECK(!options.servers.empty() && !options.tenants.empty() && options.workers > 0,
           "such a load has nobody to ask");
  std::unique_ptr<Generator> generator(new Generator(core, requests, std::move(options)));
  for (const std::string& tenant : generator->options_.tenants)
    for (const std::string& server : generator->options_.servers) {
      TW_TRY_ASSIGN(auto client, HranaClient::Make(core, http, server, tenant, generator->options_.token));
      client.set_timeout(kRequestTimeout);
      generator->clients_.push_back(std::move(client));
    }
  return generator;
}

double Generator::now_s() const {
  return std::chrono::duration<double>(core_.Now() - started_).count();
}

void Generator::Start(std::unique_ptr<Arrivals> arrivals) {
  arrivals_ = std::move(arrivals);
  next_ = arrivals_->Next();
  started_ = core_.Now();
  end_s_ = std::numeric_limits<double>::infinity();
  for (int i = 0; i < options_.workers; ++i) running_.Spawn("load worker", [this] { Work(); });
}

void Generator::Stop() {
  end_s_ = now_s();
  stopping_.Set();
  running_.Join();
}

void Generator::Work() {
  while (next_ && *next_ <= end_s_) {
    const double at_s = *next_;
    next_ = arrivals_->Next();
    const auto intended =
        started_ + std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(at_s));
    while (core_.Now() < intended && !stopping_.is_set()) stopping_.WaitUntil(intended);
    if (at_s > end_s_) return;
    Send(at_s);
  }
}

void Generator::Send(double at_s) {
  const auto tenant = static_cast<size_t>(tenant_picker_.Pick(random_) - 1);
  const HranaClient& client =
      clients_[tenant * options_.servers.size() + arrival_++ % options_.servers.size()];
  const Requests::Request request = requests_.Draw(tenant, random_);
  const Result<void> done = request.run(client);
  const RequestOutcome outcome = done                                ? RequestOutcome::kSucceeded
                                 : done.error().code == kAbortedCode ? RequestOutcome::kAborted
                                                                     : RequestOutcome::kFailed;
  const double took_s = now_s() - at_s;
  sent_.push_back({at_s, static_cast<int64_t>(took_s * 1e9), static_cast<uint32_t>(tenant),
                   OperationNumber(request.operation), outcome});
  if (!done && complaints_.size() < kComplaints)
    complaints_.push_back(fmt::format("{} at {:.1f} s of {}: {}", request.operation, at_s,
                                      options_.tenants[tenant], Describe(done.error())));
}

uint16_t Generator::OperationNumber(const char* name) {
  const auto found = std::find(operations_.begin(), operations_.end(), name);
  if (found != operations_.end()) return static_cast<uint16_t>(found - operations_.begin());
  operations_.emplace_back(name);
  return static_cast<uint16_t>(operations_.size() - 1);
}

}  // namespace tradewind::load
