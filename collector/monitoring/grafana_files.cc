// SPDX-License-Identifier: Apache-2.0
// The dashboard and what Grafana needs to find it. Core panels of Grafana 9 and
// newer only; no alert stands in a panel, as the rules have them all.
#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "collector/monitoring/files.h"
#include "collector/monitoring/tables.h"
#include "collector/monitoring/yaml.h"

namespace heapledger::collector::monitoring {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kColumns = 24;
constexpr int kPanelHeight = 8;

Json Source() { return {{"type", "prometheus"}, {"uid", "${datasource}"}}; }

std::string Expr(const Settings& settings, std::string_view expr) {
  return absl::StrReplaceAll(
      Fill(settings, expr),
      {{"$on", "instance=~\"$instance\", process=~\"$process\""}});
}

Json Steps(const Settings& settings, const Panel& panel) {
  Json steps = Json::array();
  for (const Step& step : panel.steps) {
    if (step.colour.empty()) continue;
    Json from = nullptr;
    if (!step.from.empty()) {
      const std::string number = Fill(settings, step.from);
      double value = 0;
      std::from_chars(number.data(), number.data() + number.size(), value);
      from = value;
    }
    steps.push_back({{"color", step.colour}, {"value", from}});
  }
  if (steps.empty()) steps.push_back({{"color", "green"}, {"value", nullptr}});
  return steps;
}

Json Targets(const Settings& settings, const Panel& panel) {
  Json targets = Json::array();
  char ref = 'A';
  for (const Query& query : panel.queries) {
    if (query.expr.empty()) continue;
    Json target = {{"refId", std::string(1, ref++)},
                   {"datasource", Source()},
                   {"expr", Expr(settings, query.expr)},
                   {"legendFormat", query.legend}};
    if (panel.type == PanelType::kTable) {
      target["instant"] = true;
      target["range"] = false;
      target["format"] = "table";
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

// Dashed lines are guides: forecasts and limits.
Json Overrides(const Panel& panel) {
  Json overrides = Json::array();
  char ref = 'A';
  for (const Query& query : panel.queries) {
    const std::string id(1, ref++);
    if (!query.dashed) continue;
    overrides.push_back(
        {{"matcher", {{"id", "byFrameRefID"}, {"options", id}}},
         {"properties", Json::array({{{"id", "custom.lineStyle"},
                                      {"value",
                                       {{"fill", "dash"},
                                        {"dash", Json::array({6, 6})}}}}})}});
  }
  return overrides;
}

Json FieldConfig(const Settings& settings, const Panel& panel) {
  Json defaults = {{"unit", panel.unit},
                   {"thresholds",
                    {{"mode", "absolute"}, {"steps", Steps(settings, panel)}}}};
  const bool lines =
      panel.type == PanelType::kTimeSeries || panel.type == PanelType::kStacked;
  if (lines) {
    const bool stacked = panel.type == PanelType::kStacked;
    defaults["custom"] = {
        {"fillOpacity", stacked ? 40 : 0},
        {"stacking", {{"mode", stacked ? "normal" : "none"}, {"group", "A"}}},
        {"thresholdsStyle",
         {{"mode", panel.steps[1].colour.empty() ? "off" : "line"}}}};
  }
  if (!panel.empty.empty()) defaults["noValue"] = panel.empty;
  return {{"defaults", std::move(defaults)}, {"overrides", Overrides(panel)}};
}

std::string_view TypeWord(PanelType type) {
  switch (type) {
    case PanelType::kRow:
      return "row";
    case PanelType::kStat:
      return "stat";
    case PanelType::kTable:
      return "table";
    case PanelType::kTimeSeries:
    case PanelType::kStacked:
      break;
  }
  return "timeseries";
}

Json Options(PanelType type) {
  switch (type) {
    case PanelType::kStat:
      return {{"colorMode", "background"},
              {"graphMode", "area"},
              {"reduceOptions",
               {{"calcs", Json::array({"lastNotNull"})},
                {"fields", ""},
                {"values", false}}}};
    case PanelType::kTable:
      return {{"showHeader", true}};
    default:
      return {{"legend",
               {{"displayMode", "list"},
                {"placement", "bottom"},
                {"showLegend", true}}},
              {"tooltip", {{"mode", "multi"}, {"sort", "desc"}}}};
  }
}

// Lays panels out from left to right, row by row.
class Layout {
 public:
  Json Next(const Panel& panel) {
    const bool row = panel.type == PanelType::kRow;
    const int width = row ? kColumns : panel.width;
    if (x_ + width > kColumns || row) EndLine();
    const int height = row ? 1 : kPanelHeight;
    Json position = {{"h", height}, {"w", width}, {"x", x_}, {"y", y_}};
    x_ += width;
    height_ = height;
    return position;
  }

 private:
  void EndLine() {
    y_ += height_;
    x_ = 0;
    height_ = 0;
  }

  int x_ = 0;
  int y_ = 0;
  int height_ = 0;
};

Json PanelJson(const Settings& settings, const Panel& panel, int id,
               Json position) {
  Json json = {{"id", id},
               {"type", TypeWord(panel.type)},
               {"title", panel.title},
               {"gridPos", std::move(position)}};
  if (panel.type == PanelType::kRow) {
    json["collapsed"] = false;
    json["panels"] = Json::array();
    return json;
  }
  json["description"] = panel.what;
  json["datasource"] = Source();
  json["targets"] = Targets(settings, panel);
  json["fieldConfig"] = FieldConfig(settings, panel);
  json["options"] = Options(panel.type);
  if (panel.type == PanelType::kTable) {
    json["transformations"] = Json::array(
        {{{"id", "organize"},
          {"options",
           {{"excludeByName", {{"Time", true}, {"__name__", true}}}}}}});
  }
  return json;
}

Json Variable(std::string_view name, std::string_view query) {
  return {
      {"name", name},
      {"label", name},
      {"type", "query"},
      {"datasource", Source()},
      {"query", {{"query", query}, {"refId", name}}},
      {"refresh", 2},
      {"includeAll", true},
      {"multi", true},
      {"allValue", ".*"},
      {"current",
       {{"text", Json::array({"All"})}, {"value", Json::array({"$__all"})}}}};
}

Json Annotation(std::string_view name, std::string_view colour,
                std::string_view expr) {
  return {
      {"name", name},           {"enable", true},
      {"hide", false},          {"iconColor", colour},
      {"datasource", Source()}, {"target", {{"refId", "Anno"}, {"expr", expr}}},
      {"titleFormat", name},    {"textFormat", "{{process}}"}};
}

}  // namespace

std::string DashboardFile(const Settings& settings) {
  Json panels = Json::array();
  Layout layout;
  for (const Panel& panel : Panels()) {
    Json position = layout.Next(panel);
    panels.push_back(PanelJson(settings, panel,
                               static_cast<int>(panels.size()) + 1,
                               std::move(position)));
  }
  Json dashboard = {
      {"uid", "heapledger-memory"},
      {"title", "heapledger: memory"},
      {"tags", Json::array({"heapledger", "memory"})},
      {"schemaVersion", 39},
      {"version", 1},
      {"editable", true},
      {"graphTooltip", 1},
      {"refresh", "30s"},
      {"timezone", "browser"},
      {"time", {{"from", "now-3h"}, {"to", "now"}}},
      {"templating",
       {{"list",
         Json::array({{{"name", "datasource"},
                       {"label", "datasource"},
                       {"type", "datasource"},
                       {"query", "prometheus"}},
                      Variable("instance",
                               "label_values(heapledger_build_info, instance)"),
                      Variable("process",
                               "label_values(heapledger_heap_live_bytes"
                               "{instance=~\"$instance\"}, process)")})}}},
      {"annotations",
       {{"list",
         Json::array({Annotation("OOM kill", "red",
                                 "max by (instance) (increase("
                                 "heapledger_oom_kills_total{instance=~"
                                 "\"$instance\"}[1m])) > 0"),
                      Annotation("Response to pressure", "orange",
                                 "max by (instance, process) (increase("
                                 "heapledger_response_actions_total{instance=~"
                                 "\"$instance\"}[1m])) > 0")})}}},
      {"panels", std::move(panels)}};
  return dashboard.dump(2) + "\n";
}

std::vector<File> GrafanaProvisioning(const Settings& settings) {
  return {{"grafana/provisioning/datasources/heapledger.yaml",
           absl::StrCat("apiVersion: 1\ndatasources:\n  - name: heapledger\n"
                        "    type: prometheus\n    access: proxy\n    url: ",
                        YamlString(settings.grafana_source), "\n")},
          {"grafana/provisioning/dashboards/heapledger.yaml",
           "apiVersion: 1\nproviders:\n  - name: heapledger\n"
           "    folder: heapledger\n    type: file\n    options:\n"
           "      # Where grafana/dashboards of this directory was put.\n"
           "      path: /var/lib/grafana/dashboards/heapledger\n"}};
}

}  // namespace heapledger::collector::monitoring
