# backstage-trust: the scenarios of tests/trust as a program, for the big run. backstage-trust-planted: the same with mistakes
# in it, one of which lives at a time: the sources that can be planted are compiled once more, with BACKSTAGE_PLANTED, into
# the program itself, so that the linker takes them and not those of the library.
file(GLOB trust_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/trust/*.cpp")
list(FILTER trust_sources EXCLUDE REGEX "_test\\.cpp$")
set(trust_main "${PROJECT_SOURCE_DIR}/tests/trust/program/main.cpp")

file(GLOB candidates CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/actor/*.cpp")
set(plantable "")
foreach(file IN LISTS candidates)
  file(STRINGS "${file}" plants REGEX "(planted|turn_parts)\\.hpp" LIMIT_COUNT 1)
  if(plants)
    list(APPEND plantable "${file}")
  endif()
endforeach()

function(backstage_trust name)
  add_executable(${name} ${trust_sources} "${trust_main}" ${ARGN})
  backstage_options(${name})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE backstage::sim)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

backstage_trust(backstage-trust)
if(BACKSTAGE_PLANTED)
  backstage_trust(backstage-trust-planted ${plantable})
  target_compile_definitions(backstage-trust-planted PRIVATE BACKSTAGE_PLANTED=1)
  # Each mistake is found within so many seeds, from each of five first ones.
  add_test(NAME trust.each_planted_mistake_is_found COMMAND backstage-trust-planted --all --seeds 400)
  set_tests_properties(trust.each_planted_mistake_is_found PROPERTIES LABELS trust TIMEOUT 600)
endif()
