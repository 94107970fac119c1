# ROS opens the libraries for its middleware by their bare names, which finds those on LD_LIBRARY_PATH and
# those that are loaded already. A virtual environment over an apt ROS 2 is not on that path; so the
# library that every generated Python module loads names them as its own dependencies.
foreach(typesupport rosidl_typesupport_fastrtps_c rosidl_typesupport_introspection_c)
  if(TARGET ${PROJECT_NAME}__${typesupport})
    set_property(TARGET ${PROJECT_NAME}__rosidl_generator_py APPEND PROPERTY
      LINK_LIBRARIES ${PROJECT_NAME}__${typesupport})
  endif()
endforeach()
set_property(TARGET ${PROJECT_NAME}__rosidl_generator_py APPEND PROPERTY LINK_OPTIONS "LINKER:--no-as-needed")
