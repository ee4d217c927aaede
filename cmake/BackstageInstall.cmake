# The package that find_package(Backstage) finds: libraries, headers, targets, and the packages these need in turn.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Backstage")
get_property(modules GLOBAL PROPERTY BACKSTAGE_MODULES)
list(TRANSFORM modules PREPEND "backstage_")

install(TARGETS backstage ${modules} EXPORT BackstageTargets
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT BackstageTargets NAMESPACE backstage:: DESTINATION "${package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/BackstageConfig.cmake.in"
                              "${PROJECT_BINARY_DIR}/BackstageConfig.cmake" INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/BackstageConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/BackstageConfig.cmake" "${PROJECT_BINARY_DIR}/BackstageConfigVersion.cmake"
        DESTINATION "${package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
