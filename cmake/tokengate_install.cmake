# Distributed under the Boost Software License, Version 1.0. See LICENSE.
# Install rules, the CMake package and the pkg-config file.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tokengate)

install(TARGETS tokengate EXPORT tokengate-targets
  FILE_SET HEADERS
  FILE_SET inner_headers)
install(EXPORT tokengate-targets NAMESPACE tokengate:: DESTINATION ${package_dir})

configure_package_config_file(cmake/tokengate-config.cmake.in tokengate-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(tokengate-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/tokengate-config.cmake
  ${PROJECT_BINARY_DIR}/tokengate-config-version.cmake
  DESTINATION ${package_dir})

# A static archive leaves its own dependencies to the program that links it.
if(BUILD_SHARED_LIBS)
  set(pc_requires "spdlog")
  set(pc_requires_private "hwloc")
else()
  set(pc_requires "spdlog hwloc")
  set(pc_requires_private "")
endif()
# Relative to the file itself, so that the installed tree can be moved.
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY /prefix NORMALIZE OUTPUT_VARIABLE pc_dir)
cmake_path(APPEND pc_dir pkgconfig)
file(RELATIVE_PATH pc_prefix ${pc_dir} /prefix)
# Boost has no pkg-config file: name its folder unless the compiler looks there anyway.
set(pc_boost "")
if(NOT Boost_INCLUDE_DIRS IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
  set(pc_boost " -isystem ${Boost_INCLUDE_DIRS}")
endif()
configure_file(cmake/tokengate.pc.in tokengate.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tokengate.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
