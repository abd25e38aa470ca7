// SPDX-License-Identifier: Apache-2.0
#include "collector/response/action_config.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "collector/response/config_readers.h"

namespace heapledger::collector::response {
namespace {

using Fields = std::vector<YamlValue::Field>;

// Not KILL, TERM and STOP: to end a program there is `stop`, which gives it
// time, and nothing wakes a stopped one again.
constexpr std::array<std::pair<std::string_view, int>, 5> kSignals = {{
    {"HUP", SIGHUP},
    {"USR1", SIGUSR1},
    {"USR2", SIGUSR2},
    {"WINCH", SIGWINCH},
    {"URG", SIGURG},
}};

YamlValue::Reader IntoSignal(int& number) {
  return [&number](const YamlValue& value) -> absl::Status {
    const auto word = value.String();
    if (!word.ok()) return word.status();
    const auto known =
        std::ranges::find(kSignals, std::string_view(*word),
                          &std::pair<std::string_view, int>::first);
    if (known == kSignals.end()) {
      return value.Error(absl::StrCat(
          "is '", *word, "', none of HUP, USR1, USR2, WINCH and URG"));
    }
    number = known->second;
    return absl::OkStatus();
  };
}

absl::Status CheckCommand(const YamlValue& value,
                          const std::vector<std::string>& command,
                          std::string_view key) {
  if (command.empty() || !command.front().starts_with('/')) {
    return value.Error(absl::StrCat(
        "needs ", std::string(key),
        " with an absolute path in front, such as [/usr/local/bin/shed]"));
  }
  for (const std::string& word : command) {
    if (word.find('\0') != std::string::npos) {
      return value.Error("has a zero byte in its command");
    }
  }
  return absl::OkStatus();
}

// What the settings are about; `more` are those that any action has.
struct KindReader {
  Fields more;

  absl::Status Read(const YamlValue& value, Fields fields) const {
    fields.insert(fields.end(), more.begin(), more.end());
    return value.ReadMap(fields);
  }

