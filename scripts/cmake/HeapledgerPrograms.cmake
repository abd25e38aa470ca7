# Programs that the shim is preloaded into, and Python tests that run them and
# read their ledgers back through the CLI.
set(HEAPLEDGER_TEST_PROGRAMS ${PROJECT_BINARY_DIR}/tests/programs)

add_custom_target(heapledger_test_programs ALL)

# A program that is preloaded into: never sanitized, flags of its own.
# heapledger_add_program(NAME x SOURCES … [OPTIONS …] [LINK …])
function(heapledger_add_program)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;OPTIONS;LINK" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  set_target_properties(${ARG_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${HEAPLEDGER_TEST_PROGRAMS})
  target_compile_options(${ARG_NAME} PRIVATE -g ${ARG_OPTIONS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LINK})
  add_dependencies(heapledger_test_programs ${ARG_NAME})
endfunction()

function(heapledger_add_script)
  cmake_parse_arguments(ARG "" "NAME;LABEL;TIMEOUT" "" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_test(NAME ${ARG_NAME}
    COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_NAME}.py)
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABEL}"
    TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT
    "PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support;PYTHONDONTWRITEBYTECODE=1;HEAPLEDGER_CLI=$<TARGET_FILE:heapledger>;HEAPLEDGER_SHIM=$<TARGET_FILE:heapledger_preload>;HEAPLEDGER_COUNTER=$<TARGET_FILE:heapledger_count_preload>;HEAPLEDGER_PROGRAMS=${HEAPLEDGER_TEST_PROGRAMS}")
endfunction()

