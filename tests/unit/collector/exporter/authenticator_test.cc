// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/authenticator.h"

#include <crypt.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "absl/strings/escaping.h"
#include "collector/exporter/credentials.h"
#include "collector/exporter/password_hash.h"

namespace heapledger::collector {
namespace {

using Verdict = Authenticator::Verdict;

// Of the password "swordfish", cost 4.
constexpr const char* kHash =
    "$2b$04$abcdefghijklmnopqrstuugIEnm3ZbWF6xb2GcoE3L1CoGJFMKtu.";

// The least dear hash, with a salt of its own.
std::string Hashed(const std::string& password) {
  crypt_data scratch = {};
  char salt[CRYPT_GENSALT_OUTPUT_SIZE];
  ::crypt_gensalt_rn("$2b$", 4, nullptr, 0, salt, sizeof salt);
  return ::crypt_r(password.c_str(), salt, &scratch);
}

std::string Basic(const std::string& user, const std::string& password) {
  return "Basic " + absl::Base64Escape(user + ":" + password);
}

TEST(CredentialsTest, ReadsBothSchemes) {
  const auto basic = ParseAuthorization("bAsIc  YTpiOmM=  ");
  ASSERT_TRUE(basic);
  EXPECT_EQ(basic->user, "a");
  EXPECT_EQ(basic->secret, "b:c") << "colons belong to the password";
  const auto bearer = ParseAuthorization("Bearer abc.def");
  ASSERT_TRUE(bearer);
  EXPECT_EQ(bearer->secret, "abc.def");
  for (const char* none : {"", "Basic", "Basic ", "Basic !!",
                           "Basic YWI=", "Digest a=b", "Bearer ", "YTpi"}) {
    EXPECT_FALSE(ParseAuthorization(none)) << none;
  }
}

TEST(PasswordHashTest, TellsHashesFromOtherText) {
  EXPECT_FALSE(HashFault(kHash));
  std::string hash = kHash;
  hash[2] = 'y';
  EXPECT_FALSE(HashFault(hash)) << "as htpasswd writes it";
  EXPECT_TRUE(PasswordFits("swordfish", hash));
  EXPECT_TRUE(PasswordFits("swordfish", kHash));
  EXPECT_FALSE(PasswordFits("Swordfish", kHash));
  for (const char* none : {"", "secret", "$1$abc$def", "$2y$10$short"}) {
    EXPECT_TRUE(HashFault(none)) << none;
  }
  hash.replace(4, 2, "31");
  EXPECT_NE(HashFault(hash).value_or("").find("cost 31"), std::string::npos);
  hash.replace(4, 2, "03");
  EXPECT_TRUE(HashFault(hash));
  hash.replace(4, 2, "1x");
  EXPECT_TRUE(HashFault(hash));
  EXPECT_TRUE(HashFault(std::string(kHash) + "\n"));
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  // What an answer would be once a check has run.
  Verdict Ask(const std::string& authorization,
              const std::string& peer = "10.0.0.1") {
    PasswordCheck check;
    const Verdict verdict =
        authenticator_.Decide(authorization, peer, now_, &check);
    if (verdict != Verdict::kCheck) return verdict;
    ++checks_;
    const bool fits = check.Fits();
    authenticator_.Learn(check, fits, now_);
    return fits ? Verdict::kYes : Verdict::kNo;
  }

  Authenticator authenticator_;
  Authenticator::Clock::time_point now_ = Authenticator::Clock::now();
  int checks_ = 0;
};

TEST_F(AuthenticatorTest, LetsEverybodyInWhereNobodyIsNamed) {
  EXPECT_EQ(Ask(""), Verdict::kYes);
  EXPECT_FALSE(authenticator_.required());
}

TEST_F(AuthenticatorTest, ChecksAPasswordOnce) {
  authenticator_.Configure({{"alice", Hashed("swordfish")}}, {});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Ask(Basic("alice", "swordfish")), Verdict::kYes);
  }
  EXPECT_EQ(checks_, 1);
  EXPECT_EQ(Ask(""), Verdict::kNo);
  EXPECT_EQ(Ask(Basic("alice", "swordfishes")), Verdict::kNo);
  EXPECT_EQ(Ask(Basic("alice", std::string("swordfish\0x", 11))), Verdict::kNo);
  EXPECT_EQ(Ask(Basic("alice", "")), Verdict::kNo);
  EXPECT_EQ(Ask(Basic("bob", "swordfish")), Verdict::kNo);
  EXPECT_EQ(Ask("Bearer swordfish"), Verdict::kNo);
}

