#include "vlreid/tensor/device_graph.h"

#include <map>

namespace vlreid {

#ifdef VLREID_CUDA_GRAPHS
std::unique_ptr<DeviceGraph> make_cuda_graph(); // tensor/cuda
#endif

namespace {

std::map<at::DeviceType, DeviceGraphMaker>& makers() {
  static std::map<at::DeviceType, DeviceGraphMaker> all = {
#ifdef VLREID_CUDA_GRAPHS
      {at::kCUDA, make_cuda_graph},
#endif
  };
  return all;
}

} // namespace

DeviceGraphMaker device_graph_maker(at::DeviceType type) {
  const auto found = makers().find(type);
  return found == makers().end() ? nullptr : found->second;
}

void set_device_graph_maker(at::DeviceType type, DeviceGraphMaker maker) {
  makers()[type] = maker;
}

} // namespace vlreid
