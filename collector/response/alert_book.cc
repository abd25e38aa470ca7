// SPDX-License-Identifier: Apache-2.0
#include "collector/response/alert_book.h"

#include <algorithm>

namespace heapledger::collector::response {

bool AlertBook::Take(const Alert& alert, Time now) {
  if (alert.level == Level::kNone) {
    const auto process = alerts_.find(alert.process);
    if (process == alerts_.end()) return true;
    size_ -= process->second.erase(alert.fingerprint);
    if (process->second.empty()) alerts_.erase(process);
    return true;
  }
  ByFingerprint& firing = alerts_[alert.process];
  const bool known = firing.contains(alert.fingerprint);
  if (!known && size_ >= kMaxAlerts) {
    if (firing.empty()) alerts_.erase(alert.process);
    return false;
  }
  if (!known) ++size_;
  firing[alert.fingerprint] = {alert.pid, alert.level, now + expire_};
  return true;
}

Level AlertBook::For(const std::string& process, std::uint32_t pid,
                     Time now) const {
  Level level = Level::kNone;
  const auto found = alerts_.find(process);
  if (found == alerts_.end()) return level;
  for (const auto& [fingerprint, firing] : found->second) {
    if (now >= firing.until || firing.pid.value_or(pid) != pid) continue;
    level = std::max(level, firing.level);
  }
  return level;
}

void AlertBook::Expire(Time now) {
  for (auto& [process, firing] : alerts_) {
    size_ -= std::erase_if(
        firing, [now](const auto& each) { return now >= each.second.until; });
  }
  std::erase_if(alerts_, [](const auto& each) { return each.second.empty(); });
}

}  // namespace heapledger::collector::response
