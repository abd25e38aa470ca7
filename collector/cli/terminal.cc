// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

namespace heapledger::collector::cli {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";
constexpr std::array kSignals = {SIGTERM, SIGHUP, SIGWINCH};

volatile std::sig_atomic_t g_asked_to_leave = 0;

void OnSignal(int number) {
  if (number != SIGWINCH) g_asked_to_leave = 1;
}

void Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return;  // the terminal is gone
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::pair<Key, std::size_t> ParseKey(std::string_view bytes) {
  using Kind = Key::Kind;
  static constexpr std::array<std::pair<std::string_view, Kind>, 6> kSequences =
      {{{"\x1b[A", Kind::kUp},
        {"\x1bOA", Kind::kUp},
        {"\x1b[B", Kind::kDown},
        {"\x1bOB", Kind::kDown},
        {"\x1b[5~", Kind::kPageUp},
        {"\x1b[6~", Kind::kPageDown}}};
  if (bytes.empty()) return {{}, 0};
  for (const auto& [sequence, kind] : kSequences) {
    if (bytes.starts_with(sequence)) return {{kind, 0}, sequence.size()};
  }
  if (bytes.front() != '\x1b') return {{Kind::kCharacter, bytes.front()}, 1};
  if (bytes.size() == 1) return {{Kind::kEscape, 0}, 1};
  return {{}, 0};
}

struct Terminal::Saved {
  termios mode{};
  std::array<struct sigaction, kSignals.size()> handlers{};
};

absl::StatusOr<std::unique_ptr<Terminal>> Terminal::Open() {
  auto saved = std::make_unique<Saved>();
  if (isatty(STDOUT_FILENO) == 0 ||
      tcgetattr(STDIN_FILENO, &saved->mode) != 0) {
    return absl::FailedPreconditionError(
        "the live table needs a terminal; give --once for one table, or "
        "--json");
  }
  termios raw = saved->mode;
  raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG | IEXTEN);
  raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  struct sigaction action {};
  action.sa_handler = OnSignal;  // without SA_RESTART: poll must come back
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &action, &saved->handlers[i]);
  }
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  Write(kEnter);
  return std::unique_ptr<Terminal>(new Terminal(std::move(saved)));
}

Terminal::Terminal(std::unique_ptr<Saved> saved) : saved_(std::move(saved)) {}

Terminal::~Terminal() {
  Write(kLeave);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved_->mode);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &saved_->handlers[i], nullptr);
  }
}

Terminal::Size Terminal::size() const {
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 ||
      window.ws_col == 0) {
    return {};
  }
  return {window.ws_row, window.ws_col};
}

std::optional<Key> Terminal::ReadKey(std::chrono::milliseconds timeout) {
  static constexpr Key kEnd = {Key::Kind::kEnd, 0};
  if (pending_.empty()) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = poll(&input, 1, static_cast<int>(timeout.count()));
    if (g_asked_to_leave != 0) return kEnd;
    if (ready <= 0) return std::nullopt;
    std::array<char, 64> bytes{};
    const ssize_t count = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count <= 0) return kEnd;
    pending_.assign(bytes.data(), static_cast<std::size_t>(count));
  }
  const auto [key, taken] = ParseKey(pending_);
  pending_.erase(0, taken == 0 ? pending_.size() : taken);
  if (taken == 0) return std::nullopt;
  return key;
}

void Terminal::Show(std::string_view lines) {
  std::string out(kHome);
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    out.append(lines.substr(0, end)).append(kClearLine);
    if (end == std::string_view::npos) break;
    lines.remove_prefix(end + 1);
    // None after the last line: it would scroll.
    if (!lines.empty()) out += '\n';
  }
  Write(out.append(kClearBelow));
}

}  // namespace heapledger::collector::cli
