#include "catalog/directory.h"

namespace tradewind::catalog {

Result<std::string> Directory::UrlOf(const NodeName& node) {
  if (const auto found = urls_.find(node); found != urls_.end()) return found->second;
  TW_TRY_ASSIGN(const auto nodes, catalog_.Nodes());
  for (const NodeRecord& record : nodes) urls_[record.name] = record.url;
  if (const auto found = urls_.find(node); found != urls_.end()) return found->second;
  return Fail(ErrorKind::kNotFound, "NODE_NOT_FOUND", "there is no node " + node + " in the cluster",
              "see tradewind node list");
}

Result<net::HttpResponse> Directory::Call(const NodeName& node, net::HttpRequest request,
                                          runtime::TimePoint deadline) {
  const bool remembered = urls_.contains(node);
  TW_TRY_ASSIGN(const std::string url, UrlOf(node));
  Result<net::HttpResponse> answer = client_.Call(url + request.target, request, deadline);
  if (answer || answer.error().code != "NODE_UNREACHABLE") return answer;
  Forget(node);
  if (!remembered) return answer;
  const Result<std::string> now = UrlOf(node);
  if (!now || *now == url) return answer;
  return client_.Call(*now + request.target, request, deadline);
}

}  // namespace tradewind::catalog
