// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/page_data.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "collector/profile/frame_tree.h"
#include "collector/profile/json_facts.h"
#include "collector/profile/json_writer.h"

namespace heapledger::collector {
namespace {

constexpr std::array kValues = {
    ProfileValue::kLiveBytes, ProfileValue::kLiveObjects,
    ProfileValue::kAllocatedBytes, ProfileValue::kAllocations};

class StringNumbers {
 public:
  std::uint32_t Of(std::string_view text) {
    const auto [place, added] = numbers_.try_emplace(
        std::string(text), static_cast<std::uint32_t>(strings_.size()));
    // Nodes of an unordered_map stay where they are.
    if (added) strings_.push_back(place->first);
    return place->second;
  }
  [[nodiscard]] const std::vector<std::string_view>& strings() const {
    return strings_;
  }

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<std::string_view> strings_;
};

template <typename List, typename ToNumber>
void WriteColumn(std::string_view key, const List& list, ToNumber to_number,
                 JsonWriter& json) {
  json.NewLine().Key(key).Begin('[');
  for (const auto& item : list) json.Int(to_number(item));
  json.End(']');
}

int FlagsOf(const ProfileSample& sample) {
  return (sample.truncated ? 1 : 0) | (sample.incomplete ? 2 : 0) |
         (sample.cut ? 4 : 0) | (sample.inherited ? 8 : 0);
}

void WriteFactsOf(const Profile& profile, JsonWriter& json) {
  json.Key("facts");
  WriteFacts(profile.facts, json);
  json.NewLine().Key("remarks").Begin('[');
  for (const std::string& remark : profile.facts.remarks) json.String(remark);
  json.End(']');
  json.Key("difference").Bool(profile.is_difference);
  json.Key("compared").Begin('[');
  for (const ProfileFacts& facts : profile.compared) WriteFacts(facts, json);
  json.End(']');
  json.Key("totals");
  WriteValues(profile.totals, json);
  json.Key("before");
  WriteValues(profile.before_totals, json);
  const StackLosses losses = LossesOf(profile);
  json.Key("losses").Begin('{');
  json.Key("truncated");
  WriteValues(losses.truncated, json);
  json.Key("incomplete");
  WriteValues(losses.incomplete, json);
  json.Key("cut");
  WriteValues(losses.cut, json);
  json.End('}');
}

void WriteTree(const FrameTree& tree, StringNumbers& numbers,
               JsonWriter& json) {
  WriteColumn(
      "functions", tree.frames(),
      [&](const TreeFrame& f) { return numbers.Of(f.function); }, json);
  WriteColumn(
      "modules", tree.frames(),
      [&](const TreeFrame& f) { return numbers.Of(f.module); }, json);
  // Most nodes are their parent's next: a list of ones packs well.
  json.NewLine().Key("ups").Begin('[');
  for (std::size_t node = 0; node < tree.size(); ++node) {
    json.Int(node - tree.parents()[node]);
  }
  json.End(']');
  WriteColumn(
      "frames", tree.frame_indexes(), [](std::uint32_t frame) { return frame; },
      json);
}

void WriteCallsites(const Profile& profile, const FrameTree& tree,
                    StringNumbers& numbers, JsonWriter& json) {
  using Sample = ProfileSample;
  const std::vector<Sample>& samples = profile.samples;
  json.NewLine().Key("callsites").Begin('{');
  WriteColumn(
      "node", tree.leaves(), [](std::uint32_t node) { return node; }, json);
  WriteColumn(
      "function", samples,
      [&](const Sample& s) { return numbers.Of(s.name.function); }, json);
  WriteColumn(
      "module", samples,
      [&](const Sample& s) { return numbers.Of(s.name.module); }, json);
  WriteColumn(
      "file", samples, [&](const Sample& s) { return numbers.Of(s.name.file); },
      json);
  WriteColumn(
      "line", samples, [](const Sample& s) { return s.name.line; }, json);
  WriteColumn("flags", samples, FlagsOf, json);
  json.NewLine().Key("id").Begin('[');
  for (const Sample& sample : samples) json.String(sample.callsite);
  json.End(']').NewLine().Key("values").Begin('[');
  for (const ProfileValue value : kValues) {
    json.Begin('[');
    for (const Sample& sample : samples) json.Int(sample.values.of(value));
    json.End(']');
  }
  json.End(']');
  if (profile.is_difference) {
    json.NewLine().Key("before_values").Begin('[');
    for (const ProfileValue value : kValues) {
      json.Begin('[');
      for (const Sample& sample : samples) json.Int(sample.before.of(value));
      json.End(']');
    }
    json.End(']');
  }
  json.End('}');
}

}  // namespace

std::string PageData(const Profile& profile, const WriteOptions& options) {
  const FrameTree tree(profile);
  StringNumbers numbers;
  JsonWriter json;
  json.Begin('{');
  WriteFactsOf(profile, json);
  json.NewLine().Key("value").Int(static_cast<int>(options.value));
  json.Key("sort").Int(static_cast<int>(options.sort));
  WriteTree(tree, numbers, json);
  WriteCallsites(profile, tree, numbers, json);
  json.NewLine().Key("strings").Begin('[');
  for (const std::string_view text : numbers.strings()) {
    json.NewLine().String(text);
  }
  json.End(']').End('}');
  return json.Take();
}

}  // namespace heapledger::collector
