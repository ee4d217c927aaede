# How a folder becomes a target.

# backstage_module(<name> [MODULES m...] [PUBLIC lib...] [PRIVATE lib...])
#   sources: src/<name>/**.cpp; public headers: include/backstage/<name>/**.hpp
#   MODULES: the modules of lower floors that it links. PUBLIC: libraries that its public headers need.
#   PRIVATE: header-only libraries that only its sources need; a user of the installed package needs none of them.
# No sources: an INTERFACE library. The target is backstage_<name>, alias backstage::<name>.
function(backstage_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "MODULES;PUBLIC;PRIVATE")
  set(target backstage_${name})
  set(include_dir "${PROJECT_SOURCE_DIR}/include")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.cpp")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${include_dir}/backstage/${name}/*.hpp")

  list(TRANSFORM arg_MODULES PREPEND "backstage::")
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    backstage_options(${target})
    foreach(library IN LISTS arg_PRIVATE)
      target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:${library}>)
    endforeach()
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
    target_compile_features(${target} INTERFACE cxx_std_20)
  endif()
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS "${include_dir}" FILES ${headers})
  # A module without headers still passes the include directory on, in the build and installed.
  target_include_directories(${target} ${scope} "$<BUILD_INTERFACE:${include_dir}>"
                                                "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${target} ${scope} ${arg_MODULES} ${arg_PUBLIC})

  if(name STREQUAL "base")
    # Users' coroutines are compiled in users' builds, and these two must hold there too.
    # (1) g++ makes the tail calls of symmetric transfer only at -O2; without them a long ready chain of co_await
    #     overflows the stack.
    target_compile_options(${target} ${scope} "$<$<CXX_COMPILER_ID:GNU>:-foptimize-sibling-calls>")
    # (2) The allocation pools turn themselves off where a sanitizer is to see each allocation.
    if(BACKSTAGE_SANITIZE)
      target_compile_definitions(${target} ${scope} BACKSTAGE_SANITIZED=1)
    endif()
  endif()

  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} OUTPUT_NAME backstage_${name})
  add_library(backstage::${name} ALIAS ${target})
  set_property(GLOBAL APPEND PROPERTY BACKSTAGE_MODULES ${name})
endfunction()

# backstage::backstage (also Backstage::backstage): every module, and the headers that belong to none of them.
function(backstage_umbrella)
  get_property(modules GLOBAL PROPERTY BACKSTAGE_MODULES)
  list(TRANSFORM modules PREPEND "backstage::")
  file(GLOB headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/backstage/*.hpp")
  add_library(backstage INTERFACE)
  target_sources(backstage INTERFACE FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${headers})
  target_link_libraries(backstage INTERFACE ${modules})
  add_library(backstage::backstage ALIAS backstage)
  add_library(Backstage::backstage ALIAS backstage)
endfunction()

# backstage_app(<name> LINK lib...)
#   apps/<name>/**.cpp but main.cpp: library <name>_parts, so that tests can link it; main.cpp: executable <name>.
#   Its own headers are included as "<name>/...".
function(backstage_app name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/apps/${name}/*.cpp")
  set(main "${PROJECT_SOURCE_DIR}/apps/${name}/main.cpp")
  list(REMOVE_ITEM sources "${main}")
  if(sources)
    add_library(${name}_parts STATIC ${sources})
    backstage_options(${name}_parts)
    set(scope PUBLIC)
  else()
    add_library(${name}_parts INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name}_parts ${scope} "${PROJECT_SOURCE_DIR}/apps")
  target_link_libraries(${name}_parts ${scope} backstage::backstage ${arg_LINK})
  if(EXISTS "${main}")
    add_executable(${name} "${main}")
    backstage_options(${name})
    target_link_libraries(${name} PRIVATE ${name}_parts)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
    install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endfunction()

# benchmarks/*.cpp and benchmarks/savina/*.cpp: the program backstage-bench. benchmarks/micro/*.cpp: backstage-microbench,
# where Google Benchmark is there. The peers in benchmarks/peers are built by a script of their own.
function(backstage_benchmarks)
  set(folder "${PROJECT_SOURCE_DIR}/benchmarks")
  file(GLOB sources CONFIGURE_DEPENDS "${folder}/*.cpp" "${folder}/savina/*.cpp")
  file(GLOB micro CONFIGURE_DEPENDS "${folder}/micro/*.cpp")
  add_executable(backstage-bench ${sources})
  set(programs backstage-bench)
  find_package(benchmark QUIET)
  if(micro AND TARGET benchmark::benchmark)
    add_executable(backstage-microbench ${micro})
    target_link_libraries(backstage-microbench PRIVATE benchmark::benchmark)
    list(APPEND programs backstage-microbench)
  endif()
  foreach(program IN LISTS programs)
    backstage_options(${program})
    target_include_directories(${program} PRIVATE "${folder}")
    target_link_libraries(${program} PRIVATE backstage::backstage)
    set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  endforeach()
endfunction()
