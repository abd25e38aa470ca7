// SPDX-License-Identifier: Apache-2.0
// Walks through DWARF entries (DIEs) that nobody has checked. libdw keeps
// every read inside its section; what it does not bound is the walk: a sibling
// attribute may lead back into the children, so that each level of the tree
// doubles the work. Here a DIE is visited once or not at all.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>

namespace heapledger::symbolizer {

class DieTree {
 public:
  // Calls `visit(Dwarf_Die&, int depth)` for the DIEs below `root` in the
  // order of the file; its children follow if it returns true. Children of
  // `root` have depth 0.
  template <typename Visitor>
  static void Walk(const Dwarf_Die& root, Visitor&& visit) {
    DieTree tree;
    tree.WalkChildren(root, 0, visit);
  }

 private:
  // Templates and lambdas nest to some dozens.
  static constexpr int kMaxDepth = 256;

  template <typename Visitor>
  void WalkChildren(Dwarf_Die parent, int depth, Visitor& visit) {
    Dwarf_Die die;
    if (depth >= kMaxDepth || dwarf_child(&parent, &die) != 0) return;
    do {
      const auto address = reinterpret_cast<std::uintptr_t>(die.addr);
      if (address <= last_) return;
      last_ = address;
      if (visit(die, depth)) WalkChildren(die, depth + 1, visit);
    } while (dwarf_siblingof(&die, &die) == 0);
  }

  std::uintptr_t last_ = 0;  // of the DIE visited last
};

}  // namespace heapledger::symbolizer
