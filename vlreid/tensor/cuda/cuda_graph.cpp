// The one file that includes CUDA's headers, compiled where they are found.
#include "vlreid/tensor/device_graph.h"

#include <ATen/cuda/CUDAGraph.h>

namespace vlreid {
namespace {

class CudaGraph : public DeviceGraph {
public:
  void begin() override { graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal); }
  void end() override { graph_.capture_end(); }
  void replay() override { graph_.replay(); }

private:
  at::cuda::CUDAGraph graph_;
};

} // namespace

std::unique_ptr<DeviceGraph> make_cuda_graph();

std::unique_ptr<DeviceGraph> make_cuda_graph() {
  return std::make_unique<CudaGraph>();
}

} // namespace vlreid
