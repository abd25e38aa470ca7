// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/http_router.h"

#include <utility>

namespace heapledger::collector {

void HttpRouter::Add(std::string path, HttpMethod method, RunOn where,
                     HttpHandler handler, Access access) {
  routes_[std::move(path)][method] =
      HttpRoute{where, access, std::move(handler)};
}

HttpRouter::Match HttpRouter::Find(std::string_view path,
                                   std::optional<HttpMethod> method) const {
  const auto page = routes_.find(path);
  if (page == routes_.end())
    return {.route = nullptr, .error = 404, .allow = {}};
  if (method) {
    const auto found = page->second.find(*method);
    if (found != page->second.end()) {
      return {.route = &found->second, .error = 0, .allow = {}};
    }
  }
  Match match{.route = nullptr, .error = 405, .allow = {}};
  for (const auto& [known, route] : page->second) {
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += known == HttpMethod::kGet ? "GET, HEAD" : "POST";
  }
  return match;
}

std::optional<HttpTarget> ParseTarget(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t path = target.find_first_of("/?");
    target.remove_prefix(path == std::string_view::npos ? target.size() : path);
    if (target.empty()) target = "/";
    break;
  }
  if (target.empty() || target.front() != '/') return std::nullopt;
  const std::size_t mark = target.find('?');
  HttpTarget parsed{.path = std::string(target.substr(0, mark)), .query = {}};
  if (mark != std::string_view::npos) parsed.query = target.substr(mark + 1);
  return parsed;
}

}  // namespace heapledger::collector
