// SPDX-License-Identifier: Apache-2.0
// Runs programs of the system under heapledger_stack_check and demands that our
// stacks agree with libunwind's.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace heapledger::testing {
namespace {

struct Totals {
  std::uint64_t samples = 0;
  std::uint64_t equal = 0;
  std::uint64_t incomplete = 0;
  std::uint64_t frames = 0;
  std::string text;
};

Totals ReadTotals(const std::string& path) {
  Totals totals;
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    totals.text += line + "\n";
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name != "samples") continue;
    std::uint64_t value = 0;
    for (words >> value; words; words >> name >> value) {
      if (name == "samples") totals.samples += value;
      if (name == "equal") totals.equal += value;
      if (name == "incomplete") totals.incomplete += value;
      if (name == "frames") totals.frames += value;
    }
  }
  return totals;
}

class StackCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/stack_check_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    if (!directory_.empty()) {
      (void)system(("rm -rf " + directory_).c_str());
    }
  }

  void WriteFile(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ + "/" + name) << text;
  }

  // Runs a shell command in the temporary directory.
  void ExpectAgreement(const std::string& program, const std::string& command,
                       int every) {
    if (system(("command -v " + program + " >/dev/null").c_str()) != 0) {
      GTEST_SKIP() << program << " is not installed";
    }
    const std::string out = directory_ + "/out";
    const std::string line =
        "cd " + directory_ + " && STACK_CHECK_OUT=" + out +
        " STACK_CHECK_EVERY=" + std::to_string(every) +
        " PYTHONMALLOC=malloc LD_PRELOAD=" STACK_CHECK_LIBRARY " " + command +
        " >/dev/null";
    ASSERT_EQ(system(line.c_str()), 0) << line;
    const Totals totals = ReadTotals(out);
    std::printf("%s: samples %lu, equal %lu, incomplete %lu, mean depth %.1f\n",
                program.c_str(), totals.samples, totals.equal,
                totals.incomplete,
                static_cast<double>(totals.frames) /
                    static_cast<double>(totals.samples + 1));
    EXPECT_GT(totals.samples, 500U);
    EXPECT_GE(static_cast<double>(totals.equal),
              0.999 * static_cast<double>(totals.samples))
        << totals.text;
  }

  std::string directory_;
};

TEST_F(StackCheckTest, Sqlite) {
  WriteFile("in.sql",
            "create table t(a integer primary key, b text);\n"
            "with recursive c(x) as (select 1 union all select x+1 from c "
            "limit 20000) insert into t select x, hex(randomblob(16)) from c;\n"
            "create index i on t(b);\n"
            "select count(*), group_concat(substr(b,1,2)) from t where b > "
            "'8' group by a % 100 order by 2;\n");
  ExpectAgreement("sqlite3", "sqlite3 :memory: <in.sql", 5);
}

TEST_F(StackCheckTest, Python) {
  WriteFile("in.py",
            "import json, re, collections\n"
            "data = [{'k%d' % i: [i, str(i), {'n': i * 1.5}]} "
            "for i in range(2000)]\n"
            "for _ in range(3):\n"
            "  data = json.loads(json.dumps(data))\n"
            "print(len(re.findall('k[0-9]+', json.dumps(data))))\n"
            "print(sorted(collections.Counter(str(data)).items())[:3])\n");
  ExpectAgreement("python3", "python3 in.py", 100);
}

TEST_F(StackCheckTest, Perl) {
  WriteFile("in.pl",
            "my %h; for my $i (1..20000) { $h{\"k$i\"} = [$i, \"v$i\"]; }\n"
            "my @s = sort { $h{$a}[0] <=> $h{$b}[0] } keys %h;\n"
            "print scalar(@s), join(',', map { /(\\d+)/ } @s[0..99]);\n");
  ExpectAgreement("perl", "perl in.pl", 10);
}

TEST_F(StackCheckTest, Compiler) {
  WriteFile("in.cc",
            "#include <map>\n#include <string>\n#include <vector>\n"
            "#include <algorithm>\n"
            "std::map<std::string, std::vector<int>> f(int n) {\n"
            "  std::map<std::string, std::vector<int>> m;\n"
            "  for (int i = 0; i < n; ++i) m[std::to_string(i)].push_back(i);\n"
            "  for (auto& e : m) std::sort(e.second.begin(), e.second.end());\n"
            "  return m;\n}\n");
  ExpectAgreement("g++", "g++ -O2 -std=c++17 -c in.cc -o in.o", 50);
}

}  // namespace
}  // namespace heapledger::testing
