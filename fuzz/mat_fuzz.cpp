// Any bytes as a MATLAB file: either an Error of kind data, or values.
#include "vlreid/attributes/mat_file.h"
#include "vlreid/base/error.h"

#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  try {
    vlreid::read_mat(std::as_bytes(std::span(data, size)), "fuzz.mat");
  } catch (const vlreid::Error& error) {
    if (error.kind() != vlreid::ErrorKind::data) std::abort();
  }
  return 0;
}
