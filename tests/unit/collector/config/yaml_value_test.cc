// SPDX-License-Identifier: Apache-2.0
#include "collector/config/yaml_value.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace heapledger::collector {
namespace {

YamlValue Read(const std::string& text) {
  auto value = YamlValue::Parse(text, "f.yaml");
  EXPECT_TRUE(value.ok()) << value.status();
  return *value;
}

YamlValue Entry(const std::string& text) {
  return Read(text).Map()->at(0).second;
}

std::string Words(const absl::Status& status) {
  return std::string(status.message());
}

TEST(YamlValueTest, ReadsScalarsStrictly) {
  EXPECT_EQ(Entry("a: 'x y'").String().value(), "x y");
  EXPECT_EQ(Entry("a: 0.5").Number().value(), 0.5);
  EXPECT_TRUE(Entry("a: On").Bool().value());
  EXPECT_FALSE(Entry("a: no").Bool().value());
  EXPECT_EQ(Words(Entry("\n\na: 1x").Number().status()),
            "f.yaml line 3: a is \"1x\", not a number");
  EXPECT_EQ(Words(Entry("a: maybe").Bool().status()),
            "f.yaml line 1: a is \"maybe\", not true or false");
  EXPECT_EQ(Words(Entry("a: [1]").String().status()),
            "f.yaml line 1: a takes one value, no list or map");
  EXPECT_EQ(Words(Entry("a:").String().status()),
            "f.yaml line 1: a has no value");
  EXPECT_FALSE(Entry("a: .inf").Number().ok());
  EXPECT_FALSE(Entry("a: 1e999").Number().ok());
}

TEST(YamlValueTest, NamesTheWholePathOfAKey) {
  const auto list = Entry("a:\n  - 1\n  - b: x\n").List();
  ASSERT_TRUE(list.ok());
  const YamlValue inner = list->at(1).Map()->at(0).second;
  EXPECT_EQ(Words(inner.Error("is odd")), "f.yaml line 3: a[1].b is odd");
}

TEST(YamlValueTest, RefusesKeysThatAreUnknownOrTwice) {
  std::vector<std::string> seen;
  const std::vector<YamlValue::Field> fields = {
      {"one",
       [&](const YamlValue&) {
         seen.push_back("one");
         return absl::OkStatus();
       }},
      {"two", [&](const YamlValue& v) {
         seen.push_back("two");
         return v.String().status();
       }}};
  EXPECT_TRUE(Read("two: x\none: y\n").ReadMap(fields).ok());
  EXPECT_EQ(seen, (std::vector<std::string>{"two", "one"}));
  EXPECT_EQ(Words(Read("one: 1\nthree: 3\n").ReadMap(fields)),
            "f.yaml line 2: three is no key known here; there are one, two");
  EXPECT_EQ(Words(Read("one: 1\ntwo: 2\none: 3\n").ReadMap(fields)),
            "f.yaml line 3: has the key \"one\" twice");
  EXPECT_EQ(Words(Read("- 1").ReadMap(fields)),
            "f.yaml line 1: takes a map of keys and values");
  EXPECT_TRUE(Read("").ReadMap(fields).ok()) << "an empty file says nothing";
  EXPECT_TRUE(Read("# only words\n").ReadMap(fields).ok());
}

TEST(YamlValueTest, SaysWhereAFileIsNoYaml) {
  const auto broken = YamlValue::Parse("a: 1\nb: [1,\n", "f.yaml");
  ASSERT_FALSE(broken.ok());
  EXPECT_TRUE(Words(broken.status()).starts_with("f.yaml line "))
      << broken.status();
  EXPECT_FALSE(YamlValue::Parse("a: 1\n---\nb: 2\n", "f.yaml").ok());
  EXPECT_FALSE(YamlValue::Parse(std::string(100000, '['), "f.yaml").ok());
  for (const char* stray : {"]", "a: 1\n]", "}", "- a\n}\n"}) {
    EXPECT_FALSE(YamlValue::Parse(stray, "f.yaml").ok()) << stray;
  }
  EXPECT_FALSE(YamlValue::Parse("a: *nobody\n", "f.yaml").ok());
}

TEST(YamlValueTest, IsNotLedIntoAForestOfAliases) {
  std::string text = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last +
            ", " + last + "]\n";
  }
  EXPECT_EQ(Read(text).Map()->size(), 40U);
}

}  // namespace
}  // namespace heapledger::collector
