# What every target of the project shares: warnings, sanitizers, tests.

# Strict warnings; errors unless HEAPLEDGER_WERROR is off.
function(heapledger_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion
    -Wno-sign-conversion -Wnon-virtual-dtor -Wcast-qual
    $<$<BOOL:${HEAPLEDGER_WERROR}>:-Werror>)
endfunction()

# Sanitizers go on collector, symbolizer, CLI and tests, target by target:
# never on libheapledger.so and never on the programs it is preloaded into.
function(heapledger_sanitize target)
  if(HEAPLEDGER_SANITIZE STREQUAL "address")
    set(flags -fsanitize=address,undefined -fno-sanitize-recover=all
      -fno-omit-frame-pointer
      # gcc sees uninitialized members in <regex> once it is instrumented.
      -Wno-maybe-uninitialized)
  elseif(HEAPLEDGER_SANITIZE STREQUAL "thread")
    set(flags -fsanitize=thread)
  else()
    return()
  endif()
  target_compile_options(${target} PRIVATE ${flags})
  target_link_options(${target} PRIVATE ${flags})
endfunction()

# A library outside the target: heapledger_add_library(NAME x SOURCES … LINK …)
function(heapledger_add_library)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${ARG_NAME} STATIC ${ARG_SOURCES})
  target_include_directories(${ARG_NAME} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${ARG_NAME} PUBLIC ${ARG_LINK}
    PRIVATE ${ARG_PRIVATE_LINK})
  heapledger_warnings(${ARG_NAME})
  heapledger_sanitize(${ARG_NAME})
endfunction()

# A GoogleTest binary registered with ctest under one label:
# heapledger_add_test(NAME x LABEL unit SOURCES … LINK … [TIMEOUT s] [ENV …])
function(heapledger_add_test)
  cmake_parse_arguments(ARG "" "NAME;LABEL;TIMEOUT" "SOURCES;LINK;ENV" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_include_directories(${ARG_NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LINK} GTest::gtest_main)
  set_target_properties(${ARG_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  heapledger_warnings(${ARG_NAME})
  heapledger_sanitize(${ARG_NAME})
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABEL}"
    TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${ARG_ENV}")
endfunction()