  absl::Status operator()(const YamlValue& value, SnapshotAction& kind) {
    absl::Status ok = Read(value, {{"file", Into(kind.file)},
                                   {"max_bytes", IntoBytes(kind.max_bytes)}});
    if (!ok.ok()) return ok;
    if (!kind.file.starts_with('/') || !kind.file.ends_with(".hl")) {
      return value.Error(
          "needs a file with an absolute path that ends in .hl, such as "
          "/var/lib/heapledger/%e-%p-%t.hl");
    }
    return ok;
  }
  absl::Status operator()(const YamlValue& value, SignalAction& kind) {
    absl::Status ok = Read(value, {{"number", IntoSignal(kind.number)},
                                   {"undo", IntoSignal(kind.undo)}});
    if (!ok.ok()) return ok;
    if (kind.number == 0) return value.Error("has no number, such as USR1");
    return ok;
  }
  absl::Status operator()(const YamlValue& value, ExecAction& kind) {
    std::uint64_t most = kind.max_output;
    absl::Status ok = Read(value, {{"command", Into(kind.command)},
                                   {"undo", Into(kind.undo)},
                                   {"max_output", IntoBytes(most)}});
    if (!ok.ok()) return ok;
    if (most > (1 << 20)) return value.Error("may keep 1MiB of output at most");
    kind.max_output = most;
    ok = CheckCommand(value, kind.command, "a command");
    if (!ok.ok() || kind.undo.empty()) return ok;
    return CheckCommand(value, kind.undo, "an undo");
  }
  absl::Status operator()(const YamlValue& value, MemoryHighAction& kind) {
    return Read(value, {{"at", IntoAmount(kind.at)},
                        {"soft_limit", Into(kind.soft_limit)}});
  }
  absl::Status operator()(const YamlValue& value, ReclaimAction& kind) {
    return Read(value, {{"amount", IntoAmount(kind.amount)},
                        {"force_empty", Into(kind.force_empty)}});
  }
  absl::Status operator()(const YamlValue& value, OomScoreAction& kind) {
    return Read(value, {{"score", IntoWhole(kind.score, 1, 1000)}});
  }
  absl::Status operator()(const YamlValue& value, StopAction& kind) {
    return Read(value,
                {{"grace", IntoSpan(kind.grace)}, {"kill", Into(kind.kill)}});
  }
  template <typename Plain>
  absl::Status operator()(const YamlValue& value, Plain&) {
    return Read(value, {});
  }
};

template <std::size_t index = 0>
bool SetKind(std::string_view word, ActionKind& kind) {
  if constexpr (index < std::variant_size_v<ActionKind>) {
    const ActionKind candidate{std::in_place_index<index>};
    if (FactsOf(candidate).word == word) {
      kind = candidate;
      return true;
    }
    return SetKind<index + 1>(word, kind);
  }
  return false;
}

template <std::size_t index = 0>
std::string AllKinds() {
  if constexpr (index < std::variant_size_v<ActionKind>) {
    const ActionKind kind{std::in_place_index<index>};
    return absl::StrCat(index == 0 ? "" : ", ", std::string(FactsOf(kind).word),
                        AllKinds<index + 1>());
  }
  return "";
}

// The same kind twice at a level, or of two levels with different settings,
// are two actions only where their names differ.
std::string DefaultName(const ActionKind& kind) {
  std::string name(FactsOf(kind).word);
  if (const auto* exec = std::get_if<ExecAction>(&kind)) {
    const std::string& path = exec->command.front();
    std::string file = absl::AsciiStrToLower(path.substr(path.rfind('/') + 1));
    std::ranges::replace_if(
        file,
        [](char c) {
          return !absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
                 c != '_' && c != '-' && c != '.';
        },
        '_');
    absl::StrAppend(&name, ":", file.substr(0, 48));
  }
  return name;
}

}  // namespace

absl::StatusOr<Action> ReadAction(const YamlValue& value, Level level,
                                  Duration cool_down) {
  std::string word;
  std::vector<std::pair<std::string, YamlValue>> settings;
  if (value.kind() == YamlValue::Kind::kMap) {
    auto entries = value.Map();
    if (!entries.ok()) return entries.status();
    if (entries->size() != 1) {
      return value.Error("must be one action; begin each with a dash");
    }
    settings = *std::move(entries);
    word = settings.front().first;
  } else {
    auto text = value.String();
    if (!text.ok()) return text.status();
    word = *std::move(text);
  }
  Action action;
  action.level = level;
  action.cool_down = cool_down;
  if (!SetKind(word, action.kind)) {
    return value.Error(absl::StrCat("is '", word, "', none of ", AllKinds()));
  }
  KindReader reader{
      {{"name", IntoName(action.name)},
       {"cool_down", IntoSpan(action.cool_down)},
       {"timeout", IntoSpan(action.timeout, std::chrono::milliseconds(10))},
       {"retries", IntoWhole(action.retries, 0, 10)},
       {"per_hour", IntoWhole(action.per_hour, 1, 3600)}}};
  const YamlValue& body = settings.empty() ? value : settings.front().second;
  const bool bare = body.kind() != YamlValue::Kind::kMap;
  if (!settings.empty() && bare && body.kind() != YamlValue::Kind::kNothing) {
    return body.Error("takes a map of settings");
  }
  // A bare word has no settings; what it needs is then missing.
  const auto nothing = YamlValue::Parse("", value.place());
  if (!nothing.ok()) return nothing.status();
  const absl::Status read = std::visit(
      [&](auto& kind) {
        absl::Status ok = reader(bare ? *nothing : body, kind);
        return ok.ok() || !bare ? ok : value.Error(std::string(ok.message()));
      },
      action.kind);
  if (!read.ok()) return read;
  if (action.name.empty()) action.name = DefaultName(action.kind);
  return action;
}

}  // namespace heapledger::collector::response
