# Imports LibTorch straight from torch's own folder, without torch's package file: that one demands a CUDA toolkit
# for a CUDA build, and linking does not need it. Sets the target vlreid::torch (CPU, and CUDA when the libraries are there).
#
# Where it looks: VLREID_TORCH (cache or environment; the folder that holds include/ and lib/), then every
# CMAKE_PREFIX_PATH, then the virtual environment that ./dev makes in build/venv.
set(VLREID_TORCH "$ENV{VLREID_TORCH}" CACHE PATH "Folder of torch: holds include/ and lib/")
file(GLOB venv_torch "${CMAKE_SOURCE_DIR}/build/venv/lib/python3*/site-packages/torch")
find_path(VLREID_TORCH_ROOT NAMES lib/libtorch_cpu.so
  PATHS ${VLREID_TORCH} ${CMAKE_PREFIX_PATH} ${venv_torch} PATH_SUFFIXES . libtorch NO_DEFAULT_PATH)
if(NOT VLREID_TORCH_ROOT)
  message(FATAL_ERROR "LibTorch was not found (no lib/libtorch_cpu.so under VLREID_TORCH, CMAKE_PREFIX_PATH or build/venv); "
    "run ./dev setup, or set VLREID_TORCH to the folder of torch that holds include/ and lib/")
endif()

file(READ "${VLREID_TORCH_ROOT}/include/torch/headeronly/version.h" torch_version_header)
string(REGEX MATCH "TORCH_VERSION_MAJOR ([0-9]+)" _ "${torch_version_header}")
set(torch_version "${CMAKE_MATCH_1}")
string(REGEX MATCH "TORCH_VERSION_MINOR ([0-9]+)" _ "${torch_version_header}")
string(APPEND torch_version ".${CMAKE_MATCH_1}")
if(torch_version VERSION_LESS 2.6)
  message(FATAL_ERROR "LibTorch ${torch_version} was found in ${VLREID_TORCH_ROOT}; 2.6 or newer is needed; point VLREID_TORCH to a newer one")
endif()

add_library(vlreid_torch INTERFACE)
add_library(vlreid::torch ALIAS vlreid_torch)
target_include_directories(vlreid_torch SYSTEM INTERFACE
  "${VLREID_TORCH_ROOT}/include" "${VLREID_TORCH_ROOT}/include/torch/csrc/api/include")
# FMT_HEADER_ONLY: torch's include folder carries its own, newer {fmt}, which hides the system's and has no library to link.
target_compile_definitions(vlreid_torch INTERFACE AT_PER_OPERATOR_HEADERS USE_DISTRIBUTED USE_C10D_GLOO FMT_HEADER_ONLY)
set(torch_libraries torch_cpu c10)
if(EXISTS "${VLREID_TORCH_ROOT}/lib/libtorch_cuda.so")
  list(APPEND torch_libraries torch_cuda c10_cuda)
  # Nothing refers to a symbol of libtorch_cuda: its kernels register themselves when it is loaded.
  target_link_options(vlreid_torch INTERFACE "LINKER:--no-as-needed")
endif()
foreach(name ${torch_libraries})
  add_library(vlreid_${name} SHARED IMPORTED)
  set_target_properties(vlreid_${name} PROPERTIES IMPORTED_LOCATION "${VLREID_TORCH_ROOT}/lib/lib${name}.so")
  target_link_libraries(vlreid_torch INTERFACE vlreid_${name})
endforeach()
message(STATUS "LibTorch ${torch_version}: ${VLREID_TORCH_ROOT} (${torch_libraries})")

vlreid_make_precompiled(aten vlreid_torch)
vlreid_make_precompiled(nn vlreid_torch)
