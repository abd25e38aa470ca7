// SPDX-License-Identifier: Apache-2.0
// profile.proto, version 3 of pprof's format. Field numbers are those of
// https://github.com/google/pprof/blob/main/proto/profile.proto
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "collector/profile/figures.h"
#include "collector/profile/foreign_text.h"
#include "collector/profile/gzip_file.h"
#include "collector/profile/protobuf_writer.h"
#include "collector/profile/writers.h"

namespace heapledger::collector {
namespace {

// Numbers of fields, message by message.
enum ProfileField : std::uint32_t {
  kSampleType = 1,
  kSample = 2,
  kMapping = 3,
  kLocation = 4,
  kFunction = 5,
  kStringTable = 6,
  kTimeNanos = 9,
  kPeriodType = 11,
  kPeriod = 12,
  kComment = 13,
  kDefaultSampleType = 14,
};
enum ValueTypeField : std::uint32_t { kType = 1, kUnit = 2 };
enum SampleField : std::uint32_t {
  kLocationIds = 1,
  kValues = 2,
  kLabel = 3,
};
enum LabelField : std::uint32_t { kKey = 1, kText = 2 };
enum MappingField : std::uint32_t {
  kMappingId = 1,
  kMemoryStart = 2,
  kMemoryLimit = 3,
  kFileOffset = 4,
  kFileName = 5,
  kBuildId = 6,
  kHasFunctions = 7,
  kHasFileNames = 8,
  kHasLineNumbers = 9,
  kHasInlineFrames = 10,
};
enum LocationField : std::uint32_t {
  kLocationId = 1,
  kLocationMapping = 2,
  kAddress = 3,
  kLine = 4,
};
enum LineField : std::uint32_t { kLineFunction = 1, kLineNumber = 2 };
enum FunctionField : std::uint32_t {
  kFunctionId = 1,
  kName = 2,
  kSystemName = 3,
  kSourceFile = 4,
};

class PprofWriter {
 public:
  explicit PprofWriter(const Profile& profile) : profile_(profile) {
    Number("");  // the first string is always the empty one
  }

  std::string Write() {
    AddTypes();
    AddMappings();
    for (std::size_t i = 0; i < profile_.locations.size(); ++i) AddLocation(i);
    for (const ProfileSample& sample : profile_.samples) AddSample(sample);
    AddFacts();
    for (const std::string_view text : strings_) {
      out_.AddBytes(kStringTable, text);
    }
    return out_.bytes();
  }

 private:
  // Readers refuse a string that is no UTF-8.
  std::int64_t Number(std::string_view text) {
    const auto next = static_cast<std::int64_t>(strings_.size());
    const auto [place, added] = numbers_.try_emplace(OneLine(text), next);
    // Nodes of an unordered_map stay where they are.
    if (added) strings_.push_back(place->first);
    return place->second;
  }

  ProtobufWriter ValueType(std::string_view type, std::string_view unit) {
    ProtobufWriter value;
    value.AddInt(kType, Number(type));
    value.AddInt(kUnit, Number(unit));
    return value;
  }

  void AddTypes() {
    for (const auto& [type, unit] : {std::pair{"alloc_objects", "count"},
                                     std::pair{"alloc_space", "bytes"},
                                     std::pair{"inuse_objects", "count"},
                                     std::pair{"inuse_space", "bytes"}}) {
      out_.AddMessage(kSampleType, ValueType(type, unit));
    }
    out_.AddMessage(kPeriodType, ValueType("space", "bytes"));
    out_.AddInt(kPeriod,
                std::max<std::int64_t>(profile_.facts.sample_bytes, 1));
    out_.AddInt(kDefaultSampleType, Number("inuse_space"));
  }

  // pprof asks to find symbols itself where a mapping lacks any of these.
  struct Has {
    bool functions = false;
    bool files = false;
    bool lines = false;
    bool inlined = false;
  };

  void AddMappings() {
    std::vector<Has> has(profile_.modules.size());
    for (const ProfileLocation& location : profile_.locations) {
      if (location.module == kNoModule) continue;
      Has& module = has[location.module];
      for (const ResolvedFrame& frame : *location.names) {
        module.functions |= !frame.function.empty();
        module.files |= !frame.file.empty();
        module.lines |= frame.line != 0;
        module.inlined |= frame.inlined;
      }
    }
    for (std::size_t i = 0; i < profile_.modules.size(); ++i) {
      const ModuleInfo& module = profile_.modules[i];
      ProtobufWriter mapping;
      mapping.AddVarint(kMappingId, i + 1);
      mapping.AddVarint(kMemoryStart, module.start);
      mapping.AddVarint(kMemoryLimit, module.end);
      // The first segment of a module lies in its file as in memory.
      mapping.AddVarint(kFileOffset, module.start - module.load_bias);
      mapping.AddInt(kFileName, Number(module.path));
      mapping.AddInt(kBuildId, Number(BuildIdHex(module.build_id)));
      mapping.AddVarint(kHasFunctions, has[i].functions);
      mapping.AddVarint(kHasFileNames, has[i].files);
      mapping.AddVarint(kHasLineNumbers, has[i].lines);
      mapping.AddVarint(kHasInlineFrames, has[i].inlined);
      out_.AddMessage(kMapping, mapping);
    }
  }

