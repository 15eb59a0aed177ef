# find_package(frit) gives the targets frit::frit, a shared library, and frit::frit_static.
get_filename_component(_frit_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
find_package(Threads REQUIRED)

if(NOT TARGET frit::frit)
  add_library(frit::frit SHARED IMPORTED)
  set_target_properties(frit::frit PROPERTIES
    IMPORTED_LOCATION "${_frit_prefix}/lib/libfrit.so"
    IMPORTED_SONAME "libfrit.so.0"
    INTERFACE_INCLUDE_DIRECTORIES "${_frit_prefix}/include")
endif()

if(NOT TARGET frit::frit_static)
  add_library(frit::frit_static STATIC IMPORTED)
  set_target_properties(frit::frit_static PROPERTIES
    IMPORTED_LOCATION "${_frit_prefix}/lib/libfrit.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_frit_prefix}/include"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m")
endif()

unset(_frit_prefix)
