# Text files as part of a program: read when it is built, not when it runs.
#
# heapledger_embed(TARGET t HEADER h FUNCTION f FILES a b …)
# adds to target `t` the definition of heapledger::collector::f(), declared in
# the header `h` as a function that returns std::span<const EmbeddedFile>: name,
# text, and the hash by which a Content-Security-Policy allows it
# ("sha256-…" of the text as it is).
set(HEAPLEDGER_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(heapledger_embed)
  cmake_parse_arguments(ARG "" "TARGET;HEADER;FUNCTION" "FILES" ${ARGN})
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${ARG_FUNCTION}.cc)
  list(TRANSFORM ARG_FILES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  string(REPLACE ";" "|" files "${ARG_FILES}")
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D "FILES=${files}" -D HEADER=${ARG_HEADER}
      -D FUNCTION=${ARG_FUNCTION} -D OUTPUT=${output}
      -P ${HEAPLEDGER_EMBED_SCRIPT}
    DEPENDS ${ARG_FILES} ${HEAPLEDGER_EMBED_SCRIPT} VERBATIM
    COMMENT "Embedding ${ARG_FUNCTION}")
  target_sources(${ARG_TARGET} PRIVATE ${output})
endfunction()

# The base64 of bytes given in hex.
function(heapledger_base64 hex result)
  set(alphabet
    ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(text "")
  string(LENGTH "${hex}" length)
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${hex}" ${at} 6 group)
    string(LENGTH "${group}" digits)
    math(EXPR characters "(${digits} * 4 + 5) / 6")
    string(SUBSTRING "${group}00000" 0 6 group)
    foreach(shift 18 12 6 0)
      if(characters GREATER 0)
        math(EXPR index "(0x${group} >> ${shift}) & 63")
        string(SUBSTRING ${alphabet} ${index} 1 character)
        math(EXPR characters "${characters} - 1")
      else()
        set(character "=")
      endif()
      string(APPEND text ${character})
    endforeach()
    math(EXPR at "${at} + 6")
  endwhile()
  set(${result} ${text} PARENT_SCOPE)
endfunction()

if(NOT CMAKE_SCRIPT_MODE_FILE STREQUAL HEAPLEDGER_EMBED_SCRIPT)
  return()
endif()

set(delimiter HEAPLEDGER)
set(source "// Made by scripts/cmake/HeapledgerEmbed.cmake.
#include \"${HEADER}\"

namespace heapledger::collector {
namespace {

constexpr EmbeddedFile kFiles[] = {
")
string(REPLACE "|" ";" FILES "${FILES}")
foreach(file IN LISTS FILES)
  file(READ "${file}" text)
  file(SHA256 "${file}" hex)
  if(text MATCHES "\\)${delimiter}\"")
    message(FATAL_ERROR "${file} holds the end of a raw string")
  endif()
  heapledger_base64(${hex} hash)
  get_filename_component(name "${file}" NAME)
  string(APPEND source "{\"${name}\", R\"${delimiter}(${text})${delimiter}\","
    " \"sha256-${hash}\"},\n")
endforeach()
string(APPEND source "};

}  // namespace

std::span<const EmbeddedFile> ${FUNCTION}() { return kFiles; }

}  // namespace heapledger::collector
")
file(WRITE "${OUTPUT}" "${source}")
