// SPDX-License-Identifier: Apache-2.0
// Which handler answers a path: whole paths only, so that an unknown page below
// a known one is a 404 and not the known one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "collector/exporter/http_server.h"

namespace heapledger::collector {

struct HttpRoute {
  RunOn where = RunOn::kWorker;
  Access access = Access::kGuarded;
  HttpHandler handler;
};

class HttpRouter {
 public:
  struct Match {
    const HttpRoute* route = nullptr;
    int error = 0;      // 404 or 405 where there is no route
    std::string allow;  // for a 405
  };

  void Add(std::string path, HttpMethod method, RunOn where,
           HttpHandler handler, Access access = Access::kGuarded);

  // `method` is nullopt for one that no route takes.
  [[nodiscard]] Match Find(std::string_view path,
                           std::optional<HttpMethod> method) const;

 private:
  std::map<std::string, std::map<HttpMethod, HttpRoute>, std::less<>> routes_;
};

// Path and query of a request target. An absolute form (RFC 9112, 3.2.2) loses
// its scheme and host. nullopt for what is neither, such as `*`.
struct HttpTarget {
  std::string path;
  std::string query;
};
[[nodiscard]] std::optional<HttpTarget> ParseTarget(std::string_view target);

}  // namespace heapledger::collector
