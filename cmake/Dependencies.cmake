# Everything that flytt is built with and that is not its own. `./dev deps` puts it on the machine.
#
#   flytt_duckdb                  libduckdb.so and duckdb.h              (-DDUCKDB_ROOT=DIR with include/ and lib/)
#   flytt_proto_bigquery          generated C++ and gRPC of BigQuery's storage v1 protocol, google/rpc and google/api
#   flytt_proto_googlesql         generated C++ and gRPC of the GoogleSQL analyzer   (-DGOOGLESQL_ROOT=DIR with lib/ and
#                                 googlesql.{desc,files}); the analyzer itself is a file beside the program:
#                                 lib/liblocal_service_jni.so, never linked
#   flytt_third_party::rdkafka    librdkafka, static                     (-DRDKAFKA_ROOT=DIR with include/ and lib/)
#   flytt_third_party::<name>     pq ssl crypto curl sqlite3 yaml_cpp re2 simdjson nlohmann_json spdlog fmt cli11
#                                 date date_tz absl_time protobuf grpc boost jni (headers only) benchmark threads
#   GTest::gtest GTest::gmock GTest::gtest_main
#
# All foreign headers are system headers: their warnings are not ours.
# Programs land in the build folder itself, their private libraries in lib/ beside them, found by $ORIGIN/lib.

