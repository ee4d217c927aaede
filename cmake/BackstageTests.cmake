# tests/<folder>/*_test.cpp: one GoogleTest program a folder, <folder>_test, each of its tests a ctest with the label
# <folder>; other sources of the folder are linked in. tests/support/*.cpp is linked into all of them. A folder of cases with a harness of its own (architecture,
# compile_fail, install) is none of this file's business.
find_package(GTest REQUIRED)
include(GoogleTest)

file(GLOB_RECURSE support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*.cpp")
if(support)
  add_library(test_support STATIC ${support})
  backstage_options(test_support)
  set(scope PUBLIC)
else()
  add_library(test_support INTERFACE)
  set(scope INTERFACE)
endif()
# A file system under RocksDB that forgets, and its like, are part of the support.
target_link_libraries(test_support ${scope} ${rocksdb})
target_include_directories(test_support ${scope} "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tests"
                                                 "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(test_support ${scope} backstage::backstage Boost::headers GTest::gtest GTest::gtest_main)

# Test programs write down which errors they raise (tests/support/errors_raised.cpp). -u: the archive comes before those
# that need it.
foreach(constructor IN ITEMS _ZN9backstage2v05ErrorC1ENS0_4ErrcESt17basic_string_viewIcSt11char_traitsIcEE
                             _ZN9backstage2v05ErrorC1ENS0_4ErrcESt17basic_string_viewIcSt11char_traitsIcEES1_)
  target_link_options(test_support ${scope} LINKER:--wrap=${constructor} LINKER:-u,__wrap_${constructor})
endforeach()

file(GLOB test_files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/*/*_test.cpp")
set(test_folders "")
foreach(file IN LISTS test_files)
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(GET folder FILENAME folder)
  list(APPEND test_folders ${folder})
endforeach()
list(REMOVE_DUPLICATES test_folders)

foreach(folder IN LISTS test_folders)
  set(properties LABELS ${folder} TIMEOUT 120)
  if(folder STREQUAL "drill")
    # Drills run in real time and measure: each has the machine to itself.
    set(properties LABELS drill TIMEOUT 900 RUN_SERIAL ON)
  elseif(folder STREQUAL "soak")
    # As long as it is told to be (./dev soak): then it has the machine to itself, too.
    set(properties LABELS soak TIMEOUT 3600 RUN_SERIAL ON)
  elseif(BACKSTAGE_SANITIZE)
    set(properties LABELS ${folder} TIMEOUT 600)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${folder}/*.cpp")
  add_executable(${folder}_test ${sources})
  backstage_options(${folder}_test)
  target_link_libraries(${folder}_test PRIVATE test_support)
  if(folder STREQUAL "chronicle" OR folder STREQUAL "drill")
    target_link_libraries(${folder}_test PRIVATE chronicle_parts)
    if(TARGET chronicle)
      add_dependencies(${folder}_test chronicle)
    endif()
    # Names of folders only where they are needed: an object with one in it is of no use to another checkout's cache.
    if(folder STREQUAL "drill" AND TARGET chronicle)
      target_compile_definitions(${folder}_test PRIVATE CHRONICLE_BINARY="$<TARGET_FILE:chronicle>")
    elseif(folder STREQUAL "chronicle")
      target_compile_definitions(${folder}_test PRIVATE BACKSTAGE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                        BACKSTAGE_DATA_DIR="${BACKSTAGE_DATA}")
    endif()
  endif()
  list(APPEND properties ENVIRONMENT "BACKSTAGE_ERRORS_RAISED=${PROJECT_BINARY_DIR}/errors-raised.txt")
  gtest_discover_tests(${folder}_test DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                       WORKING_DIRECTORY "${PROJECT_BINARY_DIR}" PROPERTIES ${properties})
endforeach()

# The protocol of parking and waking, all its states (tests/model/park.pml). Sanitizers have nothing to add.
if(NOT BACKSTAGE_SANITIZE)
  add_test(NAME model.park_spin COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/tests/model/park_spin.py"
                                        "${PROJECT_BINARY_DIR}/park_spin")
  set_tests_properties(model.park_spin PROPERTIES LABELS model TIMEOUT 300)
endif()
