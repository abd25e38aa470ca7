// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/http_router.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

HttpResponse Nothing(const HttpRequest&) { return {}; }

TEST(HttpRouterTest, KnowsAPathFromItsNeighbours) {
  HttpRouter router;
  router.Add("/metrics", HttpMethod::kGet, RunOn::kWorker, Nothing);
  EXPECT_NE(router.Find("/metrics", HttpMethod::kGet).route, nullptr);
  EXPECT_EQ(router.Find("/metricsX", HttpMethod::kGet).error, 404);
  EXPECT_EQ(router.Find("/metrics/", HttpMethod::kGet).error, 404);
  EXPECT_EQ(router.Find("", HttpMethod::kGet).error, 404);
}

TEST(HttpRouterTest, NamesTheMethodsOfAPath) {
  HttpRouter router;
  router.Add("/x", HttpMethod::kGet, RunOn::kWorker, Nothing);
  router.Add("/x", HttpMethod::kPost, RunOn::kWorker, Nothing);
  const HttpRouter::Match match = router.Find("/x", std::nullopt);
  EXPECT_EQ(match.error, 405);
  EXPECT_EQ(match.allow, "GET, HEAD, POST");
}

TEST(ParseTargetTest, TakesPathAndQueryApart) {
  EXPECT_EQ(ParseTarget("/a?b=c?d")->path, "/a");
  EXPECT_EQ(ParseTarget("/a?b=c?d")->query, "b=c?d");
  EXPECT_EQ(ParseTarget("http://h:1/a")->path, "/a");
  EXPECT_EQ(ParseTarget("http://h")->path, "/");
  EXPECT_FALSE(ParseTarget("*"));
  EXPECT_FALSE(ParseTarget("h:443"));
  EXPECT_FALSE(ParseTarget(""));
}

}  // namespace
}  // namespace heapledger::collector
