// SPDX-License-Identifier: Apache-2.0
#include "collector/response/webhook.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::response {

std::string_view WebhookResultWord(WebhookResult result) {
  constexpr std::array<std::string_view, kWebhookResults> kWords = {
      "accepted",  "unauthenticated", "bad_signature",
      "too_large", "rate_limited",    "malformed"};
  return kWords[static_cast<std::size_t>(result)];
}

std::string_view AlertResultWord(AlertResult result) {
  constexpr std::array<std::string_view, kAlertResults> kWords = {
      "firing",         "resolved",        "unknown",
      "other_instance", "without_process", "too_many"};
  return kWords[static_cast<std::size_t>(result)];
}

bool SignatureFits(std::string_view header, std::string_view secret,
                   std::string_view body) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(body.data()), body.size(),
           digest.data(), &size) == nullptr) {
    return false;
  }
  const std::string wanted =
      "sha256=" + absl::BytesToHexString(absl::string_view(
                      reinterpret_cast<const char*>(digest.data()), size));
  const std::string sent =
      absl::AsciiStrToLower(absl::string_view(header.data(), header.size()));
  return sent.size() == wanted.size() &&
         CRYPTO_memcmp(sent.data(), wanted.data(), wanted.size()) == 0;
}

Webhook::Answer Webhook::Refuse(WebhookResult result, int status,
                                std::string text) {
  const std::lock_guard lock(mutex_);
  ++counts_.requests[static_cast<std::size_t>(result)];
  return {status, std::move(text) + "\n"};
}

bool Webhook::TakeRate(Time now) {
  const std::lock_guard lock(mutex_);
  const double earned =
      kPerSecond * std::chrono::duration<double>(now - allowed_at_).count();
  // The clock's start is long ago, and threads may come out of order.
  allowed_ = std::min(kPerSecond, allowed_ + std::max(earned, 0.0));
  allowed_at_ = std::max(now, allowed_at_);
  if (allowed_ < 1) return false;
  allowed_ -= 1;
  return true;
}

Webhook::Answer Webhook::Take(const Request& request, Time now) {
  if (request.body.size() > kMaxWebhookBytes) {
    return Refuse(WebhookResult::kTooLarge, 413,
                  "the message is longer than 256 KiB; set max_alerts");
  }
  if (!secret_.empty()) {
    if (!SignatureFits(request.signature, secret_, request.body)) {
      return Refuse(WebhookResult::kBadSignature, 403,
                    "the header X-Heapledger-Signature does not fit the "
                    "body; sign it with the secret of secret_file");
    }
  } else if (!request.authenticated) {
    // Anybody on this host could have programs stopped.
    return Refuse(WebhookResult::kUnauthenticated, 403,
                  "alerts are taken of known senders only; give collect "
                  "--bearer-token-file, or the rules a secret_file");
  }
  // After the question who it is: a stranger must not use up the others' rate.
  if (!TakeRate(now)) {
    return Refuse(WebhookResult::kRateLimited, 429,
                  "more messages than are taken; try again in a second");
  }
  const auto alerts = ParseWebhook(request.body, rules_, instances());
  if (!alerts.ok()) {
    return Refuse(WebhookResult::kMalformed, 400,
                  absl::StrCat("this is no message of Alertmanager: ",
                               alerts.status().message()));
  }
  WebhookCounts taken;
  for (const ReadAlert& each : *alerts) {
    AlertResult result = each.result;
    const bool ours =
        result == AlertResult::kFiring || result == AlertResult::kResolved;
    if (ours && !take_(each.alert)) result = AlertResult::kTooMany;
    ++taken.alerts[static_cast<std::size_t>(result)];
  }
  const std::lock_guard lock(mutex_);
  ++counts_.requests[static_cast<std::size_t>(WebhookResult::kAccepted)];
  for (std::size_t i = 0; i < kAlertResults; ++i) {
    counts_.alerts[i] += taken.alerts[i];
  }
  const auto count = [&taken](AlertResult result) {
    return taken.alerts[static_cast<std::size_t>(result)];
  };
  return {200, absl::StrCat(count(AlertResult::kFiring), " firing, ",
                            count(AlertResult::kResolved), " resolved, ",
                            alerts->size() - count(AlertResult::kFiring) -
                                count(AlertResult::kResolved),
                            " left alone\n")};
}

WebhookCounts Webhook::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace heapledger::collector::response
