# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# cmake -D compiler=... -D file=... -D both_ways=1 -D include=... -P expect_compile_error.cmake
# Passes if the file does not compile and the messages match its line `// expect: <regex>`. With
# TOKENGATE_FIXED defined (if the file mentions it) it has to compile: it failed for its own reason.
# One compiler has to show that, with both_ways.
file(STRINGS "${file}" expect REGEX "^// expect: ")
list(LENGTH expect lines)
if(NOT lines EQUAL 1)
  message(FATAL_ERROR "${file} needs exactly one line '// expect: <regex>'")
endif()
string(REGEX REPLACE "^// expect: *" "" expect "${expect}")

set(flags -std=c++20 -fsyntax-only -pthread -DSPDLOG_FMT_EXTERNAL)
foreach(dir IN LISTS include)
  if(dir AND NOT dir STREQUAL "/usr/include")
    list(APPEND flags -I${dir})
  endif()
endforeach()

execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${compiler} ${flags} ${file}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "${file} compiled, but it must not")
endif()
if(NOT output MATCHES "${expect}")
  message(FATAL_ERROR "${file} failed with another message than '${expect}':\n${output}")
endif()

file(STRINGS "${file}" fixed REGEX "TOKENGATE_FIXED")
if(fixed AND both_ways)
  execute_process(COMMAND ${compiler} ${flags} -DTOKENGATE_FIXED ${file}
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${file} must compile with TOKENGATE_FIXED:\n${output}")
  endif()
endif()
