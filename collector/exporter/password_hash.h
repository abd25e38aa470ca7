// SPDX-License-Identifier: Apache-2.0
// bcrypt, as `htpasswd -nB` writes it, checked by the C library's crypt(3).
#pragma once

#include <optional>
#include <string>

namespace heapledger::collector {

// Cost above which a check takes longer than a scrape (10 is some 70 ms, each
// step more doubles it).
inline constexpr int kMaxHashCost = 16;

// What is wrong with a hash, as the end of a sentence; nullopt if nothing is.
[[nodiscard]] std::optional<std::string> HashFault(const std::string& hash);

// Takes from 70 ms up to seconds. Any thread. REQUIRES: !HashFault(hash).
[[nodiscard]] bool PasswordFits(const std::string& password,
                                const std::string& hash);

}  // namespace heapledger::collector
