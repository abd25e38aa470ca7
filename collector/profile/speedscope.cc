// SPDX-License-Identifier: Apache-2.0
// https://www.speedscope.app/file-format-schema.json, "sampled" profiles: one
// per value, or two of a difference, as a weight there is no less than zero.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/profile/foreign_text.h"
#include "collector/profile/frame_tree.h"
#include "collector/profile/json_writer.h"
#include "collector/profile/writers.h"

namespace heapledger::collector {
namespace {

constexpr std::array kValues = {
    ProfileValue::kLiveBytes, ProfileValue::kLiveObjects,
    ProfileValue::kAllocatedBytes, ProfileValue::kAllocations};

// The numbers of a profile's frames, outermost first.
std::vector<std::uint32_t> PathTo(const FrameTree& tree, std::uint32_t leaf) {
  std::vector<std::uint32_t> path;
  for (std::uint32_t node = leaf; node != 0; node = tree.parents()[node]) {
    path.push_back(tree.frame_indexes()[node]);
  }
  return {path.rbegin(), path.rend()};
}

void WriteSampled(const std::string& name, ProfileValue value,
                  const FrameTree& tree, std::span<const std::int64_t> weights,
                  JsonWriter& json) {
  std::int64_t sum = 0;
  json.NewLine().Begin('{');
  json.Key("type").String("sampled");
  json.Key("name").String(name);
  json.Key("unit").String(IsBytes(value) ? "bytes" : "none");
  json.Key("samples").Begin('[');
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    json.NewLine().Begin('[');
    for (const std::uint32_t frame : PathTo(tree, tree.leaves()[i])) {
      json.Int(frame);
    }
    json.End(']');
  }
  json.End(']').NewLine().Key("weights").Begin('[');
  for (const std::int64_t weight : weights) {
    if (weight != 0) json.Int(weight);
    sum += weight;
  }
  json.End(']');
  json.Key("startValue").Int(0);
  json.Key("endValue").Int(sum);
  json.End('}');
}

// The rises, or the falls as positive numbers.
std::vector<std::int64_t> OneWay(std::vector<std::int64_t> changes, int way) {
  for (std::int64_t& change : changes) {
    change = change * way > 0 ? change * way : 0;
  }
  return changes;
}

}  // namespace

std::string WriteSpeedscope(const Profile& profile,
                            const WriteOptions& options) {
  const FrameTree tree(profile);
  JsonWriter json;
  json.Begin('{');
  json.Key("$schema").String(
      "https://www.speedscope.app/file-format-schema.json");
  json.Key("exporter").String("heapledger");
  json.Key("name").String(
      absl::StrCat(profile.facts.program, " pid ", profile.facts.pid));
  const int per_value = profile.is_difference ? 2 : 1;
  json.Key("activeProfileIndex")
      .Int(per_value * static_cast<int>(options.value));
  json.NewLine().Key("shared").Begin('{').Key("frames").Begin('[');
  for (const TreeFrame& frame : tree.frames()) {
    json.NewLine().Begin('{').Key("name").String(frame.function);
    if (!frame.module.empty()) json.Key("file").String(frame.module);
    json.End('}');
  }
  json.End(']').End('}');
  json.NewLine().Key("profiles").Begin('[');
  for (const ProfileValue value : kValues) {
    const std::string name = ValueWord(value);
    const std::vector<std::int64_t> weights = SampleValues(profile, value);
    if (profile.is_difference) {
      WriteSampled(name + " that grew", value, tree, OneWay(weights, 1), json);
      WriteSampled(name + " that shrank", value, tree, OneWay(weights, -1),
                   json);
    } else {
      WriteSampled(name, value, tree, weights, json);
    }
  }
  json.End(']').End('}');
  return json.Take() + "\n";
}

}  // namespace heapledger::collector
