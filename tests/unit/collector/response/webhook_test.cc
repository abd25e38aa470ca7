// SPDX-License-Identifier: Apache-2.0
#include "collector/response/webhook.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "collector/monitoring/tables.h"

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;

WebhookRules Known() {
  WebhookRules rules;
  rules.alerts = KnownAlerts();
  return rules;
}

std::string AlertText(const std::string& name, const std::string& labels,
                      const std::string& status = "firing") {
  return R"({"status":")" + status + R"(","fingerprint":"f1","labels":{)" +
         R"("alertname":")" + name + "\"" + labels + "}}";
}

std::string Message(const std::string& alerts) {
  return R"({"version":"4","status":"firing","alerts":[)" + alerts + "]}";
}

constexpr char kOfDb[] = R"(,"process":"db","pid":"42","instance":"h:1")";

TEST(WebhookBodyTest, AnAlertNamesAProcess) {
  const auto read = ParseWebhook(Message(AlertText("MemoryUsageFatal", kOfDb)),
                                 Known(), {"h:1"});
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(read->at(0).result, AlertResult::kFiring);
  EXPECT_EQ(read->at(0).alert.process, "db");
  EXPECT_EQ(read->at(0).alert.pid, 42U);
  EXPECT_EQ(read->at(0).alert.level, Level::kCritical);
  EXPECT_EQ(read->at(0).alert.fingerprint, "f1");
}

TEST(WebhookBodyTest, WhatIsNotOursIsLeftAlone) {
  const std::pair<std::string, AlertResult> cases[] = {
      {AlertText("DiskFull", kOfDb), AlertResult::kUnknown},
      {AlertText("MemoryUsageFatal", ""), AlertResult::kWithoutProcess},
      {AlertText("MemoryUsageFatal", R"(,"process":"db","instance":"x:1")"),
       AlertResult::kOtherInstance},
      {AlertText("MemoryUsageFatal", R"(,"process":"db")"),
       AlertResult::kFiring},
      {AlertText("MemoryUsageFatal", kOfDb, "resolved"),
       AlertResult::kResolved},
  };
  for (const auto& [text, result] : cases) {
    const auto read = ParseWebhook(Message(text), Known(), {"h:1"});
    ASSERT_TRUE(read.ok()) << text;
    EXPECT_EQ(read->at(0).result, result) << text;
  }
}

