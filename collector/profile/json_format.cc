// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "collector/profile/figures.h"
#include "collector/profile/json_facts.h"
#include "collector/profile/json_writer.h"
#include "collector/profile/writers.h"

namespace heapledger::collector {
namespace {

// Raised when a reader of the one before would misread what is written.
constexpr int kJsonVersion = 1;

void WriteModules(const Profile& profile, JsonWriter& json) {
  json.NewLine().Key("modules").Begin('[');
  for (const ModuleInfo& module : profile.modules) {
    json.NewLine().Begin('{');
    json.Key("path").String(module.path);
    json.Key("build_id").String(BuildIdHex(module.build_id));
    json.End('}');
  }
  json.End(']');
}

// Returns where each location's frames begin.
std::vector<std::uint32_t> WriteFrames(const Profile& profile,
                                       JsonWriter& json) {
  std::vector<std::uint32_t> begins;
  std::uint32_t count = 0;
  json.NewLine().Key("frames").Begin('[');
  for (const ProfileLocation& location : profile.locations) {
    begins.push_back(count);
    for (const ResolvedFrame& frame : *location.names) {
      json.NewLine().Begin('{');
      json.Key("function").String(FrameFunction(frame));
      if (location.module != kNoModule) {
        json.Key("module").Int(location.module);
      }
      if (!frame.file.empty()) json.Key("file").String(frame.file);
      if (frame.line != 0) json.Key("line").Int(frame.line);
      json.Key("rel_pc").Int(frame.rel_pc);
      if (frame.inlined) json.Key("inlined").Bool(true);
      if (frame.python) json.Key("python").Bool(true);
      json.End('}');
      ++count;
    }
  }
  json.End(']');
  return begins;
}

void WriteCallsite(const Profile& profile, const ProfileSample& sample,
                   std::span<const std::uint32_t> frame_begins,
                   JsonWriter& json) {
  json.NewLine().Begin('{');
  json.Key("callsite").String(sample.callsite);
  json.Key("function").String(sample.name.function);
  json.Key("module").String(sample.name.module);
  if (!sample.name.file.empty()) json.Key("file").String(sample.name.file);
  if (sample.name.line != 0) json.Key("line").Int(sample.name.line);
  if (sample.tag != nullptr) {
    json.Key("tag").String(sample.tag->name);
    if (!sample.tag->labels.empty()) {
      json.Key("tag_labels").Begin('{');
      for (const TagLabel& label : sample.tag->labels) {
        json.Key(label.key).String(label.value);
      }
      json.End('}');
    }
  }
  json.Key("values");
  WriteValues(sample.values, json);
  if (profile.is_difference) {
    json.Key("before");
    WriteValues(sample.before, json);
  }
  for (const auto& [name, flag] :
       {std::pair{"truncated", sample.truncated},
        std::pair{"incomplete", sample.incomplete},
        std::pair{"cut", sample.cut}, std::pair{"inherited", sample.inherited},
        std::pair{"overflow", sample.overflow}}) {
    if (flag) json.Key(name).Bool(true);
  }
  json.Key("stack").Begin('[');
  for (const std::uint32_t location : profile.stack(sample)) {
    const std::size_t count = profile.locations[location].names->size();
    for (std::size_t i = 0; i < count; ++i) {
      json.Int(frame_begins[location] + i);
    }
  }
  json.End(']').End('}');
}

void WriteCallsites(const Profile& profile, const WriteOptions& options,
                    std::span<const std::uint32_t> frame_begins,
                    JsonWriter& json) {
  std::vector<std::size_t> order(profile.samples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return profile.samples[a].values.of(options.sort) >
           profile.samples[b].values.of(options.sort);
  });
  const std::size_t shown =
      options.limit == 0 ? order.size() : std::min(options.limit, order.size());
  json.NewLine().Key("callsites").Begin('[');
  for (std::size_t i = 0; i < shown; ++i) {
    WriteCallsite(profile, profile.samples[order[i]], frame_begins, json);
  }
  json.End(']');
  ProfileValues other;
  ProfileValues other_before;
  for (std::size_t i = shown; i < order.size(); ++i) {
    other += profile.samples[order[i]].values;
    other_before += profile.samples[order[i]].before;
  }
  json.NewLine().Key("other").Begin('{');
  json.Key("callsites").Int(order.size() - shown);
  json.Key("values");
  WriteValues(other, json);
  if (profile.is_difference) {
    json.Key("before");
    WriteValues(other_before, json);
  }
  json.End('}');
}

}  // namespace

std::string WriteJson(const Profile& profile, const WriteOptions& options) {
  JsonWriter json;
  json.Begin('{');
  json.NewLine().Key("heapledger_profile").Int(kJsonVersion);
  json.NewLine().Key("facts");
  WriteFacts(profile.facts, json);
  json.NewLine().Key("remarks").Begin('[');
  for (const std::string& remark : RemarksOn(profile)) json.String(remark);
  json.End(']');
  json.NewLine().Key("difference").Bool(profile.is_difference);
  json.NewLine().Key("totals");
  WriteValues(profile.totals, json);
  if (profile.is_difference) {
    json.NewLine().Key("before");
    WriteValues(profile.before_totals, json);
    json.NewLine().Key("compared").Begin('[');
    for (const ProfileFacts& facts : profile.compared) WriteFacts(facts, json);
    json.End(']');
  }
  WriteModules(profile, json);
  const std::vector<std::uint32_t> frame_begins = WriteFrames(profile, json);
  WriteCallsites(profile, options, frame_begins, json);
  json.End('}');
  return json.Take() + "\n";
}

}  // namespace heapledger::collector
