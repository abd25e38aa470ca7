// SPDX-License-Identifier: Apache-2.0
// One run of the gate's command: every process image of its tree, judged or
// not, and the callsites of what was left behind.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "collector/gate/finding.h"

namespace heapledger::collector::gate {

// What became of the scan of one image.
enum class ImageFate {
  kJudged,
  kReplaced,   // by exec: its blocks went with it, and the next image counts
  kNotJudged,  // see ProcessImage::why
};

struct ProcessImage {
  std::uint32_t pid = 0;
  std::uint32_t image = 0;  // of the process, by exec
  std::string program;
  bool is_root = false;  // of the command itself
  ImageFate fate = ImageFate::kNotJudged;
  std::string why;  // not judged, without a full stop
  Amount live;      // at its end
  Amount unreachable;
  // Unreachable in a forked child but its parent's to answer for.
  Amount inherited_unreachable;
  std::uint64_t peak_bytes = 0;
  std::uint64_t allocations = 0;
  std::uint64_t scan_ns = 0;
};

// A process or image of the tree that has no ledger.
struct MissingImage {
  std::uint32_t pid = 0;
  std::string program;  // empty where nobody knows
  std::string why;      // without a full stop
};

// What callsites with one tag left behind, in all judged images.
struct TagAmount {
  std::string name;
  Amount live;
};

struct Round {
  std::vector<ProcessImage> images;
  std::vector<MissingImage> missing;
  // Those with unreachable blocks; with all that are live, where asked for.
  std::map<Fingerprint, Finding> callsites;
  std::map<std::string, TagAmount> tags;  // by text; kUntaggedName for none
  // What a reader must know of the round, without a full stop.
  std::vector<std::string> remarks;
  // As a shell gives it; 128 + n for a signal.
  int program_status = 0;
};

}  // namespace heapledger::collector::gate
