// SPDX-License-Identifier: Apache-2.0
// The option that chooses what is shown of a callsite, the same on every verb.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "collector/profile/profile.h"

namespace heapledger::collector::cli {

inline CLI::Option* AddValueOption(
    CLI::App& app, const std::string& name, ProfileValue& value,
    const std::string& help =
        "live-bytes, live-objects, allocated-bytes or allocations") {
  static const std::map<std::string, ProfileValue> kValues = {
      {"live-bytes", ProfileValue::kLiveBytes},
      {"live-objects", ProfileValue::kLiveObjects},
      {"allocated-bytes", ProfileValue::kAllocatedBytes},
      {"allocations", ProfileValue::kAllocations}};
  return app.add_option(name, value, help)
      ->transform(CLI::CheckedTransformer(kValues).description(""))
      ->type_name("VALUE");
}

}  // namespace heapledger::collector::cli
