// Where the other nodes are: the catalog's list, remembered. And the one way to call them.
//
// This core only.
#pragma once

#include <map>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "net/http_client.h"

namespace tradewind::catalog {

// Calls to other nodes, by their names.
class Peers {
 public:
  virtual ~Peers() = default;
  // The target begins with a slash. Fails with NODE_NOT_FOUND, and as HttpClient::Call does. Suspends.
  virtual Result<net::HttpResponse> Call(const NodeName& node, net::HttpRequest request,
                                         runtime::TimePoint deadline) = 0;
};

class Directory final : public Peers {
 public:
  Directory(Catalog& catalog, net::HttpClient& client) : catalog_(catalog), client_(client) {}

  // Fails with NODE_NOT_FOUND. Reads the catalog for a name it does not know. Suspends.
  Result<std::string> UrlOf(const NodeName& node);
  // The address of a node turned out to be wrong: it is looked up again the next time.
  void Forget(const NodeName& node) { urls_.erase(node); }
  // A node that was restarted may have another address than the one remembered: that is looked up when nobody answers
  // there.
  Result<net::HttpResponse> Call(const NodeName& node, net::HttpRequest request,
                                 runtime::TimePoint deadline) override;

 private:
  Catalog& catalog_;
  net::HttpClient& client_;
  std::map<NodeName, std::string> urls_;
};

}  // namespace tradewind::catalog
