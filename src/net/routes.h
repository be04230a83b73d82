// The one table of what can be asked of a node over HTTP: method and path, when it is answered, and what answers it.
// Each room of the server adds its own lines; the node looks a request up, decides by the line whether the caller may
// have it, and runs it.
//
// A path is compared segment by segment; repeated slashes count as one (clients join a base that ends in a slash). The
// segment '*' of a pattern is a name, of at least a character. All below /v1/internal/ is for other nodes of the cluster
// alone, be it there or not.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace tradewind::net {

struct Call {
  const HttpRequest& request;
  std::string name;  // The segment that stands for '*'; empty without one.
};

struct Route {
  enum class Body {
    kJson,  // A body must be said to be JSON.
    // The same, but one without a type is taken for JSON, unless a browser has sent it; and one of any type from who shows
    // a token, since there are clients that call theirs text.
    kMaybeJson,
    kAnything,
  };
  enum class Needs {
    kServing,  // Until the node serves, the caller is told that it is starting.
    kNothing,
  };

  // Who may ask. What /v1/internal/ has is for nodes alone, whatever this says.
  enum class For {
    kAdmin,   // Whoever has the admin token, where there is one.
    kClient,  // A tenant's: the route looks at the token itself, as it knows the tenant.
    kAnybody,
  };

  std::string_view method;
  std::string path;
  std::function<Answer(const Call&)> run;  // May suspend.
  Body body = Body::kJson;
  Needs needs = Needs::kServing;
  For whom = For::kAdmin;
  bool for_pages = false;   // Web pages of other origins may ask for it, where the node lets them (CORS).
  bool web_socket = false;  // Of requests that ask for a WebSocket; goes before any other of the path then.
};

inline constexpr std::string_view kNotJsonCode = "CONTENT_TYPE_NOT_JSON";

class Routes {
 public:
  // Requires: no route of this method and path is there yet.
  void Add(Route route);

  struct Found {
    const Route* route = nullptr;  // Null: nothing is at that path, or not with this method.
    std::string name;
    std::string allowed;     // The methods of that path; empty when there is nothing.
    bool for_nodes = false;  // It is below /v1/internal/.
  };
  Found Find(const HttpRequest& request) const;

  // Whether the body is of the type that the route wants. A browser sends a page's form, or text, to any server without
  // asking it first; JSON it asks for. What a node has sent was looked at where it came from. Fails with
  // CONTENT_TYPE_NOT_JSON (kInvalid): answer 415.
  static Result<void> CheckBody(const Route& route, const HttpRequest& request);

  // What to answer when there is no route: 404, or 405 with the methods that there are.
  static HttpResponse Refusal(const HttpRequest& request, const Found& found);

  const std::vector<Route>& all() const { return routes_; }

 private:
  std::vector<Route> routes_;
  std::vector<std::vector<std::string>> patterns_;  // The segments of each route's path.
};

}  // namespace tradewind::net