if(DEFINED ENV{FLYTT_DEPS_DIR})
  set(deps_dir "$ENV{FLYTT_DEPS_DIR}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(deps_dir "$ENV{XDG_CACHE_HOME}/flytt/deps")
else()
  set(deps_dir "$ENV{HOME}/.cache/flytt/deps")
endif()
set(FLYTT_DEPS_DIR "${deps_dir}" CACHE PATH "where ./dev deps keeps the pinned libraries")
set(DUCKDB_ROOT "${FLYTT_DEPS_DIR}/duckdb-1.5.6" CACHE PATH "DuckDB: include/duckdb.h and lib/libduckdb.so")
set(GOOGLESQL_ROOT "${FLYTT_DEPS_DIR}/googlesql-2025.12.1" CACHE PATH
  "GoogleSQL analyzer: lib/liblocal_service_jni.so, googlesql.desc, googlesql.files")
set(RDKAFKA_ROOT "${FLYTT_DEPS_DIR}/librdkafka-2.12.1" CACHE PATH
  "librdkafka: include/librdkafka/rdkafka.h and lib/librdkafka.a")
set(GOOGLE_PROTOS_ROOT "${FLYTT_DEPS_DIR}/google-protos-5.0.3" CACHE PATH "google/**/*.proto of BigQuery's protocol")

foreach(file ${DUCKDB_ROOT}/include/duckdb.h ${DUCKDB_ROOT}/lib/libduckdb.so
    ${RDKAFKA_ROOT}/include/librdkafka/rdkafka.h ${RDKAFKA_ROOT}/lib/librdkafka.a
    ${GOOGLESQL_ROOT}/lib/liblocal_service_jni.so ${GOOGLESQL_ROOT}/googlesql.desc ${GOOGLESQL_ROOT}/googlesql.files
    ${GOOGLE_PROTOS_ROOT}/google/cloud/bigquery/storage/v1/storage.proto)
  if(NOT EXISTS ${file})
    message(FATAL_ERROR "${file} is missing: run ./dev deps")
  endif()
endforeach()

# -- How programs find their private libraries
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/lib")

# -- Compiler cache and linker: used when they are there
find_program(FLYTT_CCACHE ccache)
if(FLYTT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths below the source tree count as relative, so build folders and clones share what they compile; the sloppiness
  # lets precompiled headers be cached (nothing in this tree depends on time macros).
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${FLYTT_CCACHE})
endif()
find_program(FLYTT_MOLD mold)
find_program(FLYTT_LLD NAMES ld.lld ld.lld-14)
if(FLYTT_MOLD)
  add_link_options(-fuse-ld=mold)
elseif(FLYTT_LLD)
  add_link_options(-fuse-ld=lld)
endif()

# -- What a sanitizer finds stops the program
if(FLYTT_SANITIZE)
  add_compile_options(-fno-sanitize-recover=all)
endif()

# -- Fuzzing (the fuzz preset): coverage in all of our code; fuzz/ links libFuzzer
option(FLYTT_FUZZ "instrument for libFuzzer" OFF)
if(FLYTT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# -- Debian's libraries
find_package(Threads REQUIRED)
find_package(GTest CONFIG REQUIRED)

# flytt_third_party(<name> HEADER <a header of it> [LIBRARIES <library names…>] [DIRECTORIES <places of the header…>])
function(flytt_third_party name)
  cmake_parse_arguments(ARG "" "HEADER" "LIBRARIES;DIRECTORIES" ${ARGN})
  find_path(FLYTT_${name}_INCLUDE ${ARG_HEADER} HINTS ${ARG_DIRECTORIES})
  mark_as_advanced(FLYTT_${name}_INCLUDE)
  if(NOT FLYTT_${name}_INCLUDE)
    message(FATAL_ERROR "${ARG_HEADER} is missing: run ./dev deps")
  endif()
  add_library(flytt_third_party_${name} INTERFACE)
  add_library(flytt_third_party::${name} ALIAS flytt_third_party_${name})
  if(NOT FLYTT_${name}_INCLUDE STREQUAL "/usr/include")
    target_include_directories(flytt_third_party_${name} SYSTEM INTERFACE ${FLYTT_${name}_INCLUDE})
  endif()
  foreach(library ${ARG_LIBRARIES})
    find_library(FLYTT_LIB_${library} ${library})
    mark_as_advanced(FLYTT_LIB_${library})
    if(NOT FLYTT_LIB_${library})
      message(FATAL_ERROR "lib${library} is missing: run ./dev deps")
    endif()
    target_link_libraries(flytt_third_party_${name} INTERFACE ${FLYTT_LIB_${library}})
  endforeach()
endfunction()

flytt_third_party(pq HEADER libpq-fe.h DIRECTORIES /usr/include/postgresql LIBRARIES pq)
flytt_third_party(crypto HEADER openssl/evp.h LIBRARIES crypto)
flytt_third_party(ssl HEADER openssl/ssl.h LIBRARIES ssl crypto)
flytt_third_party(curl HEADER curl/curl.h DIRECTORIES /usr/include/x86_64-linux-gnu LIBRARIES curl)
flytt_third_party(sqlite3 HEADER sqlite3.h LIBRARIES sqlite3)
flytt_third_party(yaml_cpp HEADER yaml-cpp/yaml.h LIBRARIES yaml-cpp)
flytt_third_party(re2 HEADER re2/re2.h LIBRARIES re2)
flytt_third_party(simdjson HEADER simdjson.h LIBRARIES simdjson)
flytt_third_party(nlohmann_json HEADER nlohmann/json.hpp)
flytt_third_party(fmt HEADER fmt/format.h LIBRARIES fmt)
flytt_third_party(spdlog HEADER spdlog/spdlog.h LIBRARIES spdlog fmt)
target_compile_definitions(flytt_third_party_spdlog INTERFACE SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL SPDLOG_SHARED_LIB)
flytt_third_party(cli11 HEADER CLI/CLI.hpp)
flytt_third_party(date HEADER date/date.h)
flytt_third_party(date_tz HEADER date/tz.h LIBRARIES date-tz)
target_compile_definitions(flytt_third_party_date_tz INTERFACE USE_OS_TZDB=1)
flytt_third_party(protobuf HEADER google/protobuf/message.h LIBRARIES protobuf)
flytt_third_party(grpc HEADER grpcpp/grpcpp.h LIBRARIES grpc++ grpc gpr protobuf absl_synchronization)
flytt_third_party(absl_time HEADER absl/time/time.h LIBRARIES absl_time absl_time_zone)
flytt_third_party(boost HEADER boost/version.hpp)
flytt_third_party(benchmark HEADER benchmark/benchmark.h LIBRARIES benchmark)
flytt_third_party(jni HEADER jni.h DIRECTORIES /usr/lib/jvm/java-17-openjdk-amd64/include)
target_include_directories(flytt_third_party_jni SYSTEM INTERFACE ${FLYTT_jni_INCLUDE}/linux)
add_library(flytt_third_party_threads INTERFACE)
add_library(flytt_third_party::threads ALIAS flytt_third_party_threads)
target_link_libraries(flytt_third_party_threads INTERFACE Threads::Threads)
# Not found by name: Debian's own, older librdkafka may be there, too.
add_library(flytt_third_party_rdkafka INTERFACE)
add_library(flytt_third_party::rdkafka ALIAS flytt_third_party_rdkafka)
target_include_directories(flytt_third_party_rdkafka SYSTEM INTERFACE ${RDKAFKA_ROOT}/include)
foreach(library lz4 zstd z)
  find_library(FLYTT_LIB_${library} ${library} REQUIRED)
  mark_as_advanced(FLYTT_LIB_${library})
endforeach()
target_link_libraries(flytt_third_party_rdkafka INTERFACE ${RDKAFKA_ROOT}/lib/librdkafka.a flytt_third_party_ssl
  ${FLYTT_LIB_lz4} ${FLYTT_LIB_zstd} ${FLYTT_LIB_z} Threads::Threads m ${CMAKE_DL_LIBS})
foreach(name grpc benchmark date_tz)
  target_link_libraries(flytt_third_party_${name} INTERFACE Threads::Threads)
endforeach()

# -- DuckDB
add_library(flytt_duckdb SHARED IMPORTED GLOBAL)
set_target_properties(flytt_duckdb PROPERTIES
  IMPORTED_LOCATION ${DUCKDB_ROOT}/lib/libduckdb.so
  IMPORTED_SONAME libduckdb.so
  INTERFACE_INCLUDE_DIRECTORIES ${DUCKDB_ROOT}/include
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${DUCKDB_ROOT}/include)

find_program(FLYTT_PROTOC protoc REQUIRED)
find_program(FLYTT_GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
