// SPDX-License-Identifier: Apache-2.0
// cc1plus: many headers and many instances of templates.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

template <typename... Args>
std::string Format(const std::string& pattern, const Args&... args) {
  std::ostringstream out;
  std::vector<std::function<void()>> printers{[&] { out << args; }...};
  std::size_t next = 0;
  for (char c : pattern) {
    if (c == '%' && next < printers.size()) {
      printers[next++]();
    } else {
      out << c;
    }
  }
  return out.str();
}

template <int N>
struct Level {
  struct Row {
    int number;
    std::string text;
    bool operator<(const Row& other) const { return text < other.text; }
  };
  std::map<std::string, std::tuple<int, double, std::string>> entries;
  std::unordered_map<std::string, std::variant<int, Row>> kinds;
  std::set<Row> rows;
  std::unique_ptr<Level<N - 1>> below = std::make_unique<Level<N - 1>>();

  std::string Walk(const std::string& text) {
    std::vector<Row> found;
    for (std::size_t at = 0; at + N < text.size(); at += N) {
      found.push_back({N, text.substr(at, N)});
    }
    std::stable_sort(found.begin(), found.end());
    for (const Row& row : found) {
      entries[row.text] = {N, N * 0.5, Format("%/%", N, row.text)};
      kinds.try_emplace(row.text, row);
      rows.insert(row);
    }
    return below->Walk(Format("% %", text, entries.size()));
  }
};

template <>
struct Level<0> {
  std::string Walk(const std::string& text) { return text; }
};

}  // namespace

std::string Everything(const std::string& text) {
  return Level<3>().Walk(text);
}
