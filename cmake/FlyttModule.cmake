set(FLYTT_SANITIZE "" CACHE STRING "address,undefined or thread or empty")

add_library(flytt_flags INTERFACE)
target_include_directories(flytt_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(flytt_flags INTERFACE -Wall -Wextra -Wno-missing-field-initializers -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(flytt_flags INTERFACE -Wno-maybe-uninitialized)
endif()
if(FLYTT_SANITIZE)
  add_compile_options(-fsanitize=${FLYTT_SANITIZE})
  add_link_options(-fsanitize=${FLYTT_SANITIZE})
endif()

# -- Precompiled headers: what many files read, parsed once. Half of a build from nothing is parsing the same headers again.
# Every file still includes what it needs: other compilers (the tidy and fuzz presets) read it without them.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(FLYTT_PRECOMPILE ON)
endif()
set(flytt_std_headers <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <deque> <filesystem> <functional>
  <map> <memory> <mutex> <optional> <set> <sstream> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>)

# What is not on the way of rows is optimised less in a release build, which takes a third of its time.
set(flytt_lightly $<$<CONFIG:Release>:-O1>)

# flytt_precompiled(<name> [LIBRARIES <targets…>] [OPTIONS <of the compiler…>] HEADERS <headers…>): for
# flytt_use_precompiled(<target> <name>), whose options are the same.
function(flytt_precompiled name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBRARIES;OPTIONS" ${ARGN})
  if(NOT FLYTT_PRECOMPILE)
    return()
  endif()
  set(source ${CMAKE_BINARY_DIR}/precompiled/${name}.cc)
  file(GENERATE OUTPUT ${source} CONTENT "")
  add_library(flytt_precompiled_${name} OBJECT ${source})
  target_link_libraries(flytt_precompiled_${name} PRIVATE flytt_flags ${ARG_LIBRARIES})
  if(-fPIE IN_LIST ARG_OPTIONS)
    set_target_properties(flytt_precompiled_${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  endif()
  target_compile_options(flytt_precompiled_${name} PRIVATE ${ARG_OPTIONS})
  set_target_properties(flytt_precompiled_${name} PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
  target_precompile_headers(flytt_precompiled_${name} PRIVATE ${ARG_HEADERS})
endfunction()

function(flytt_use_precompiled target name)
  if(FLYTT_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM flytt_precompiled_${name})
  endif()
endfunction()

flytt_precompiled(std HEADERS ${flytt_std_headers})
flytt_precompiled(json LIBRARIES flytt_third_party::nlohmann_json HEADERS ${flytt_std_headers} <nlohmann/json.hpp>)
flytt_precompiled(json_lightly LIBRARIES flytt_third_party::nlohmann_json OPTIONS ${flytt_lightly}
  HEADERS ${flytt_std_headers} <nlohmann/json.hpp>)
flytt_precompiled(test LIBRARIES GTest::gtest OPTIONS -fPIE ${flytt_lightly} HEADERS ${flytt_std_headers} <gtest/gtest.h>)

# flytt_module(<name> [LIGHTLY] [PRECOMPILED <name>] DEPENDS <targets…> [PRIVATE_DEPENDS <targets…>])
# One static library flytt_<name> from src/<name>/*.cc and src/<name>/*/*.cc, and one test program
# <name>_test from the *_test.cc files beside them. Include paths start at src/. The precompiled headers are `std` when no
# others are named; LIGHTLY: see flytt_lightly, tests always are.
function(flytt_module name)
  cmake_parse_arguments(ARG "LIGHTLY" "PRECOMPILED" "DEPENDS;PRIVATE_DEPENDS;TEST_DEPENDS" ${ARGN})
  if(NOT ARG_PRECOMPILED)
    set(ARG_PRECOMPILED std)
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|_main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(flytt_${name} STATIC ${sources})
    target_link_libraries(flytt_${name} PUBLIC flytt_flags ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
    flytt_use_precompiled(flytt_${name} ${ARG_PRECOMPILED})
    if(ARG_LIGHTLY)
      target_compile_options(flytt_${name} PRIVATE ${flytt_lightly})
    endif()
  else()
    add_library(flytt_${name} INTERFACE)
    target_link_libraries(flytt_${name} INTERFACE flytt_flags ${ARG_DEPENDS})
  endif()
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE flytt_${name} ${ARG_PRIVATE_DEPENDS} ${ARG_TEST_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
    flytt_use_precompiled(${name}_test test)
    target_compile_options(${name}_test PRIVATE ${flytt_lightly})
    add_test(NAME ${name}_test COMMAND ${name}_test)
  endif()
endfunction()
