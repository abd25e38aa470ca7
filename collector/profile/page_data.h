// SPDX-License-Identifier: Apache-2.0
// A profile as the JSON that the page's script reads (page/heap.js): names once
// each, stacks as a tree, one list per column. Safe within a <script> element.
//
// {
//   "facts", "difference", "compared", "totals", "before": as in WriteJson
//   "remarks": those of the facts; the page words the others itself
//   "losses": {"truncated", "incomplete", "cut"}: values each
//   "value", "sort": index into the lists of values
//   "strings": [text]
//   "functions", "modules": [string index], of frames
//   "ups": [own index less the parent's], of nodes; the root's is 0
//   "frames": [frame index], of nodes
//   "callsites": {
//     "node", "function", "module", "file": [index], "line": [number],
//     "id": [fingerprint], "flags": [1 truncated, 2 incomplete, 4 cut,
//     8 inherited, added up],
//     "values", "before_values": [live bytes], [live objects], [allocated
//     bytes], [allocations]; the latter only of a difference }
// }
#pragma once

#include <string>

#include "collector/profile/formats.h"
#include "collector/profile/profile.h"

namespace heapledger::collector {

[[nodiscard]] std::string PageData(const Profile& profile,
                                   const WriteOptions& options);

}  // namespace heapledger::collector
