// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/ledger/utc_time.h"
#include "collector/profile/figures.h"
#include "collector/profile/foreign_text.h"
#include "collector/profile/frame_tree.h"
#include "collector/profile/writers.h"

namespace heapledger::collector {
namespace {

// All in pixels.
constexpr double kWidth = 1200;
constexpr double kMargin = 10;
constexpr double kRow = 17;
constexpr double kLine = 16;        // of the heading
constexpr double kCharacter = 6.6;  // of the font, on average
// Boxes below cannot be seen nor pointed at.
constexpr double kNarrowest = 0.3;

std::string UnitOf(ProfileValue value) {
  return IsBytes(value) ? "bytes" : "objects";
}

// A name as wide as its box: the first so many characters.
std::string Fitting(std::string_view name, double width) {
  const auto room = static_cast<std::size_t>(std::max(0.0, width / kCharacter));
  if (room < 3) return "";
  if (name.size() <= room) return EscapeMarkup(name);
  return absl::StrCat(EscapeMarkup(Beginning(name, room - 1)), "…");
}

// A hue per module, a tone per function: neighbours can be told apart, and
// runs compared.
std::string FrameColour(std::string_view module, std::uint32_t frame) {
  if (module.empty()) return "#ddd9d1";
  constexpr std::array kHues = {30, 46, 165, 14, 200, 88, 225, 265};
  std::uint32_t hash = 2166136261;
  for (const char c : module) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  }
  return absl::StrCat("hsl(", kHues[(hash ^ hash >> 13) % kHues.size()],
                      ",66%,", 72 + frame * 7 % 12, "%)");
}

// Red grew, blue shrank, the paler the less of its width has changed.
std::string ChangeColour(std::int64_t change, std::int64_t width) {
  const double share =
      width == 0 ? 0
                 : std::min(1.0, std::abs(static_cast<double>(change)) /
                                     static_cast<double>(width));
  return absl::StrFormat("hsl(%d,75%%,%.0f%%)", change >= 0 ? 5 : 215,
                         92 - 35 * std::sqrt(share));
}

class SvgFlame {
 public:
  SvgFlame(const Profile& profile, ProfileValue value)
      : profile_(profile),
        value_(value),
        tree_(profile),
        width_(tree_.Totals(SampleWidths(profile, value))),
        before_(tree_.Totals(SampleValuesBefore(profile, value))),
        change_(tree_.Totals(SampleValues(profile, value))),
        companion_(tree_.Totals(SampleValues(profile, Companion(value)))) {}

  std::string Write() {
    PlaceBoxes();
    std::vector<std::string> heading = Heading();
    top_ = kMargin + kLine * static_cast<double>(heading.size());
    height_ = top_ + kRow * static_cast<double>(rows_) + 2 * kMargin;
    absl::StrAppendFormat(
        &text_,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
        "width=\"%.0f\" height=\"%.0f\" font-family=\"monospace\" "
        "font-size=\"11\">\n",
        kWidth, height_, kWidth, height_);
    absl::StrAppend(&text_, "<title>", heading[0], "</title>\n",
                    "<style>.box:hover rect{stroke:#000;stroke-width:1}"
                    ".box text{pointer-events:none}</style>\n",
                    "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
    for (std::size_t i = 0; i < heading.size(); ++i) {
      absl::StrAppendFormat(&text_, "<text x=\"%.0f\" y=\"%.0f\"%s>%s</text>\n",
                            kMargin,
                            kMargin + kLine * (0.7 + static_cast<double>(i)),
                            i == 0 ? " font-weight=\"bold\"" : "", heading[i]);
    }
    for (const Box& box : boxes_) AddBox(box);
    return std::move(text_) + "</svg>\n";
  }

 private:
  struct Box {
    std::uint32_t node = 0;
    std::size_t row = 0;  // from the root
    double left = 0;      // pixels
    double width = 0;
  };

  // Outermost first and on top: a deep graph shows its root when it is opened.
  // Children side by side from their parent's left edge.
  void PlaceBoxes() {
    const auto children = tree_.Children(width_);
    const double scale = width_[0] == 0 ? 0
                                        : (kWidth - 2 * kMargin) /
                                              static_cast<double>(width_[0]);
    boxes_.push_back({0, 0, kMargin, kWidth - 2 * kMargin});
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      const Box parent = boxes_[i];
      rows_ = std::max(rows_, parent.row + 1);
      double left = parent.left;
      for (const std::uint32_t child : children[parent.node]) {
        const double width = scale * static_cast<double>(width_[child]);
        if (width < kNarrowest) break;  // those to come are narrower
        boxes_.push_back({child, parent.row + 1, left, width});
        left += width;
      }
    }
  }

