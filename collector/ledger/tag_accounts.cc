// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/tag_accounts.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace heapledger::collector {
namespace {

// FNV-1a: the same in every process, so that equals keep their order.
Fingerprint HashOf(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return Fingerprint(hash);
}

bool IsApart(const TagAccount& account) {
  return account.tag.labels.empty() && (account.tag.name == kUntaggedName ||
                                        account.tag.name == kOtherTagName);
}

}  // namespace

std::vector<TagAccount> AccountsByTag(const LedgerSnapshot& snapshot) {
  const std::vector<TagInfo>& tags = snapshot.tables->tags;
  if (tags.empty()) return {};
  std::vector<TagAccount> accounts;
  std::map<std::string, std::size_t> known;
  std::vector<std::size_t> place;  // by tag index
  for (const TagInfo& tag : tags) {
    const auto [found, added] = known.try_emplace(tag.Text(), accounts.size());
    if (added) accounts.push_back({tag, {}, {}});
    place.push_back(found->second);
  }
  const std::size_t untagged =
      known.try_emplace(std::string(kUntaggedName), accounts.size())
          .first->second;
  if (untagged == accounts.size()) {
    accounts.push_back({{std::string(kUntaggedName), {}}, {}, {}});
  }
  for (std::size_t i = 0; i < snapshot.counters.size(); ++i) {
    const CallsiteInfo& callsite = snapshot.tables->callsites[i];
    std::size_t account =
        callsite.tag < place.size() ? place[callsite.tag] : untagged;
    // What found no callsite had some tag or none: nobody knows.
    if (callsite.overflow && snapshot.counters[i] != HeapCounters()) {
      account = known.try_emplace(std::string(kOtherTagName), accounts.size())
                    .first->second;
      if (account == accounts.size()) {
        accounts.push_back({{std::string(kOtherTagName), {}}, {}, {}});
      }
    }
    accounts[account].counters += snapshot.counters[i];
  }
  for (std::size_t i = 0; i < std::min(snapshot.scopes.size(), place.size());
       ++i) {
    accounts[place[i]].scopes += snapshot.scopes[i];
  }
  std::ranges::stable_sort(
      accounts, std::greater(),
      [](const TagAccount& account) { return account.counters.live_bytes(); });
  return accounts;
}

TopTags::Selection TopTags::Select(const std::vector<TagAccount>& accounts) {
  std::vector<CallsiteAccount> ranked;
  std::vector<std::size_t> index;
  Selection selection;
  selection.other.tag.name = kOtherTagName;
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    if (IsApart(accounts[i])) {
      if (accounts[i].tag.name == kUntaggedName) selection.rows.push_back(i);
      continue;
    }
    ranked.push_back({HashOf(accounts[i].tag.Text()), accounts[i].counters});
    index.push_back(i);
  }
  for (const std::size_t row : top_.Select(ranked).rows) {
    selection.rows.push_back(index[row]);
  }
  std::vector<bool> shown(accounts.size());
  for (const std::size_t row : selection.rows) shown[row] = true;
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    if (shown[i]) continue;
    selection.other.counters += accounts[i].counters;
    selection.other.scopes += accounts[i].scopes;
    if (!IsApart(accounts[i])) ++selection.other_tags;
  }
  return selection;
}

}  // namespace heapledger::collector
