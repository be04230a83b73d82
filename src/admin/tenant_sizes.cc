#include "admin/tenant_sizes.h"

#include <boost/json.hpp>
#include <set>
#include <utility>

#include "base/limits.h"
#include "catalog/directory.h"
#include "runtime/fiber.h"
#include "sqlite/database_file.h"
#include "tenant/local_tenants.h"

namespace tradewind::admin {

namespace {

namespace json = boost::json;

// Of a tenant that is open, its newest version; of another one its file, if no WAL beside it may hold more.
std::optional<TenantSize> SizeOfOne(runtime::Core& core, tenant::LocalTenants& tenants,
                                    const TenantName& name) {
  if (const tenant::HostedTenant* const open = tenants.IfOpen(name)) return open->Size();
  const std::string path = tenants.PathOf(name);
  if (sqlite::MayWalHoldMore(core.disk(), path).value_or(true)) return std::nullopt;
  return SizeOnDisk(core.disk(), path);
}

}  // namespace

TenantSizes SizesHere(gateway::NodeTenants& tenants) {
  TenantSizes sizes;
  size_t looked_at = 0;
  tenants.OnEach([&](gateway::CoreTenants& here) {
    for (const TenantName& name : here.tenants.names()) {
      if (const auto size = SizeOfOne(here.core, here.tenants, name)) sizes[name] = *size;
      if (++looked_at % 64 == 0) runtime::Yield();
    }
  });
  return sizes;
}

TenantSizes SizesEverywhere(const catalog::Member& member, catalog::Directory& directory,
                            gateway::NodeTenants& tenants,
                            const std::vector<catalog::TenantRecord>& records) {
  std::set<NodeName> owners;
  for (const catalog::TenantRecord& record : records) owners.insert(record.ownership.owner);
  std::map<NodeName, TenantSizes> told;
  runtime::TaskGroup calls(member.core);
  for (const NodeName& owner : owners) {
    calls.Spawn("sizes of " + owner, [&, owner] {
      if (owner == member.self) {
        told[owner] = SizesHere(tenants);
        return;
      }
      net::HttpRequest request;
      request.target = std::string(kSizesPath);
      request.idempotent = true;
      const auto answer = directory.Call(owner, std::move(request), member.core.Now() + limits::kNodeProbe);
      if (!answer || answer->status != 200) return;
      if (auto sizes = DecodeSizes(answer->body)) told[owner] = *std::move(sizes);
    });
  }
  calls.Join();
  TenantSizes sizes;
  for (const catalog::TenantRecord& record : records) {
    const TenantSizes& of_owner = told[record.ownership.owner];
    if (const auto found = of_owner.find(record.name); found != of_owner.end())
      sizes[record.name] = found->second;
  }
  return sizes;
}

std::string EncodeSizes(const TenantSizes& sizes) {
  json::object object;
  for (const auto& [name, size] : sizes) object[name] = json::array{size.page_size, size.page_count};
  return json::serialize(object);
}

Result<TenantSizes> DecodeSizes(std::string_view text) {
  const auto invalid = [] {
    return Fail(ErrorKind::kCorrupt, "SIZES_INVALID",
                "what a node says of its tenants' sizes makes no sense");
  };
  boost::system::error_code failed;
  const json::value value = json::parse(text, failed);
  if (failed || !value.is_object()) return invalid();
  TenantSizes sizes;
  for (const auto& [name, pair] : value.get_object()) {
    const json::array* numbers = pair.if_array();
    if (!numbers || numbers->size() != 2 || !IsValidName(std::string_view(name))) return invalid();
    boost::system::error_code not_whole;
    const auto page_size = numbers->at(0).to_number<uint32_t>(not_whole);
    const auto page_count = not_whole ? 0 : numbers->at(1).to_number<uint32_t>(not_whole);
    if (not_whole) return invalid();
    sizes[TenantName(name)] = {page_size, page_count};
  }
  return sizes;
}

}  // namespace tradewind::admin