  [[nodiscard]] std::vector<std::string> Heading() const {
    const ProfileFacts& facts = profile_.facts;
    std::vector<std::string> lines;
    lines.push_back(absl::StrCat(EscapeMarkup(facts.program), " pid ",
                                 facts.pid, " — ",
                                 profile_.is_difference ? "change of " : "",
                                 ValueWord(value_), ": ", Figure(0)));
    lines.push_back(absl::StrCat(ModeText(facts), ", ",
                                 std::string(StateWord(facts.state)), ", ",
                                 UtcTimeText(facts.taken_realtime_ns)));
    if (profile_.is_difference) {
      lines.emplace_back("red grew, blue shrank; as wide as the larger end");
    }
    for (const std::string& remark : RemarksOn(profile_)) {
      lines.push_back(EscapeMarkup(remark));
    }
    return lines;
  }

  // "1,234 bytes in 5 objects"; of a difference "from 5 to 8 bytes (+3)".
  [[nodiscard]] std::string Figure(std::uint32_t node) const {
    if (profile_.is_difference) {
      return absl::StrCat("from ", ExactFigure(before_[node]), " to ",
                          ExactFigure(before_[node] + change_[node]), " ",
                          UnitOf(value_), " (",
                          ExactFigure(change_[node], Sign::kAlways), ")");
    }
    return absl::StrCat(ExactFigure(change_[node]), " ", UnitOf(value_), ", ",
                        ExactFigure(companion_[node]), " ",
                        UnitOf(Companion(value_)));
  }

  void AddBox(const Box& box) {
    const TreeFrame& frame = tree_.frame(box.node);
    const double y = top_ + kRow * static_cast<double>(box.row) + kMargin;
    absl::StrAppend(&text_, "<g class=\"box\"><title>",
                    EscapeMarkup(frame.function),
                    frame.module.empty() ? "" : "  ",
                    EscapeMarkup(frame.module), "\n", Figure(box.node), ", ",
                    ShareFigure(width_[box.node], width_[0]), "</title>");
    absl::StrAppendFormat(
        &text_,
        "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" rx=\"1\" "
        "fill=\"%s\"/>",
        box.left, y, std::max(box.width - 0.3, 0.2), kRow - 1,
        profile_.is_difference
            ? ChangeColour(change_[box.node], width_[box.node])
            : FrameColour(frame.module, tree_.frame_indexes()[box.node]));
    const std::string label = Fitting(frame.function, box.width - 4);
    if (!label.empty()) {
      absl::StrAppendFormat(&text_, "<text x=\"%.2f\" y=\"%.1f\">%s</text>",
                            box.left + 2, y + 12, label);
    }
    text_ += "</g>\n";
  }

  const Profile& profile_;
  const ProfileValue value_;
  const FrameTree tree_;
  const std::vector<std::int64_t> width_;
  const std::vector<std::int64_t> before_;
  const std::vector<std::int64_t> change_;
  const std::vector<std::int64_t> companion_;
  std::vector<Box> boxes_;
  std::size_t rows_ = 1;
  double top_ = 0;
  double height_ = 0;
  std::string text_;
};

}  // namespace

std::string WriteSvg(const Profile& profile, const WriteOptions& options) {
  return SvgFlame(profile, options.value).Write();
}

}  // namespace heapledger::collector
