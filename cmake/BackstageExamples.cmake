# examples/NN_name.cpp: a program each, example_NN_name, and a test that its output is examples/NN_name.expected, to
# the byte. An example without an expected output is a red test, not a silent one.
file(GLOB examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.cpp")
foreach(source IN LISTS examples)
  cmake_path(GET source STEM name)
  add_executable(example_${name} "${source}")
  backstage_options(example_${name})
  target_link_libraries(example_${name} PRIVATE backstage::backstage)
  set_target_properties(example_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples"
                                                   OUTPUT_NAME ${name})
  if(BACKSTAGE_TESTS)
    add_test(NAME example.${name}
             COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/tools/same_output.py"
                     "${PROJECT_SOURCE_DIR}/examples/${name}.expected" $<TARGET_FILE:example_${name}>)
    set_tests_properties(example.${name} PROPERTIES LABELS examples TIMEOUT 300)
    if(name MATCHES "stuck")
      # What a thread that is not given back may touch is leaked on purpose (L4): not searched for leaks, only for the rest.
      set_tests_properties(example.${name} PROPERTIES ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0")
    endif()
  endif()
endforeach()
