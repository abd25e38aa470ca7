// SPDX-License-Identifier: Apache-2.0
#include "collector/tags/tag_config.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

TagConfig MustParse(const std::string& text) {
  auto config = ParseTagConfig(text, "tags.yaml");
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *std::move(config) : TagConfig();
}

std::string Refusal(const std::string& text) {
  const auto config = ParseTagConfig(text, "tags.yaml");
  EXPECT_FALSE(config.ok()) << text;
  return std::string(config.status().message());
}

TEST(TagConfigTest, WithoutWordsTheSixNamesHold) {
  for (const char* const text : {"", "tags:\n", "metrics: []\n"}) {
    const TagConfig config = MustParse(text);
    ASSERT_EQ(config.metrics.size(), 6U);
    EXPECT_EQ(config.metrics[0].name, "circle_of_experts_memory_usage_bytes");
    EXPECT_EQ(config.metrics[5].name, "websocket_connection_memory_bytes");
  }
}

TEST(TagConfigTest, ReadsRules) {
  const TagConfig config = MustParse(R"(
tags:
  - tag: keyspace
    labels: {part: dict, kind: hot}
    processes: [redis-server]
    function: '^dict'
    match: innermost
  - {tag: rest, module: redis-server}
)");
  ASSERT_NE(config.rules, nullptr);
  ASSERT_EQ(config.rules->rules().size(), 2U);
  const TagRule& rule = config.rules->rules()[0];
  EXPECT_EQ(rule.tag.Text(), "keyspace{part=dict,kind=hot}");
  EXPECT_EQ(rule.processes, std::vector<std::string>{"redis-server"});
  EXPECT_EQ(rule.match, TagMatch::kInnermost);
  EXPECT_EQ(config.rules->rules()[1].match, TagMatch::kAny);
}

TEST(TagConfigTest, ReadsMetricsAndReplacesBuiltInOnes) {
  const TagConfig config = MustParse(R"(
metrics:
  - metric: cache_memory_usage_bytes
    tag: store
    labels: [cache_type, region]
  - {metric: open_carts, tag: cart, value: open_scopes, help: carts}
)");
  ASSERT_EQ(config.metrics.size(), 7U);
  EXPECT_EQ(config.metrics[3].tag, "store");
  EXPECT_EQ(config.metrics[3].labels,
            (std::vector<std::string>{"cache_type", "region"}));
  EXPECT_EQ(config.metrics[6].value, TagValue::kOpenScopes);
  EXPECT_EQ(config.metrics[6].help, "carts");
}

TEST(TagConfigTest, RefusesWhatIsWrongWithItsPlace) {
  EXPECT_EQ(Refusal("tags:\n  - {tag: a, function: '('}\n"),
            "tags.yaml line 2: tags[0] the pattern '(' of tag a cannot be "
            "read: missing ): (; write it as RE2 has it");
  for (const char* const text :
       {"rules: []\n", "tags: [{tag: a}]\n", "tags: [{function: f}]\n",
        "tags: [{tag: _a, function: f}]\n",
        "tags: [{tag: a, function: f, match: outer}]\n",
        "tags: [{tag: a, function: f, labels: {a: '', b: c}}]\n",
        "tags: [{tag: a, function: f, labels: {a: 1, b: 2, c: 3, d: 4, e: "
        "5}}]\n",
        "tags: [{tag: a, function: f, colour: red}]\n",
        "metrics: [{metric: 1a, tag: a}]\n", "metrics: [{metric: a}]\n",
        "metrics: [{tag: a}]\n", "metrics: [{metric: a_total, tag: a}]\n",
        "metrics: [{metric: a, tag: a, value: allocated_bytes}]\n",
        "metrics: [{metric: heapledger_x, tag: a}]\n",
        "metrics: [{metric: a, tag: a, labels: [pid]}]\n",
        "metrics: [{metric: a, tag: a, labels: [b, b]}]\n",
        "metrics: [{metric: a, tag: a}, {metric: a, tag: b}]\n",
        "metrics: [{metric: a, tag: a, value: heat}]\n"}) {
    EXPECT_NE(Refusal(text).find("tags.yaml line 1"), std::string::npos)
        << Refusal(text);
  }
}

}  // namespace
}  // namespace heapledger::collector
