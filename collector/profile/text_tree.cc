// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/ledger/utc_time.h"
#include "collector/profile/figures.h"
#include "collector/profile/foreign_text.h"
#include "collector/profile/frame_tree.h"
#include "collector/profile/writers.h"

namespace heapledger::collector {
namespace {

// Names in bytes; templates can fill screens.
constexpr std::size_t kLongestName = 200;

std::string ShortName(std::string_view name) {
  std::string line = OneLine(Beginning(name, kLongestName));
  if (name.size() > kLongestName) line += "…";
  return line;
}

// Of a difference: before, after and change; else the value alone.
struct Figures {
  std::int64_t before = 0;
  std::int64_t change = 0;
  std::int64_t width = 0;

  Figures& operator+=(const Figures& other) {
    before += other.before;
    change += other.change;
    width += other.width;
    return *this;
  }
  Figures& operator-=(const Figures& other) {
    before -= other.before;
    change -= other.change;
    width -= other.width;
    return *this;
  }
};

class TextTree {
 public:
  TextTree(const Profile& profile, const WriteOptions& options)
      : profile_(profile),
        tree_(profile),
        before_(tree_.Totals(SampleValuesBefore(profile, options.value))),
        change_(tree_.Totals(SampleValues(profile, options.value))),
        width_(tree_.Totals(SampleWidths(profile, options.value))),
        children_(tree_.Children(width_)),
        smallest_(static_cast<std::int64_t>(std::ceil(
            options.smallest_share * static_cast<double>(width_[0])))) {
    // No line's figures are longer than those of the whole.
    const std::string longest = profile_.is_difference
                                    ? ExactFigure(width_[0], Sign::kAlways)
                                    : ExactFigure(change_[0]);
    column_ = std::max(column_, longest.size());
  }

  std::string Write(const std::string& title) {
    text_ = Cells(profile_.is_difference
                      ? std::vector<std::string>{"BEFORE", "AFTER", "CHANGE"}
                      : std::vector<std::string>{title},
                  "SHARE");
    text_ += "FUNCTION\n";
    // A stack of our own: those of programs are deep.
    std::vector<Pending> pending = {{0, 0, {}, ""}};
    while (!pending.empty()) {
      const Pending next = pending.back();
      pending.pop_back();
      if (next.node == kRest) {
        AddLine(next.rest, next.indent, next.label);
      } else {
        AddNode(next, pending);
      }
    }
    return std::move(text_);
  }

 private:
  static constexpr std::uint32_t kRest = ~std::uint32_t{0};

  // A line to come: a node's, or one that stands for what has none.
  struct Pending {
    std::uint32_t node = kRest;
    std::size_t indent = 0;
    Figures rest;
    std::string label;  // before a node's own name
  };

  [[nodiscard]] Figures Of(std::uint32_t node) const {
    return {before_[node], change_[node], width_[node]};
  }

  void AddNode(const Pending& line, std::vector<Pending>& pending) {
    const TreeFrame& frame = tree_.frame(line.node);
    AddLine(Of(line.node), line.indent,
            absl::StrCat(line.label, ShortName(frame.function),
                         frame.module.empty() ? "" : "  ",
                         ShortName(frame.module)));
    Figures own = Of(line.node);
    Figures pruned;
    std::size_t pruned_count = 0;
    std::vector<std::uint32_t> kept;
    for (const std::uint32_t child : children_[line.node]) {
      own -= Of(child);
      if (width_[child] >= smallest_ && width_[child] > 0) {
        kept.push_back(child);
      } else if (width_[child] > 0) {
        pruned += Of(child);
        ++pruned_count;
      }
    }
    const bool has_own = own.width != 0;
    // One function that alone calls the next is no branch.
    const bool branches = kept.size() + has_own + (pruned_count != 0) > 1;
    const std::size_t indent = line.indent + (branches ? 2 : 0);
    const char* const link = branches ? "" : "↳ ";
    if (pruned_count != 0) {
      pending.push_back({kRest, indent, pruned,
                         absl::StrCat(link, "… ", pruned_count, " smaller")});
    }
    if (has_own && (!kept.empty() || pruned_count != 0)) {
      pending.push_back({kRest, indent, own, "[itself]"});
    }
    for (auto child = kept.rbegin(); child != kept.rend(); ++child) {
      pending.push_back({*child, indent, {}, link});
    }
  }

  void AddLine(const Figures& figures, std::size_t indent,
               const std::string& label) {
    std::vector<std::string> cells;
    if (profile_.is_difference) {
      cells = {ExactFigure(figures.before),
               ExactFigure(figures.before + figures.change),
               ExactFigure(figures.change, Sign::kAlways)};
    } else {
      cells = {ExactFigure(figures.change)};
    }
    absl::StrAppend(&text_, Cells(cells, ShareFigure(figures.width, width_[0])),
                    std::string(indent, ' '), label, "\n");
  }

  [[nodiscard]] std::string Cells(const std::vector<std::string>& cells,
                                  const std::string& share) const {
    std::string line;
    for (const std::string& cell : cells) {
      line += std::string(column_ - std::min(column_, cell.size()), ' ');
      absl::StrAppend(&line, cell, "  ");
    }
    constexpr std::size_t kShareColumn = 6;
    line +=
        std::string(kShareColumn - std::min(kShareColumn, share.size()), ' ');
    return absl::StrCat(line, share, "  ");
  }

  const Profile& profile_;
  const FrameTree tree_;
  const std::vector<std::int64_t> before_;
  const std::vector<std::int64_t> change_;
  const std::vector<std::int64_t> width_;
  const std::vector<std::vector<std::uint32_t>> children_;
  const std::int64_t smallest_;
  std::size_t column_ = 6;  // of the titles
  std::string text_;
};

std::string TitleOf(ProfileValue value) {
  return IsBytes(value) ? "BYTES" : "COUNT";
}

}  // namespace

std::string WriteText(const Profile& profile, const WriteOptions& options) {
  const ProfileFacts& facts = profile.facts;
  std::string text = absl::StrCat(
      OneLine(facts.program), "  pid ", facts.pid, "  ",
      std::string(StateWord(facts.state)), "  ", ModeText(facts), "  ",
      UtcTimeText(facts.taken_realtime_ns),
      facts.moment.empty() ? "" : absl::StrCat("  ", OneLine(facts.moment)),
      "\n", profile.is_difference ? "change of " : "", ValueWord(options.value),
      facts.estimated ? " (estimated)" : "", "\n");
  for (const std::string& remark : RemarksOn(profile)) {
    absl::StrAppend(&text, OneLine(remark), "\n");
  }
  return absl::StrCat(text, "\n",
                      TextTree(profile, options).Write(TitleOf(options.value)));
}

}  // namespace heapledger::collector
