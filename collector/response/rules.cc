// SPDX-License-Identifier: Apache-2.0
#include "collector/response/rules.h"

#include <fnmatch.h>

#include <algorithm>

namespace heapledger::collector::response {
namespace {

using std::chrono::milliseconds;

bool Fits(const std::string& pattern, const std::string& text) {
  return pattern.empty() || ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

}  // namespace

bool Filter::Fits(const Target& target) const {
  const std::string file = target.exe.substr(target.exe.rfind('/') + 1);
  return response::Fits(process, target.process) &&
         (response::Fits(exe, target.exe) || response::Fits(exe, file)) &&
         response::Fits(cgroup, target.cgroup) &&
         (!python || *python == target.python);
}

bool Threshold::Entered(double value) const {
  return FactsOf(quantity).rising ? value >= enter : value <= enter;
}

bool Threshold::Held(double value) const {
  return FactsOf(quantity).rising ? value >= leave : value <= leave;
}

const Rule* Rules::For(const Target& target) const {
  const auto rule = std::ranges::find_if(
      rules, [&](const Rule& each) { return each.filter.Fits(target); });
  return rule == rules.end() ? nullptr : &*rule;
}

std::map<std::string, Level, std::less<>> KnownAlerts() {
  return {{"MemoryPressureEarly", Level::kLow},
          {"MemoryUsageHigh", Level::kMedium},
          {"MemoryUsageCritical", Level::kHigh},
          {"MemoryUsageFatal", Level::kCritical},
          {"AvailableMemoryLow", Level::kHigh},
          {"MemoryGrowthRateHigh", Level::kMedium},
          {"MemoryGrowthRateCritical", Level::kHigh},
          {"MemoryExhaustionImminent", Level::kHigh},
          {"MemoryExhaustionForecast", Level::kHigh},
          {"MemoryExhaustionPredicted", Level::kMedium},
          {"HeapGrowthSustained", Level::kMedium},
          {"MemoryFragmentationHigh", Level::kLow},
          {"MemoryLeakSuspect", Level::kMedium}};
}

Duration DefaultDwell(Level level) {
  switch (level) {
    case Level::kCritical:
      return milliseconds(500);
    case Level::kHigh:
      return milliseconds(2000);
    case Level::kMedium:
      return milliseconds(5000);
    default:
      return milliseconds(10'000);
  }
}

Duration DefaultCoolDown(Level level) {
  if (level == Level::kCritical) return std::chrono::seconds(30);
  return std::chrono::minutes(5);
}

double DefaultUsage(Level level) {
  switch (level) {
    case Level::kCritical:
      return 0.95;
    case Level::kHigh:
      return 0.9;
    case Level::kMedium:
      return 0.8;
    default:
      return 0.7;
  }
}

}  // namespace heapledger::collector::response
