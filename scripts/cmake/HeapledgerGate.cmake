# A leak gate around the tests of a CTest suite: each gets a verdict of its own.
#
#   include(HeapledgerGate)
#   heapledger_add_gated_test(NAME cart COMMAND cart_test --quick
#     [GATE_OPTIONS --max-peak 64MiB …])
#
# is add_test(NAME cart COMMAND heapledger gate … -- cart_test --quick), where
# COMMAND may name a target. For a suite whose tests are added by others
# (gtest_discover_tests, say), make the gate the launcher of their program:
#
#   heapledger_gate_target(cart_test [GATE_OPTIONS …])
#
# HEAPLEDGER_GATE_OPTIONS, a list, is given to every gate. HEAPLEDGER_EXECUTABLE
# is the gate's program; where it is not found, tests run bare and CMake says
# so, unless HEAPLEDGER_GATE_REQUIRED is on.
#
# The status of a test that leaks is 23, of one that could not be measured 3.
option(HEAPLEDGER_GATE_REQUIRED "Fail where heapledger is not found" OFF)
set(HEAPLEDGER_GATE_OPTIONS "" CACHE STRING "Options of every gate")

if(TARGET heapledger)
  set(HEAPLEDGER_EXECUTABLE $<TARGET_FILE:heapledger>)
else()
  find_program(HEAPLEDGER_EXECUTABLE heapledger)
  if(NOT HEAPLEDGER_EXECUTABLE)
    if(HEAPLEDGER_GATE_REQUIRED)
      message(FATAL_ERROR "heapledger is not found, and "
        "HEAPLEDGER_GATE_REQUIRED is on; set HEAPLEDGER_EXECUTABLE")
    endif()
    message(WARNING "heapledger is not found, so tests run without the leak "
      "gate; set HEAPLEDGER_EXECUTABLE")
  endif()
endif()

# The gate before a command; empty where there is none.
function(_heapledger_gate_words result)
  set(words "")
  if(HEAPLEDGER_EXECUTABLE)
    set(words ${HEAPLEDGER_EXECUTABLE} gate ${HEAPLEDGER_GATE_OPTIONS} ${ARGN}
      --)
  endif()
  set(${result} "${words}" PARENT_SCOPE)
endfunction()

function(heapledger_add_gated_test)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "" "NAME;WORKING_DIRECTORY"
    "COMMAND;CONFIGURATIONS;GATE_OPTIONS")
  if(NOT ARG_NAME OR NOT ARG_COMMAND)
    message(FATAL_ERROR "heapledger_add_gated_test needs NAME and COMMAND")
  endif()
  # Behind the gate CMake would not see that the first word is a target.
  list(POP_FRONT ARG_COMMAND program)
  if(TARGET ${program})
    set(program $<TARGET_FILE:${program}>)
  endif()
  _heapledger_gate_words(gate ${ARG_GATE_OPTIONS})
  set(more "")
  foreach(word WORKING_DIRECTORY CONFIGURATIONS)
    if(ARG_${word})
      list(APPEND more ${word} ${ARG_${word}})
    endif()
  endforeach()
  add_test(NAME ${ARG_NAME} COMMAND ${gate} ${program} ${ARG_COMMAND} ${more})
endfunction()

# CMake puts the emulator of a target before it wherever it runs it: in tests,
# and when tests are discovered. The listing of tests is gated, too.
function(heapledger_gate_target target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "GATE_OPTIONS")
  _heapledger_gate_words(gate ${ARG_GATE_OPTIONS})
  if(gate)
    set_target_properties(${target} PROPERTIES
      CROSSCOMPILING_EMULATOR "${gate}")
  endif()
endfunction()
