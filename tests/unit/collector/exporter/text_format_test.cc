// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/text_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "prometheus/text_serializer.h"

namespace heapledger::collector {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily GaugeFamily(std::string name, const std::vector<Labels>& samples,
                         double value = 1) {
  MetricFamily family;
  family.name = std::move(name);
  family.help = "Help.";
  family.type = MetricType::Gauge;
  for (const Labels& labels : samples) {
    ClientMetric metric;
    metric.label = labels;
    metric.gauge.value = value;
    family.metric.push_back(metric);
  }
  return family;
}

std::string Format(const std::vector<MetricFamily>& families,
                   TextReport* report = nullptr) {
  TextReport unused;
  return FormatText(families, report == nullptr ? &unused : report);
}

std::string Reference(const std::vector<MetricFamily>& families) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

TEST(TextFormatTest, EqualsThePrometheusCppSerializerOnOrdinaryData) {
  std::vector<MetricFamily> families;
  for (const MetricType type :
       {MetricType::Counter, MetricType::Gauge, MetricType::Untyped,
        MetricType::Summary, MetricType::Histogram}) {
    MetricFamily family;
    family.name = "family_" + std::to_string(families.size());
    family.help = "What it is, with a \"quote\".";
    family.type = type;
    int i = 0;
    for (const double value :
         {0.0, 1.0, -1.0, 0.1, 0.5, 123456789.0, 1e6, 1e15, 9007199254740992.0,
          1e-7, 1.5e-300, std::numeric_limits<double>::infinity(),
          -std::numeric_limits<double>::infinity()}) {
      ClientMetric metric;
      metric.label = {{"b", "quote \" backslash \\ feed \n"},
                      {"a", std::to_string(i++)}};
      metric.counter.value = value;
      metric.gauge.value = value;
      metric.untyped.value = value;
      metric.summary.sample_count = 3;
      metric.summary.sample_sum = value;
      metric.summary.quantile = {{0.5, value}, {0.99, 2}};
      metric.histogram.sample_count = 4;
      metric.histogram.sample_sum = value;
      metric.histogram.bucket = {{1, 0.5}, {3, 10}};
      if (i % 2 == 0) {
        metric.histogram.bucket.push_back(
            {4, std::numeric_limits<double>::infinity()});
      }
      if (i == 5) metric.timestamp_ms = 1234;
      family.metric.push_back(metric);
    }
    family.metric.emplace_back();  // a sample without labels
    families.push_back(family);
  }
  EXPECT_EQ(Format(families), Reference(families));
}

TEST(TextFormatTest, EscapesHelp) {
  MetricFamily family = GaugeFamily("m", {{}});
  family.help = "one\nm 5\\";
  EXPECT_EQ(Format({family}), "# HELP m one\\nm 5\\\\\n# TYPE m gauge\nm 1\n");
}

TEST(TextFormatTest, WritesNaNAsPrometheusDoes) {
  EXPECT_EQ(FormatValue(std::nan("")), "NaN");
}

TEST(TextFormatTest, PrintsWholeNumbersWithAllTheirDigits) {
  EXPECT_EQ(FormatValue(0), "0");
  EXPECT_EQ(FormatValue(9007199254740992.0), "9007199254740992");
  EXPECT_EQ(FormatValue(-9007199254740992.0), "-9007199254740992");
  // 2^53 + 1 is no double; the nearest one is printed whole, where sixteen
  // digits would make it another number still.
  EXPECT_EQ(FormatValue(static_cast<double>(9007199254740993ULL)),
            "9007199254740992");
  EXPECT_EQ(FormatValue(12345678901234568.0), "12345678901234568");
  EXPECT_EQ(FormatValue(18446744073709549568.0), "18446744073709549568");
  for (const std::uint64_t value :
       {(1ULL << 53) - 1, 1ULL << 60, 123456789012345678ULL}) {
    const auto number = static_cast<double>(value);
    EXPECT_EQ(std::stod(FormatValue(number)), number);
  }
}

TEST(TextFormatTest, KeepsTheFirstOfTwoEqualSeriesAndCounts) {
  TextReport report;
  const std::string text =
      Format({GaugeFamily("m", {{{"a", "1"}, {"b", "2"}}}, 1),
              GaugeFamily("other", {{}}),
              GaugeFamily("m", {{{"b", "2"}, {"a", "1"}}, {{"a", "2"}}}, 7)},
             &report);
  EXPECT_EQ(text,
            "# HELP m Help.\n# TYPE m gauge\nm{a=\"1\",b=\"2\"} 1\n"
            "m{a=\"2\"} 7\n"
            "# HELP other Help.\n# TYPE other gauge\nother 1\n");
  EXPECT_EQ(report.duplicates, 1U);
}

TEST(TextFormatTest, LeavesOutAFamilyThatChangesItsType) {
  MetricFamily counter = GaugeFamily("m", {{{"a", "2"}}});
  counter.type = MetricType::Counter;
  TextReport report;
  EXPECT_EQ(Format({GaugeFamily("m", {{}}), counter}, &report),
            "# HELP m Help.\n# TYPE m gauge\nm 1\n");
  EXPECT_EQ(report.type_conflicts, 1U);
}

TEST(TextFormatTest, LeavesOutNamesThatAreNone) {
  TextReport report;
  EXPECT_EQ(Format({GaugeFamily("bad-name", {{}}), GaugeFamily("", {{}}),
                    GaugeFamily("1m", {{}, {{"a", "b"}}})},
                   &report),
            "");
  EXPECT_EQ(report.invalid_names, 4U);
  EXPECT_EQ(
      Format({GaugeFamily("m", {{{"a\"} 5\n", "v"}}, {{"", "v"}}})}, &report),
      "# HELP m Help.\n# TYPE m gauge\n");
  EXPECT_EQ(report.invalid_names, 6U);
}

TEST(TextFormatTest, LeavesOutFamiliesWithoutSamples) {
  EXPECT_EQ(Format({GaugeFamily("m", {})}), "");
}

TEST(TextFormatTest, ReplacesWhatIsNotUtf8) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(CleanText("a\xff", 100), "a" + bad);
  EXPECT_EQ(CleanText("\xc0\xaf", 100), bad + bad);            // overlong
  EXPECT_EQ(CleanText("\xed\xa0\x80", 100), bad + bad + bad);  // surrogate
  EXPECT_EQ(CleanText("\xf4\x90\x80\x80", 100),                // > U+10FFFF
            bad + bad + bad + bad);
  EXPECT_EQ(CleanText("\xe2\x82", 100), bad + bad);  // cut short
  EXPECT_EQ(CleanText("\xe2\x82\xac \xf0\x9f\x98\x80", 100),
            "\xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(CleanText(std::string_view("a\0b\x1b[31m\t", 9), 100),
            "a" + bad + "b" + bad + "[31m" + bad);
}

TEST(TextFormatTest, CutsLongTextAtACharacterAndSaysSo) {
  EXPECT_EQ(CleanText("abcdef", 6), "abcdef");
  EXPECT_EQ(CleanText("abcdefg", 6), "abc\xe2\x80\xa6");
  // The third euro sign would end at byte 9: it does not fit before the dots.
  const std::string euro = "\xe2\x82\xac";
  EXPECT_EQ(CleanText(euro + euro + euro, 8), euro + "\xe2\x80\xa6");
  for (std::size_t size = 0; size < 600; ++size) {
    EXPECT_LE(CleanText(std::string(size, '\xff'), kMaxLabelBytes).size(),
              kMaxLabelBytes);
  }
}

TEST(TextFormatTest, KeepsHostileNamesInsideTheirLabel) {
  const std::string hostile =
      "x\"} 1\nfake_total 99\n" + std::string(10240, 'y');
  const std::string text = Format({GaugeFamily("m", {{{"f", hostile}}})});
  std::istringstream lines(text);
  std::vector<std::string> seen;
  for (std::string line; std::getline(lines, line);) seen.push_back(line);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_TRUE(seen[2].starts_with("m{f=\"x\\\"} 1\\nfake_total 99\\nyy"));
  EXPECT_LT(seen[2].size(), 300U);
}

std::string FormatOpen(const std::vector<MetricFamily>& families,
                       TextReport* report = nullptr) {
  TextReport unused;
  return FormatText(families, report == nullptr ? &unused : report,
                    ExpositionFormat::kOpenMetrics);
}

TEST(OpenMetricsTest, TakesTheEndingOffACountersFamilyOnly) {
  MetricFamily family = GaugeFamily("x_bytes_total", {{{"a", "b"}}});
  family.type = MetricType::Counter;
  family.metric[0].counter.value = 5;
  family.metric[0].timestamp_ms = 1500;
  EXPECT_EQ(FormatOpen({family, GaugeFamily("y", {{}})}),
            "# TYPE x_bytes counter\n# UNIT x_bytes bytes\n"
            "# HELP x_bytes Help.\nx_bytes_total{a=\"b\"} 5 1.5\n"
            "# TYPE y gauge\n# HELP y Help.\ny 1\n# EOF\n");
  family.name = "z";  // has to get one
  EXPECT_EQ(FormatOpen({family}),
            "# TYPE z counter\n# HELP z Help.\nz_total{a=\"b\"} 5 1.5\n"
            "# EOF\n");
}

TEST(OpenMetricsTest, NamesTheUnitThatAFamilyEndsIn) {
  for (const auto& [name, unit] :
       std::vector<std::pair<std::string, std::string>>{
           {"a_seconds", "seconds"},
           {"a_growth_bytes_per_second", "bytes_per_second"},
           {"a_ratio", "ratio"},
           {"a_kilobytes", ""},
           {"bytes", ""}}) {
    const std::string text = FormatOpen({GaugeFamily(name, {{}})});
    EXPECT_EQ(text.find("# UNIT"),
              unit.empty() ? std::string::npos
                           : text.find("# UNIT " + name + " " + unit + "\n"))
        << text;
    EXPECT_EQ(text.find("# UNIT") == std::string::npos, unit.empty());
  }
}

TEST(OpenMetricsTest, EscapesQuotesInHelpAndEndsAnEmptyPage) {
  MetricFamily family = GaugeFamily("m", {{}});
  family.help = "a \"b\"\n";
  EXPECT_EQ(FormatOpen({family}),
            "# TYPE m gauge\n# HELP m a \\\"b\\\"\\n\nm 1\n# EOF\n");
  EXPECT_EQ(FormatOpen({}), "# EOF\n");
}

TEST(OpenMetricsTest, WritesBoundsAsFloats) {
  MetricFamily family = GaugeFamily("h", {{}});
  family.type = MetricType::Histogram;
  family.metric[0].histogram.sample_count = 2;
  family.metric[0].histogram.bucket = {{1, 1}, {2, 2.5}};
  const std::string text = FormatOpen({family});
  EXPECT_NE(text.find("h_bucket{le=\"1.0\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("h_bucket{le=\"2.5\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("h_bucket{le=\"+Inf\"} 2\n"), std::string::npos);
}

TEST(OpenMetricsTest, LeavesOutAGaugeThatACountersFamilyWouldMeet) {
  MetricFamily counter = GaugeFamily("m_total", {{}});
  counter.type = MetricType::Counter;
  TextReport report;
  EXPECT_EQ(FormatOpen({counter, GaugeFamily("m", {{}})}, &report),
            "# TYPE m counter\n# HELP m Help.\nm_total 0\n# EOF\n");
  EXPECT_EQ(report.type_conflicts, 1U);
  report = {};
  EXPECT_NE(Format({counter, GaugeFamily("m", {{}})}, &report).find("\nm 1\n"),
            std::string::npos)
      << "two families in the text format";
  EXPECT_EQ(report.type_conflicts, 0U);
}

MetricTable TwoRows() {
  MetricTable table({{"t_bytes", "Bytes.", MetricType::Gauge},
                     {"t_total", "All.", MetricType::Counter},
                     {"t_never", "None.", MetricType::Gauge}});
  const std::vector<Labels> labels = {{{"a", "1\n"}}, {{"a", "2"}}};
  table.AddRow(labels[0], std::vector<std::optional<double>>{1, 2, {}});
  table.AddRow(labels[1], std::vector<std::optional<double>>{{}, 4, {}});
  return table;
}

TEST(MetricTableTest, IsWrittenFamilyByFamily) {
  for (const ExpositionFormat format :
       {ExpositionFormat::kText, ExpositionFormat::kOpenMetrics}) {
    StringSink sink;
    TextReport report;
    TextWriter writer(format, &sink, &report);
    writer.Write(TwoRows());
    writer.Finish();
    EXPECT_EQ(sink.Take(),
              format == ExpositionFormat::kText
                  ? "# HELP t_bytes Bytes.\n# TYPE t_bytes gauge\n"
                    "t_bytes{a=\"1\\n\"} 1\n"
                    "# HELP t_total All.\n# TYPE t_total counter\n"
                    "t_total{a=\"1\\n\"} 2\nt_total{a=\"2\"} 4\n"
                  : "# TYPE t_bytes gauge\n# UNIT t_bytes bytes\n"
                    "# HELP t_bytes Bytes.\nt_bytes{a=\"1\\n\"} 1\n"
                    "# TYPE t counter\n# HELP t All.\n"
                    "t_total{a=\"1\\n\"} 2\nt_total{a=\"2\"} 4\n# EOF\n");
  }
}

TEST(MetricTableTest, LosesSeriesThatArePresentAlready) {
  MetricTable table = TwoRows();
  const Labels again = {{"a", "2"}};
  table.AddRow(again, std::vector<std::optional<double>>{7, 8, {}});
  StringSink sink;
  TextReport report;
  TextWriter writer(ExpositionFormat::kText, &sink, &report);
  const std::vector<MetricFamily> before = {GaugeFamily("t_bytes", {{}}, 9)};
  writer.Write(before);
  writer.Write(table);
  const std::string text = (writer.Finish(), sink.Take());
  EXPECT_EQ(text.find("t_bytes{"), std::string::npos) << text;
  EXPECT_EQ(text.find("} 8\n"), std::string::npos) << text;
  EXPECT_EQ(report.type_conflicts, 2U);
  EXPECT_EQ(report.duplicates, 1U);
}

}  // namespace
}  // namespace heapledger::collector
