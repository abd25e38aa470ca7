// SPDX-License-Identifier: Apache-2.0
// Logs of anybody: no bytes may break the splitter, the heads, the records of
// the kernel and the journal, or the book, and however they are cut into
// pieces, the lines are the same.
//
// Input: one byte that says how long the pieces are; the log.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/logs/journal_source.h"
#include "collector/logs/kmsg_source.h"
#include "collector/logs/line_splitter.h"
#include "collector/logs/log_book.h"

namespace heapledger::collector::logs {
namespace {

constexpr std::size_t kMaxLine = 64;

std::vector<std::string> Split(std::string_view log, std::size_t piece) {
  LineSplitter splitter(kMaxLine);
  std::vector<std::string> lines;
  const auto take = [&lines](std::string_view line) {
    if (line.empty() || line.size() > kMaxLine ||
        line.find('\n') != std::string_view::npos) {
      __builtin_trap();
    }
    lines.emplace_back(line);
  };
  while (!log.empty()) {
    splitter.Feed(log.substr(0, piece), take);
    log.remove_prefix(std::min(piece, log.size()));
  }
  splitter.Finish(take);
  return lines;
}

void Read(LogBook& book, std::string_view text) {
  const LogLine line = ParseLine(text);
  // What is left of a line is part of it.
  if (line.text.size() > text.size()) __builtin_trap();
  book.Book("fuzz", line, 1);
  if (const auto record = ParseKmsgRecord(text, 0)) book.Book("k", *record, 1);
  if (const auto entry = ParseJournalEntry(text)) {
    book.Book("j", {entry->program, entry->pid, entry->text, 0}, 1);
  }
}

void Run(std::string_view input) {
  if (input.empty()) return;
  const auto piece =
      static_cast<std::size_t>(static_cast<unsigned char>(input.front())) + 1;
  input.remove_prefix(1);
  const std::vector<std::string> lines = Split(input, piece);
  if (lines != Split(input, input.size() + 1)) __builtin_trap();
  static LogBook book(*PatternTable::Compile(BuiltInPatterns()));
  for (const std::string& line : lines) Read(book, line);
  Read(book, input);
  const auto view = book.view();
  if (view->kills.size() > LogBook::kMaxProcesses + 1) __builtin_trap();
  if (view->last_kills.size() > LogBook::kMaxKills) __builtin_trap();
}

}  // namespace
}  // namespace heapledger::collector::logs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::collector::logs::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
