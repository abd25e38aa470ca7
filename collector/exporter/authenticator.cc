// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/authenticator.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "collector/exporter/credentials.h"
#include "collector/exporter/password_hash.h"

namespace heapledger::collector {

bool PasswordCheck::Fits() const {
  const bool fits = PasswordFits(password, hash);
  return fits && user_known;
}

SecretDigest Authenticator::RandomKey() {
  SecretDigest key{};
  // Without randomness nothing of TLS would work either.
  if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1) std::abort();
  return key;
}

std::size_t Authenticator::DigestHash::operator()(
    const SecretDigest& digest) const {
  std::size_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

SecretDigest Authenticator::DigestOf(
    std::initializer_list<std::string_view> parts) const {
  // Each part with its length in front: no two lists make the same text.
  std::string text;
  for (const std::string_view part : parts) {
    const std::uint64_t size = part.size();
    text.append(reinterpret_cast<const char*>(&size), sizeof size);
    text.append(part);
  }
  SecretDigest digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       digest.data(), &size);
  OPENSSL_cleanse(text.data(), text.size());
  return digest;
}

void Authenticator::Configure(Users users,
                              const std::vector<std::string>& tokens) {
  users_ = std::move(users);
  tokens_.clear();
  for (const std::string& token : tokens) tokens_.push_back(DigestOf({token}));
}

Authenticator::Verdict Authenticator::DecideToken(const std::string& token,
                                                  const std::string& peer,
                                                  Clock::time_point now) {
  const SecretDigest digest = DigestOf({token});
  bool found = false;
  for (const SecretDigest& known : tokens_) {
    found |= CRYPTO_memcmp(known.data(), digest.data(), digest.size()) == 0;
  }
  if (found) return Verdict::kYes;
  if (!failures_.Begin(peer, now)) return Verdict::kTooMany;
  failures_.End(peer, false, now);
  return Verdict::kNo;
}

Authenticator::Verdict Authenticator::Decide(const std::string& authorization,
                                             const std::string& peer,
                                             Clock::time_point now,
                                             PasswordCheck* check) {
  if (!required()) return Verdict::kYes;
  const std::optional<Credentials> sent = ParseAuthorization(authorization);
  if (!sent) return Verdict::kNo;
  if (sent->kind == Credentials::Kind::kBearer) {
    return DecideToken(sent->secret, peer, now);
  }
  if (users_.empty()) return Verdict::kNo;
  const auto user = users_.find(sent->user);
  const bool user_known = user != users_.end();
  const std::string& hash = user_known ? user->second : users_.begin()->second;
  const SecretDigest digest =
      DigestOf({sent->user, user_known ? hash : "", sent->secret});
  const auto known = known_.find(digest);
  if (known != known_.end() && known->second) return Verdict::kYes;
  if (!failures_.Begin(peer, now)) return Verdict::kTooMany;
  if (known != known_.end()) {
    failures_.End(peer, false, now);
    return Verdict::kNo;
  }
  *check = {sent->secret, hash, user_known, digest, peer};
  return Verdict::kCheck;
}

void Authenticator::Learn(const PasswordCheck& check, bool fits,
                          Clock::time_point now) {
  failures_.End(check.peer, fits, now);
  // Guesses make room first: they must not drive out who is right.
  if (known_.size() >= kMaxKnown) {
    std::erase_if(known_, [](const auto& entry) { return !entry.second; });
  }
  if (known_.size() >= kMaxKnown) known_.clear();
  known_.emplace(check.digest, fits);
}

std::vector<std::string> Authenticator::Challenges() const {
  std::vector<std::string> challenges;
  if (!users_.empty()) {
    challenges.emplace_back("Basic realm=\"heapledger\", charset=\"UTF-8\"");
  }
  if (!tokens_.empty()) {
    challenges.emplace_back("Bearer realm=\"heapledger\"");
  }
  return challenges;
}

}  // namespace heapledger::collector
