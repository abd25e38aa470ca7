// SPDX-License-Identifier: Apache-2.0
#include "collector/python/locate.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace heapledger::collector::python {
namespace {

constexpr char kStatic[] =
    "00400000-0041f000 r--p 00000000 08:01 7 /usr/bin/python3.11\n"
    "0041f000-006b6000 r-xp 0001f000 08:01 7 /usr/bin/python3.11\n"
    "00aab000-00b29000 rw-p 00000000 00:00 0 [heap]\n"
    "7f00aa000000-7f00aa026000 r--p 00000000 08:01 9 /lib/libc.so.6\n";

constexpr char kShared[] =
    "55d000000000-55d000001000 r--p 00000000 08:01 7 /opt/a b/bin/app\n"
    "7f00bb000000-7f00bb026000 r--p 00000000 08:01 9 /lib/libpython3.so\n"
    "7f00cc001000-7f00cc026000 r-xp 00001000 08:01 9 "
    "/lib/libpython3.12.so.1.0\n"
    "7f00cc000000-7f00cc001000 r--p 00000000 08:01 9 "
    "/lib/libpython3.12.so.1.0\n";

TEST(FindCandidateTest, TakesTheExecutableWhereThereIsNoLibrary) {
  EXPECT_EQ(FindCandidate(kStatic, "/usr/bin/python3.11"),
            (Candidate{"/usr/bin/python3.11", 0x400000}));
}

TEST(FindCandidateTest, TakesTheLibraryWithTheCodeFromItsBeginning) {
  EXPECT_EQ(FindCandidate(kShared, "/opt/a b/bin/app"),
            (Candidate{"/lib/libpython3.12.so.1.0", 0x7f00cc000000}));
}

TEST(FindCandidateTest, TakesNamesWithSpaces) {
  EXPECT_EQ(FindCandidate("10-20 r--p 0 08:01 7 /opt/a b/bin/app\n",
                          "/opt/a b/bin/app"),
            (Candidate{"/opt/a b/bin/app", 0x10}));
}

TEST(FindCandidateTest, HasNoneInTextThatIsNone) {
  for (const char* text :
       {"", "\n\n", "/", "-/", "x-y r--p 0 / /bin/x", "10-20 /bin/x",
        "10-20 r--p zz 08:01 7 /bin/x", "10-20 r--p 1000 08:01 7 /bin/x"}) {
    EXPECT_EQ(FindCandidate(text, "/bin/x"), std::nullopt) << text;
  }
}

TEST(VersionInNameTest, ReadsTheNamesThatDistributionsGive) {
  EXPECT_EQ(VersionInName("/usr/bin/python3.9"), (PythonVersion{3, 9, 0}));
  EXPECT_EQ(VersionInName("/x/libpython3.10.so.1.0"),
            (PythonVersion{3, 10, 0}));
  EXPECT_EQ(VersionInName("/python3.10/bin/app"), PythonVersion{});
  EXPECT_EQ(VersionInName("/usr/bin/python3."), PythonVersion{});
  EXPECT_EQ(VersionInName("python3"), PythonVersion{});
}

TEST(LocateTest, FindsNoneInThisTest) {
  EXPECT_TRUE(
      absl::IsNotFound(Locate(static_cast<std::uint32_t>(getpid())).status()));
}

}  // namespace
}  // namespace heapledger::collector::python
