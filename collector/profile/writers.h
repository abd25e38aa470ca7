// SPDX-License-Identifier: Apache-2.0
// One function per format; see formats.h, which is the way in.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "collector/profile/formats.h"
#include "collector/profile/profile.h"

namespace heapledger::collector {

// Lines "outermost;…;innermost value", sorted, equal stacks added up. Of a
// difference "stack before after", as flamegraph.pl takes them. Frames are
// functions; a stack that lacks outer frames begins with its mark.
[[nodiscard]] std::string WriteFolded(const Profile& profile,
                                      const WriteOptions& options);

// profile.proto, gzip. Samples of no value at all are left out. A stack that
// lacks outer frames ends in a location without address that bears its mark.
[[nodiscard]] absl::StatusOr<std::string> WritePprof(const Profile& profile);

// Lines "value share function  module". A line's indented lines add up to it;
// it has none of its own where one function alone calls the next.
[[nodiscard]] std::string WriteText(const Profile& profile,
                                    const WriteOptions& options);

}  // namespace heapledger::collector
