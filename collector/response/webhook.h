// SPDX-License-Identifier: Apache-2.0
// What Alertmanager posts (version 4), as far as it concerns programs here. A
// message can raise the level of a program that it names, and end what another
// one raised; nothing in it is a command.
//
// Thread safety: any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/response/alert_book.h"
#include "collector/response/rules.h"

namespace heapledger::collector::response {

inline constexpr std::size_t kMaxWebhookBytes = 256 << 10;
inline constexpr std::size_t kMaxWebhookAlerts = 1000;

// What became of a message; each is counted once.
enum class WebhookResult : std::uint8_t {
  kAccepted,
  kUnauthenticated,
  kBadSignature,
  kTooLarge,
  kRateLimited,
  kMalformed,
};
inline constexpr std::size_t kWebhookResults = 6;
[[nodiscard]] std::string_view WebhookResultWord(WebhookResult result);

// What became of an alert in it.
enum class AlertResult : std::uint8_t {
  kFiring,
  kResolved,
  kUnknown,         // no alert of that name means anything here
  kOtherInstance,   // of a collector elsewhere
  kWithoutProcess,  // it is about no program
  kTooMany,
};
inline constexpr std::size_t kAlertResults = 6;
[[nodiscard]] std::string_view AlertResultWord(AlertResult result);

struct ReadAlert {
  AlertResult result = AlertResult::kUnknown;
  Alert alert;  // where it is firing or resolved
};

// The alerts of a message. `instances`: what its label may say where it says
// anything. InvalidArgument for what is no such message.
[[nodiscard]] absl::StatusOr<std::vector<ReadAlert>> ParseWebhook(
    std::string_view body, const WebhookRules& rules,
    const std::set<std::string>& instances);

// Whether `header` ("sha256=" and hex) is the HMAC of `body`. Takes as long
// whatever it says.
[[nodiscard]] bool SignatureFits(std::string_view header,
                                 std::string_view secret,
                                 std::string_view body);

struct WebhookCounts {
  std::array<std::uint64_t, kWebhookResults> requests{};  // by WebhookResult
  std::array<std::uint64_t, kAlertResults> alerts{};      // by AlertResult
};

class Webhook {
 public:
  // Messages beyond it are refused; a burst of as many passes.
  static constexpr double kPerSecond = 10;

  struct Request {
    std::string_view body;
    std::string_view signature;  // the header; empty where there is none
    bool authenticated = false;  // the server knows who sent it
  };
  struct Answer {
    int status = 200;
    std::string text;  // one line
  };

  // `secret` is empty where no signature is asked for. `take` gets every alert
  // that is firing or resolved; it says no where there are too many.
  Webhook(WebhookRules rules, std::string secret,
          std::function<bool(const Alert&)> take)
      : rules_(std::move(rules)),
        secret_(std::move(secret)),
        take_(std::move(take)) {}

  // Names of this collector, beside those of the rules.
  void AddInstances(const std::vector<std::string>& names) {
    const std::lock_guard lock(mutex_);
    instances_.insert(names.begin(), names.end());
  }

  [[nodiscard]] Answer Take(const Request& request, Time now);
  [[nodiscard]] WebhookCounts counts() const;

 private:
  Answer Refuse(WebhookResult result, int status, std::string text);
  bool TakeRate(Time now);
  [[nodiscard]] std::set<std::string> instances() const {
    const std::lock_guard lock(mutex_);
    return instances_;
  }

  const WebhookRules rules_;
  const std::string secret_;
  const std::function<bool(const Alert&)> take_;

  mutable std::mutex mutex_;  // guards what follows
  std::set<std::string> instances_;
  WebhookCounts counts_;
  double allowed_ = kPerSecond;
  Time allowed_at_{};
};

}  // namespace heapledger::collector::response