  std::uint64_t FunctionId(const std::string& name,
                           const std::string& linkage_name,
                           const std::string& file) {
    const auto key = std::tuple(
        Number(name), Number(linkage_name.empty() ? name : linkage_name),
        Number(file));
    const auto [place, added] =
        functions_.try_emplace(key, functions_.size() + 1);
    if (added) {
      ProtobufWriter function;
      function.AddVarint(kFunctionId, place->second);
      function.AddInt(kName, std::get<0>(key));
      function.AddInt(kSystemName, std::get<1>(key));
      function.AddInt(kSourceFile, std::get<2>(key));
      out_.AddMessage(kFunction, function);
    }
    return place->second;
  }

  static void AddLine(std::uint64_t function, std::uint32_t line_number,
                      ProtobufWriter& location) {
    ProtobufWriter line;
    line.AddVarint(kLineFunction, function);
    line.AddVarint(kLineNumber, line_number);
    location.AddMessage(kLine, line);
  }

  void AddLocation(std::size_t index) {
    const ProfileLocation& from = profile_.locations[index];
    ProtobufWriter location;
    location.AddVarint(kLocationId, index + 1);
    if (from.module != kNoModule) {
      location.AddVarint(kLocationMapping, from.module + 1);
    }
    // Of a call: the address of the return is that of the next line.
    location.AddVarint(
        kAddress,
        from.address - (from.pc_is_exact || from.address == 0 ? 0 : 1));
    for (const ResolvedFrame& frame : *from.names) {
      AddLine(FunctionId(FrameFunction(frame), frame.linkage_name, frame.file),
              frame.line, location);
    }
    out_.AddMessage(kLocation, location);
  }

  // A place that is none in the program: what a StackEndMark stands for.
  std::uint64_t MarkLocation(const std::string& mark) {
    const auto [place, added] =
        marks_.try_emplace(mark, profile_.locations.size() + marks_.size() + 1);
    if (added) {
      ProtobufWriter location;
      location.AddVarint(kLocationId, place->second);
      AddLine(FunctionId(mark, "", ""), 0, location);
      out_.AddMessage(kLocation, location);
    }
    return place->second;
  }

  void AddSample(const ProfileSample& from) {
    if (from.values.all_zero()) return;
    std::vector<std::uint64_t> locations;
    for (const std::uint32_t location : profile_.stack(from)) {
      locations.push_back(location + 1);
    }
    if (const std::string mark = StackEndMark(from); !mark.empty()) {
      locations.push_back(MarkLocation(mark));
    }
    const std::array<std::int64_t, 4> values = {
        from.values.allocated_objects, from.values.allocated_bytes,
        from.values.live_objects, from.values.live_bytes};
    ProtobufWriter sample;
    sample.AddPacked(kLocationIds, std::span<const std::uint64_t>(locations));
    sample.AddPacked(kValues, std::span<const std::int64_t>(values));
    AddLabel("callsite", from.callsite, sample);
    if (from.tag != nullptr) {
      AddLabel("tag", from.tag->name, sample);
      for (const TagLabel& label : from.tag->labels) {
        // Labels of ours have these names.
        const bool taken = label.key == "callsite" || label.key == "tag";
        AddLabel((taken ? "tag_" : "") + label.key, label.value, sample);
      }
    }
    out_.AddMessage(kSample, sample);
  }

  void AddLabel(std::string_view key, std::string_view text,
                ProtobufWriter& sample) {
    ProtobufWriter label;
    label.AddInt(kKey, Number(key));
    label.AddInt(kText, Number(text));
    sample.AddMessage(kLabel, label);
  }

  void AddFacts() {
    const ProfileFacts& facts = profile_.facts;
    out_.AddVarint(kTimeNanos, facts.taken_realtime_ns);
    std::vector<std::int64_t> comments;
    comments.push_back(Number(
        absl::StrCat("heapledger: ", facts.program, " pid ", facts.pid)));
    comments.push_back(Number(absl::StrCat("mode: ", ModeText(facts))));
    for (const std::string& remark : RemarksOn(profile_)) {
      comments.push_back(Number(remark));
    }
    out_.AddPacked(kComment, std::span<const std::int64_t>(comments));
  }

  const Profile& profile_;
  ProtobufWriter out_;
  std::unordered_map<std::string, std::int64_t> numbers_;
  std::vector<std::string_view> strings_;
  absl::flat_hash_map<std::tuple<std::int64_t, std::int64_t, std::int64_t>,
                      std::uint64_t>
      functions_;
  std::unordered_map<std::string, std::uint64_t> marks_;
};

}  // namespace

absl::StatusOr<std::string> WritePprof(const Profile& profile) {
  return GzipFile(PprofWriter(profile).Write());
}

}  // namespace heapledger::collector