TEST_F(AuthenticatorTest, ForgetsAUserWhoseHashHasChanged) {
  authenticator_.Configure({{"alice", Hashed("swordfish")}}, {});
  EXPECT_EQ(Ask(Basic("alice", "swordfish")), Verdict::kYes);
  authenticator_.Configure({{"alice", Hashed("other")}}, {});
  EXPECT_EQ(Ask(Basic("alice", "swordfish")), Verdict::kNo);
  EXPECT_EQ(Ask(Basic("alice", "other")), Verdict::kYes);
  authenticator_.Configure({{"bob", Hashed("x")}}, {});
  EXPECT_EQ(Ask(Basic("alice", "other")), Verdict::kNo);
}

TEST_F(AuthenticatorTest, TakesTokensBesidePasswords) {
  authenticator_.Configure({{"alice", Hashed("swordfish")}},
                           {"token-of-the-day-1", "token-of-the-day-2"});
  EXPECT_EQ(Ask("Bearer token-of-the-day-1"), Verdict::kYes);
  EXPECT_EQ(Ask("Bearer token-of-the-day-2"), Verdict::kYes);
  EXPECT_EQ(Ask("Bearer token-of-the-day-"), Verdict::kNo);
  EXPECT_EQ(authenticator_.Challenges().size(), 2U);
}

TEST_F(AuthenticatorTest, SlowsDownWhoGuessesAndNobodyElse) {
  authenticator_.Configure({{"alice", Hashed("swordfish")}}, {});
  EXPECT_EQ(Ask(Basic("alice", "swordfish")), Verdict::kYes);
  int no = 0;
  for (int i = 0; i < 1000; ++i) {
    const Verdict verdict = Ask(Basic("alice", std::to_string(i)));
    if (verdict == Verdict::kNo) ++no;
    EXPECT_EQ(verdict, i < 10 ? Verdict::kNo : Verdict::kTooMany);
  }
  EXPECT_EQ(no, 10);
  EXPECT_EQ(checks_, 11);
  // Who is known passes even from that address; another address may guess.
  EXPECT_EQ(Ask(Basic("alice", "swordfish")), Verdict::kYes);
  EXPECT_EQ(Ask(Basic("alice", "x"), "10.0.0.2"), Verdict::kNo);
  EXPECT_EQ(Ask("Bearer guess"), Verdict::kTooMany);
  now_ += FailureLimit::kRefill;
  EXPECT_EQ(Ask(Basic("alice", "y")), Verdict::kNo);
  EXPECT_EQ(Ask(Basic("alice", "z")), Verdict::kTooMany);
}

TEST_F(AuthenticatorTest, DoesNotForgetWhoIsRightAmongWrongOnes) {
  authenticator_.Configure({{"alice", Hashed("swordfish")}}, {});
  EXPECT_EQ(Ask(Basic("alice", "swordfish")), Verdict::kYes);
  for (int i = 0; i < 400; ++i) {
    EXPECT_EQ(Ask(Basic("alice", std::to_string(i)), std::to_string(i)),
              Verdict::kNo);
  }
  checks_ = 0;
  EXPECT_EQ(Ask(Basic("alice", "swordfish")), Verdict::kYes);
  EXPECT_EQ(checks_, 0);
}

TEST(FailureLimitTest, ForgetsAddressesAndKeepsItsSize) {
  FailureLimit limit;
  const auto now = FailureLimit::Clock::now();
  for (std::size_t i = 0; i < 3 * FailureLimit::kMaxAddresses; ++i) {
    const std::string peer = std::to_string(i);
    ASSERT_TRUE(limit.Begin(peer, now + std::chrono::microseconds(i)));
    limit.End(peer, false, now + std::chrono::microseconds(i));
    ASSERT_LE(limit.addresses(), FailureLimit::kMaxAddresses);
  }
}

TEST(FailureLimitTest, BoundsTheGuessesThatAreBeingChecked) {
  FailureLimit limit;
  const auto now = FailureLimit::Clock::now();
  for (int i = 0; i < FailureLimit::kMaxPending; ++i) {
    EXPECT_TRUE(limit.Begin("a", now));
  }
  EXPECT_FALSE(limit.Begin("a", now));
  limit.End("a", true, now);
  EXPECT_TRUE(limit.Begin("a", now));
}

}  // namespace
}  // namespace heapledger::collector
