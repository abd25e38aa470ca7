// SPDX-License-Identifier: Apache-2.0
// The page at `/` for people: what there is to read, and which processes are
// measured.
#pragma once

#include <string>

#include "collector/exporter/host_source.h"

namespace heapledger::collector {

// HTML without scripts; every name in it is escaped.
[[nodiscard]] std::string RenderLandingPage(const ShownHost& host);

}  // namespace heapledger::collector
