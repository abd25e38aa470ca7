// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/help_screen.h"

#include <CLI/CLI.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace heapledger::collector::cli {
namespace {

class HelpScreen final : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    if (app->get_parent() != nullptr) {
      return CLI::Formatter::make_help(app, std::move(name), mode);
    }
    std::string text =
        absl::StrCat(app->get_description(), "\nUsage: ", app->get_name(),
                     " VERB [OPTIONS] …\n\n");
    for (const CLI::App* verb : app->get_subcommands({})) {
      absl::StrAppendFormat(&text, "  %-11s %s\n", verb->get_name(),
                            verb->get_description());
    }
    absl::StrAppend(&text, "\n", app->get_footer(), "\n");
    return text;
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> MakeHelpScreen() {
  return std::make_shared<HelpScreen>();
}

}  // namespace heapledger::collector::cli
