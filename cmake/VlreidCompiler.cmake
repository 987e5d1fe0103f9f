# One interface target carries every flag of our own code; CMAKE_CXX_FLAGS stays the user's.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(CCACHE ccache)
if(CCACHE)
  # The sloppiness settings let a precompiled header be cached; base_dir lets checkouts share hits.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

# GCC 12 sees overlaps and overflows in the concatenation of std::string where there are none (its bugs 105329 and 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(VLREID_FALSE_ALARMS -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow)
endif()
add_library(vlreid_flags INTERFACE)
target_compile_options(vlreid_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wmissing-declarations -Werror
  ${VLREID_FALSE_ALARMS}
  -fno-math-errno -fno-trapping-math)
target_include_directories(vlreid_flags INTERFACE "${CMAKE_SOURCE_DIR}")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(vlreid_flags INTERFACE -fpch-preprocess)
endif()
set(VLREID_TEST_SECONDS 300)
if(VLREID_SANITIZE)
  set(VLREID_TEST_SECONDS 3000)
  target_compile_options(vlreid_flags INTERFACE
    -fsanitize=${VLREID_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1)
  target_link_options(vlreid_flags INTERFACE -fsanitize=${VLREID_SANITIZE})
endif()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
