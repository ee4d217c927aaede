# Compiler options: what is on for everything (sanitizers, ccache), and what only our own targets get (warnings).

find_program(BACKSTAGE_CCACHE ccache)
mark_as_advanced(BACKSTAGE_CCACHE)
if(BACKSTAGE_CCACHE AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A second checkout, in a folder of another name, is built from what the first one left in the cache: paths below the source
  # folder are taken as relative, and the folder in which the compiler runs does not count.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=true
                                  "${BACKSTAGE_CCACHE}")
endif()

if(BACKSTAGE_SANITIZE)
  if(BACKSTAGE_SANITIZE MATCHES "thread" AND BACKSTAGE_SANITIZE MATCHES "address")
    message(FATAL_ERROR "BACKSTAGE_SANITIZE='${BACKSTAGE_SANITIZE}': thread and address exclude each other; build twice")
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    message(WARNING "g++ makes no tail calls under sanitizers, so that long chains of co_await overflow the stack: "
                    "use clang for BACKSTAGE_SANITIZE (presets asan and tsan)")
  endif()
  add_compile_options(-fsanitize=${BACKSTAGE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BACKSTAGE_SANITIZE})
  if(BACKSTAGE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

# What every target of this tree gets, and no user of it.
function(backstage_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(BACKSTAGE_STRICT)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
    # g++ 12 sees overlapping copies in `"literal" + std::string` at -O1 and above where there are none (GCC bug
    # 105651, repaired in 13).
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      # maybe-uninitialized: std::variant and std::optional at -O1 and -O2 (GCC bug 105562 and kin).
      target_compile_options(${target} PRIVATE -Wno-restrict -Wno-maybe-uninitialized)
    endif()
  endif()
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
endfunction()
