// SPDX-License-Identifier: Apache-2.0
// The page at `/` for people: how the collector is, what there is to read, and
// which processes are measured.
#pragma once

#include <string>
#include <string_view>

#include "collector/exporter/host_source.h"

namespace heapledger::collector {

// HTML without scripts and without anything from elsewhere; every name in it is
// escaped. `health` is a line about the collector itself.
[[nodiscard]] std::string RenderLandingPage(const ShownHost& host,
                                            std::string_view health = {});

}  // namespace heapledger::collector
