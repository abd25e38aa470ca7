// SPDX-License-Identifier: Apache-2.0
// Who may read: users with bcrypt hashes and bearer tokens.
//
// A password takes bcrypt once; after that a keyed digest of what was sent is
// recognized, so that a scrape costs a hash of a few bytes. Nothing that was
// sent is kept. Everything is compared in constant time, and an unknown user
// takes as long as a known one.
//
// Thread safety: the I/O thread's, but for PasswordCheck::Fits(), which is made
// for another one.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "collector/exporter/failure_limit.h"

namespace heapledger::collector {

using SecretDigest = std::array<unsigned char, 32>;

// One password to be checked, with all that this takes.
struct PasswordCheck {
  std::string password;
  std::string hash;  // another user's where this one is unknown
  bool user_known = false;
  SecretDigest digest{};
  std::string peer;

  [[nodiscard]] bool Fits() const;
};

class Authenticator {
 public:
  using Clock = FailureLimit::Clock;
  using Users = std::map<std::string, std::string, std::less<>>;

  enum class Verdict {
    kYes,
    kNo,
    kTooMany,  // guesses from this address: no word on whether this is right
    kCheck,    // `check` has to run, then Learn()
  };

  // The next Decide() goes by these. Digests of other users stay valid.
  void Configure(Users users, const std::vector<std::string>& tokens);
  [[nodiscard]] bool required() const {
    return !users_.empty() || !tokens_.empty();
  }

  // `authorization` is the header's value, empty if there was none; `peer` an
  // address as guesses are counted.
  [[nodiscard]] Verdict Decide(const std::string& authorization,
                               const std::string& peer, Clock::time_point now,
                               PasswordCheck* check);
  void Learn(const PasswordCheck& check, bool fits, Clock::time_point now);
  // The check was not made.
  void Forget(const PasswordCheck& check, Clock::time_point now) {
    failures_.End(check.peer, true, now);
  }

  // Values for WWW-Authenticate, one a line.
  [[nodiscard]] std::vector<std::string> Challenges() const;

 private:
  struct DigestHash {
    std::size_t operator()(const SecretDigest& digest) const;
  };
  static constexpr std::size_t kMaxKnown = 128;

  Verdict DecideToken(const std::string& token, const std::string& peer,
                      Clock::time_point now);
  [[nodiscard]] SecretDigest DigestOf(
      std::initializer_list<std::string_view> parts) const;

  Users users_;
  std::vector<SecretDigest> tokens_;
  // What passwords turned out to be: digests of user, hash and password, so
  // that a changed hash makes its entries worthless.
  std::unordered_map<SecretDigest, bool, DigestHash> known_;
  FailureLimit failures_;
  SecretDigest key_ = RandomKey();
  static SecretDigest RandomKey();
};

}  // namespace heapledger::collector