TEST(WebhookBodyTest, WhatIsNoMessageIsRefused) {
  const std::string deep(100'000, '[');
  for (const std::string& body :
       {std::string(), std::string("[]"), std::string("{"),
        std::string(R"({"version":"3","alerts":[]})"),
        std::string(R"({"version":"4"})"), Message("7"), Message("{}"),
        Message(R"({"labels":{},"status":"maybe"})"),
        Message(
            AlertText("MemoryUsageFatal", R"(,"process":"db","pid":"many")")),
        R"({"version":"4","alerts":)" + deep}) {
    EXPECT_FALSE(ParseWebhook(body, Known(), {}).ok()) << body.substr(0, 80);
  }
}

// What `heapledger rules` calls its alerts is what is known here. A forecast
// wakes somebody up, and is no reason yet to do the worst.
TEST(WebhookBodyTest, EveryKnownAlertIsOneOfTheRulesAndAsBad) {
  for (const auto& [name, level] : KnownAlerts()) {
    bool found = false;
    for (const monitoring::Alert& alert : monitoring::AllAlerts()) {
      if (alert.name != name) continue;
      found = true;
      const bool forecast = name.starts_with("MemoryExhaustion") &&
                            alert.severity == monitoring::Severity::kCritical;
      const bool same = monitoring::SeverityWord(alert.severity) ==
                        LevelWord(forecast ? Level::kCritical : level);
      EXPECT_TRUE(!forecast || level == Level::kHigh) << name;
      EXPECT_TRUE(same) << name << " is "
                        << monitoring::SeverityWord(alert.severity);
    }
    EXPECT_TRUE(found) << name;
  }
}

TEST(SignatureTest, FitsTheBodyAndTheSecret) {
  EXPECT_FALSE(SignatureFits("", "key", "body"));
  EXPECT_FALSE(SignatureFits("sha256=", "key", "body"));
  // RFC 4231, test case 2.
  const std::string known =
      "sha256="
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  EXPECT_TRUE(SignatureFits(known, "Jefe", "what do ya want for nothing?"));
  EXPECT_FALSE(SignatureFits(known, "Jefe", "what do ya want for something?"));
  EXPECT_FALSE(SignatureFits(known, "jefe", "what do ya want for nothing?"));
}

class WebhookTest : public ::testing::Test {
 protected:
  Webhook::Answer Post(Webhook& webhook, const std::string& body,
                       Time now = 1000s, bool authenticated = true) {
    return webhook.Take(
        {.body = body, .signature = {}, .authenticated = authenticated}, now);
  }
  static std::uint64_t Count(const Webhook& webhook, WebhookResult result) {
    return webhook.counts().requests[static_cast<std::size_t>(result)];
  }

  std::vector<Alert> taken_;
  Webhook webhook_{Known(), "", [this](const Alert& alert) {
                     taken_.push_back(alert);
                     return taken_.size() < 3;
                   }};
};

TEST_F(WebhookTest, TakesWhatConcernsPrograms) {
  webhook_.AddInstances({"h:1"});
  const auto answer =
      Post(webhook_, Message(AlertText("MemoryUsageFatal", kOfDb) + "," +
                             AlertText("Other", kOfDb) + "," +
                             AlertText("MemoryUsageHigh", kOfDb, "resolved")));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.text, "1 firing, 1 resolved, 1 left alone\n");
  ASSERT_EQ(taken_.size(), 2U);
  EXPECT_EQ(taken_[0].level, Level::kCritical);
  EXPECT_EQ(taken_[1].level, Level::kNone);
  EXPECT_EQ(Count(webhook_, WebhookResult::kAccepted), 1U);
}

TEST_F(WebhookTest, StrangersAreRefused) {
  EXPECT_EQ(Post(webhook_, Message(""), 1000s, false).status, 403);
  EXPECT_EQ(Count(webhook_, WebhookResult::kUnauthenticated), 1U);
  EXPECT_TRUE(taken_.empty());
}

TEST_F(WebhookTest, WithASecretTheSignatureCounts) {
  Webhook webhook(Known(), "Jefe", [](const Alert&) { return true; });
  EXPECT_EQ(Post(webhook, Message("")).status, 403);
  EXPECT_EQ(Count(webhook, WebhookResult::kBadSignature), 1U);
  const auto answer = webhook.Take(
      {.body = "what do ya want for nothing?",
       .signature = "sha256=5BDCC146bf60754e6a042426089575c75a003f089d2739839d"
                    "ec58b964ec3843",
       .authenticated = false},
      1000s);
  // It is who it says, and no message.
  EXPECT_EQ(answer.status, 400);
}

TEST_F(WebhookTest, AFloodIsHeldBackAndPasses) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Post(webhook_, Message(""), 1000s).status, 200);
  }
  EXPECT_EQ(Post(webhook_, Message(""), 1000s).status, 429);
  // Strangers do not use up the rate of those who are known.
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Post(webhook_, Message(""), 1001s, false).status, 403);
  }
  EXPECT_EQ(Post(webhook_, Message(""), 1001s).status, 200);
  EXPECT_EQ(Count(webhook_, WebhookResult::kRateLimited), 1U);
}

TEST_F(WebhookTest, TooMuchIsRefused) {
  EXPECT_EQ(Post(webhook_, std::string(kMaxWebhookBytes + 1, ' ')).status, 413);
  std::string many = AlertText("X", "");
  for (std::size_t i = 0; i < kMaxWebhookAlerts; ++i) {
    many += "," + AlertText("X", "");
  }
  EXPECT_EQ(Post(webhook_, Message(many)).status, 400);
}

}  // namespace
}  // namespace heapledger::collector::response
