// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/password_hash.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

// $2y$10$ and 22 characters of salt and 31 of hash.
constexpr std::size_t kPrefixBytes = 7;
constexpr std::size_t kHashBytes = kPrefixBytes + 22 + 31;
constexpr const char* kLetters =
    "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

int CostOf(const std::string& hash) {
  const auto digit = [&hash](std::size_t i) {
    return hash[i] >= '0' && hash[i] <= '9' ? hash[i] - '0' : -100;
  };
  return digit(4) * 10 + digit(5);
}

}  // namespace

std::optional<std::string> HashFault(const std::string& hash) {
  static constexpr const char* kNone =
      "is no bcrypt hash; make one with htpasswd -nB USER";
  if (hash.size() != kHashBytes || hash[0] != '$' || hash[1] != '2' ||
      (hash[2] != 'a' && hash[2] != 'b' && hash[2] != 'y') || hash[3] != '$' ||
      hash[6] != '$' ||
      hash.find_first_not_of(kLetters, kPrefixBytes) != std::string::npos) {
    return kNone;
  }
  const int cost = CostOf(hash);
  if (cost < 4) return kNone;
  if (cost > kMaxHashCost) {
    return absl::StrCat("has a hash of cost ", cost,
                        ", which takes longer than a scrape; make one of cost ",
                        kMaxHashCost, " or less");
  }
  return std::nullopt;
}

bool PasswordFits(const std::string& password, const std::string& hash) {
  // crypt would stop at a NUL and take the start for the whole.
  if (password.find('\0') != std::string::npos) return false;
  const auto scratch = std::make_unique<crypt_data>();
  std::memset(scratch.get(), 0, sizeof(crypt_data));
  const char* const made =
      ::crypt_r(password.c_str(), hash.c_str(), scratch.get());
  const bool fits = made != nullptr && std::strlen(made) == hash.size() &&
                    CRYPTO_memcmp(made, hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(scratch.get(), sizeof(crypt_data));
  return fits;
}

}  // namespace heapledger::collector
