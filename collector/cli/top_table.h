// SPDX-License-Identifier: Apache-2.0
// What `top` shows while it runs, and what its keys do: looks at processes go
// in, lines for a screen come out. Knows of no terminal.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/cli/report_view.h"
#include "collector/cli/terminal.h"
#include "collector/ledger/process_account.h"

namespace heapledger::collector::cli {

enum class TopOrder { kLive, kObjects, kAllocated, kGrowth, kAge };

// `values`, oldest first, as eight heights of one character each, the least
// and the most of them at the bottom and at the top; empty where all are equal.
[[nodiscard]] std::string Sparkline(const std::deque<double>& values);

class TopTable {
 public:
  enum class Wish { kNone, kQuit, kSnapshot };

  explicit TopTable(ProfileGroup by = ProfileGroup::kCallsite) : by_(by) {}

  // A look at all processes wanted. Those that are there no more go, but for
  // the one that is shown, of which the last look stays until the next image of
  // the same process is there. Left out while paused.
  void Add(const std::vector<std::shared_ptr<const ProcessView>>& views);

  // What the caller is to do. q leaves, s writes a snapshot; all else is done
  // here.
  Wish Press(const Key& key);

  // One line, shown until the next key.
  void Say(std::string message) { message_ = std::move(message); }

  // The process that the table is of; null before the first look.
  [[nodiscard]] std::shared_ptr<const LedgerSnapshot> selected() const;

  // Lines of at most `columns` characters, `rows` of them at most.
  [[nodiscard]] std::string Lines(Terminal::Size size) const;

 private:
  using LiveBytes = std::unordered_map<std::string, std::int64_t>;  // by row

  struct Process {
    std::shared_ptr<const ProcessView> view;
    std::vector<ReportRow> rows;
    LiveBytes now;
    LiveBytes before;               // at the look before
    double seconds = 0;             // between these two
    std::uint64_t live_before = 0;  // of all rows
    LiveBytes marked;               // when the user said so
    bool is_marked = false;
    bool there = true;
    // Of the rows with the most live bytes: theirs at the last looks.
    std::unordered_map<std::string, std::deque<double>> trends;
  };

  void Look(Process& process, const std::shared_ptr<const ProcessView>& view);
  void DropEnded();
  void Regroup(ProfileGroup by);
  void SelectNext();
  void Mark();
  [[nodiscard]] const Process* Selected() const;
  [[nodiscard]] std::int64_t ChangeOf(const Process& process,
                                      const ReportRow& row) const;
  [[nodiscard]] std::vector<const ReportRow*> Rows(
      const Process& process) const;
  [[nodiscard]] std::vector<std::string> Cells(const Process& process,
                                               const ReportRow& row) const;
  [[nodiscard]] std::string Table(const Process& process,
                                  std::size_t rows) const;
  [[nodiscard]] std::string StatusLine() const;

  // Lineages of the processes, in the order in which they came.
  std::vector<std::uint64_t> order_;
  std::unordered_map<std::uint64_t, Process> processes_;
  std::size_t selected_ = 0;  // into order_
  ProfileGroup by_;
  TopOrder sort_ = TopOrder::kLive;
  std::size_t scroll_ = 0;
  bool paused_ = false;
  bool since_mark_ = false;
  std::string message_;
};

}  // namespace heapledger::collector::cli
