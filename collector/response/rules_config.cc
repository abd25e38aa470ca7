// SPDX-License-Identifier: Apache-2.0
#include "collector/response/rules_config.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/config/yaml_value.h"
#include "collector/response/action_config.h"
#include "collector/response/config_readers.h"
#include "collector/response/units.h"

namespace heapledger::collector::response {
namespace {

absl::StatusOr<double> ReadAmount(const YamlValue& value, Unit unit) {
  const auto text = value.String();
  if (!text.ok()) return text.status();
  const auto number = ParseValue(unit, *text);
  if (number) return *number;
  return value.Error(
      absl::StrCat("is '", *text, "', not ", std::string(UnitHelp(unit))));
}

// A value at which the condition is entered, or that and where it is left.
absl::Status ReadThreshold(const YamlValue& value, Level level,
                           Quantity quantity,
                           std::vector<Threshold>& thresholds) {
  const QuantityFacts& facts = FactsOf(quantity);
  std::optional<double> enter;
  std::optional<double> leave;
  const auto into = [&facts](std::optional<double>& number) {
    return [&facts, &number](const YamlValue& field) {
      const auto read = ReadAmount(field, facts.unit);
      if (read.ok()) number = *read;
      return read.status();
    };
  };
  const absl::Status read =
      value.kind() == YamlValue::Kind::kMap
          ? value.ReadMap({{"enter", into(enter)}, {"leave", into(leave)}})
          : into(enter)(value);
  if (!read.ok()) return read;
  if (!enter) return value.Error("has no value to enter at");
  Threshold threshold{level, quantity, *enter,
                      leave.value_or(*enter * facts.leave_factor)};
  if (!threshold.Held(*enter)) {
    return value.Error(absl::StrCat("must be left on the better side of ",
                                    UnitText(facts.unit, *enter)));
  }
  thresholds.push_back(threshold);
  return absl::OkStatus();
}

Threshold DefaultThreshold(Level level) {
  const double enter = DefaultUsage(level);
  return {level, Quantity::kUsage, enter,
          enter * FactsOf(Quantity::kUsage).leave_factor};
}

absl::Status ReadActions(const YamlValue& list, Level level, Duration cool_down,
                         Rule& rule) {
  const auto items = list.List();
  if (!items.ok()) return items.status();
  if (items->size() > kMaxActionsPerLevel) {
    return list.Error(
        absl::StrCat("has more than ", kMaxActionsPerLevel, " actions"));
  }
  for (const YamlValue& item : *items) {
    auto action = ReadAction(item, level, cool_down);
    if (!action.ok()) return action.status();
    for (const Action& other : rule.actions) {
      if (other.name != action->name) continue;
      if (other.level == level) {
        return item.Error(absl::StrCat(
            "is the second '", action->name,
            "' of this level; give it a name of its own with name:"));
      }
      if (other.kind.index() != action->kind.index()) {
        return item.Error(
            absl::StrCat("'", action->name, "' is the name of another action"));
      }
      // What was there before would be forgotten over the second.
      if (std::holds_alternative<MemoryHighAction>(action->kind) ||
          std::holds_alternative<OomScoreAction>(action->kind)) {
        return item.Error(absl::StrCat(
            "'", action->name,
            "' stands at another level, too; it is undone on the way down and "
            "may stand at one"));
      }
    }
    rule.actions.push_back(*std::move(action));
  }
  return absl::OkStatus();
}

absl::Status ReadLevel(const YamlValue& value, Level level, Rule& rule) {
  Duration& dwell = rule.dwell[static_cast<std::size_t>(level)];
  Duration cool_down = DefaultCoolDown(level);
  std::optional<YamlValue> actions;
  bool conditions = false;
  std::vector<YamlValue::Field> fields = {
      {"dwell", IntoSpan(dwell)},
      {"cool_down", IntoSpan(cool_down)},
      {"do", [&actions](const YamlValue& list) {
         actions = list;
         return absl::OkStatus();
       }}};
  for (std::size_t i = 0; i < kQuantities; ++i) {
    const auto quantity = static_cast<Quantity>(i);
    fields.push_back({FactsOf(quantity).word,
                      [&, quantity](const YamlValue& field) -> absl::Status {
                        conditions = true;
                        if (quantity == Quantity::kUsage &&
                            field.kind() == YamlValue::Kind::kScalar &&
                            field.String().value_or("") == "off") {
                          return absl::OkStatus();
                        }
                        return ReadThreshold(field, level, quantity,
                                             rule.thresholds);
                      }});
  }
  if (absl::Status ok = value.ReadMap(fields); !ok.ok()) return ok;
  if (!conditions) rule.thresholds.push_back(DefaultThreshold(level));
  if (!actions) return absl::OkStatus();
  return ReadActions(*actions, level, cool_down, rule);
}

absl::Status ReadLevels(const YamlValue& value, Rule& rule) {
  std::vector<YamlValue::Field> fields;
  for (const Level level : kPressedLevels) {
    fields.push_back({LevelWord(level), [level, &rule](const YamlValue& each) {
                        return ReadLevel(each, level, rule);
                      }});
  }
  return value.ReadMap(fields);
}

absl::Status ReadFilter(const YamlValue& value, Filter& filter) {
  return value.ReadMap({{"process", Into(filter.process)},
                        {"exe", Into(filter.exe)},
                        {"cgroup", Into(filter.cgroup)},
                        {"python", [&filter](const YamlValue& flag) {
                           return Into(filter.python.emplace())(flag);
                         }}});
}

absl::Status ReadRule(const YamlValue& value, Rule& rule) {
  for (const Level level : kPressedLevels) {
    rule.dwell[static_cast<std::size_t>(level)] = DefaultDwell(level);
  }
  bool has_levels = false;
  const absl::Status read =
      value.ReadMap({{"name", IntoName(rule.name)},
                     {"match",
                      [&rule](const YamlValue& field) {
                        return ReadFilter(field, rule.filter);
                      }},
                     {"levels", [&](const YamlValue& field) {
                        has_levels = true;
                        return ReadLevels(field, rule);
                      }}});
  if (!read.ok()) return read;
  if (!has_levels) {
    for (const Level level : kPressedLevels) {
      rule.thresholds.push_back(DefaultThreshold(level));
    }
  }
  std::ranges::stable_sort(rule.actions, {}, &Action::level);
  return absl::OkStatus();
}

absl::Status ReadRuleList(const YamlValue& list, std::vector<Rule>& rules) {
  const auto items = list.List();
  if (!items.ok()) return items.status();
  if (items->size() > kMaxRules) {
    return list.Error(absl::StrCat("has more than ", kMaxRules, " rules"));
  }
  std::set<std::string> names;
  for (const YamlValue& item : *items) {
    Rule rule;
    if (absl::Status ok = ReadRule(item, rule); !ok.ok()) return ok;
    if (rule.name.empty()) rule.name = absl::StrCat("rule-", rules.size() + 1);
    if (!names.insert(rule.name).second) {
      return item.Error(
          absl::StrCat("has the name '", rule.name, "' of one above it"));
    }
    rules.push_back(std::move(rule));
  }
  return absl::OkStatus();
}

absl::Status ReadAlerts(const YamlValue& value,
                        std::map<std::string, Level, std::less<>>& alerts) {
  const auto entries = value.Map();
  if (!entries.ok()) return entries.status();
  if (entries->size() > kMaxAlertNames) {
    return value.Error(
        absl::StrCat("has more than ", kMaxAlertNames, " alerts"));
  }
  for (const auto& [name, field] : *entries) {
    const auto word = field.String();
    if (!word.ok()) return word.status();
    const auto level = LevelOf(*word);
    if (!level) {
      return field.Error(absl::StrCat(
          "is '", *word, "', none of none, low, medium, high and critical"));
    }
    if (*level == Level::kNone) {
      alerts.erase(name);
    } else {
      alerts[name] = *level;
    }
  }
  return absl::OkStatus();
}

absl::Status ReadWebhook(const YamlValue& value, WebhookRules& webhook) {
  return value.ReadMap(
      {{"instances", Into(webhook.instances)},
       {"secret_file", Into(webhook.secret_file)},
       {"expire", IntoSpan(webhook.expire, std::chrono::minutes(1))},
       {"alerts", [&webhook](const YamlValue& field) {
          return ReadAlerts(field, webhook.alerts);
        }}});
}

}  // namespace

absl::StatusOr<Rules> ParseRules(const std::string& text,
                                 const std::string& source) {
  const auto file = YamlValue::Parse(text, source);
  if (!file.ok()) return file.status();
  Rules rules;
  rules.webhook.alerts = KnownAlerts();
  const absl::Status read =
      file->ReadMap({{"webhook",
                      [&rules](const YamlValue& value) {
                        return ReadWebhook(value, rules.webhook);
                      }},
                     {"rules", [&rules](const YamlValue& value) {
                        return ReadRuleList(value, rules.rules);
                      }}});
  if (!read.ok()) return read;
  if (rules.rules.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source,
        ": it has no rules; without any no program is looked after, so write "
        "at least 'rules: [{name: all}]'"));
  }
  return rules;
}

}  // namespace heapledger::collector::response
