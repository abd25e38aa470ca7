// SPDX-License-Identifier: Apache-2.0
// Writes a heap in every format, for the tests in Python that read the files
// back with other programs.
//
//   write_profiles DIR ledger FILE       a ledger as it is now
//   write_profiles DIR random N DEPTH    N callsites, made up
//   write_profiles DIR hostile           names that try to break out
//
// DIR gets heap.<extension> for each format; of made-up heaps diff.<extension>
// too, of two moments. Prints the totals, and what each file cost, as JSON.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "collector/profile/difference.h"
#include "collector/profile/formats.h"
#include "collector/profile/resolver.h"
#include "collector/shm/ledger_reader.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

json TotalsJson(const ProfileValues& values) {
  return {{"live_bytes", values.live_bytes},
          {"live_objects", values.live_objects},
          {"allocated_bytes", values.allocated_bytes},
          {"allocations", values.allocated_objects}};
}

json WriteAll(const Profile& profile, const std::string& stem) {
  json result = {{"totals", TotalsJson(profile.totals)},
                 {"before", TotalsJson(profile.before_totals)},
                 {"callsites", profile.samples.size()}};
  for (const char* word :
       {"pb.gz", "folded", "speedscope.json", "json", "txt", "svg", "html"}) {
    const Clock::time_point start = Clock::now();
    const auto text = WriteProfile(profile, *FormatOfWord(word));
    const double seconds = SecondsSince(start);
    if (!text.ok()) {
      std::cerr << word << ": " << text.status().message() << "\n";
      std::exit(1);
    }
    const std::string path = stem + "." + word;
    std::ofstream(path, std::ios::binary) << *text;
    result["files"][word] = {{"bytes", text->size()}, {"seconds", seconds}};
  }
  return result;
}

testing::HeapMaker Hostile(unsigned round) {
  testing::HeapMaker heap;
  const std::string long_name(100'000, 'x');
  std::vector<std::uint32_t> frames;
  for (const std::string& name :
       {std::string("</script><script>document.title='owned'</script>"),
        std::string("<img src=x onerror=\"document.title='owned'\">"),
        std::string("quotes \" ' ` and \\ backslash"),
        std::string("a;b;c\nd\re\tf"), std::string("\xff\xfe invalid \xc3"),
        std::string("nul\0inside", 10), std::string("]]>-->&amp;&lt;"),
        std::string("\u2028\u2029\u0085 separators"), std::string("%s%n${x}"),
        std::string("__proto__"), std::string("constructor"), long_name,
        std::string()}) {
    frames.push_back(heap.AddFrame({testing::Function(name, name, 7)}));
  }
  heap.snapshot().identity.exe = "/bin/</title><script>document.title='owned'";
  heap.module().path = "/lib/<b>\"\xff;so";
  for (std::size_t i = 0; i < frames.size(); ++i) {
    heap.AddCallsite({frames[i], frames[0], frames[(i + 1) % frames.size()]},
                     (i + 1) * 100 * (round + 1), i + 1);
  }
  return heap;
}

int Run(const std::string& directory, const std::string& kind, char** words) {
  json result;
  if (kind == "ledger") {
    auto reader = LedgerReader::Open(words[0]);
    if (!reader.ok()) {
      std::cerr << reader.status().message() << "\n";
      return 1;
    }
    auto snapshot = (*reader)->Take();
    if (!snapshot.ok()) {
      std::cerr << snapshot.status().message() << "\n";
      return 1;
    }
    const auto names = MakeResolver();
    const Profile profile = MakeProfile(
        std::make_shared<LedgerSnapshot>(*std::move(snapshot)), *names);
    result["heap"] = WriteAll(profile, directory + "/heap");
  } else {
    const auto make = [&](unsigned round) {
      return kind == "hostile"
                 ? Hostile(round)
                 : testing::RandomHeap(7, std::strtoul(words[0], nullptr, 10),
                                       std::strtoul(words[1], nullptr, 10),
                                       round);
    };
    const Profile before = make(0).Make();
    const Clock::time_point start = Clock::now();
    const Profile difference = Difference(before, make(1).Make());
    result["difference_seconds"] = SecondsSince(start);
    result["heap"] = WriteAll(before, directory + "/heap");
    result["diff"] = WriteAll(difference, directory + "/diff");
  }
  std::cout << result.dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace heapledger::collector

int main(int argc, char** argv) {
  const std::string kind = argc > 2 ? argv[2] : "";
  const int wanted = kind == "random" ? 5 : kind == "ledger" ? 4 : 3;
  if (argc != wanted) {
    std::fprintf(stderr,
                 "usage: write_profiles DIR ledger FILE | random N DEPTH | "
                 "hostile\n");
    return 2;
  }
  return heapledger::collector::Run(argv[1], kind, argv + 3);
}
