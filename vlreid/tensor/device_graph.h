// A sequence of kernels that a device runs again as one launch. Who captures them is the device's business:
// CUDA's is compiled where its headers are found (tensor/cuda); no other device has any. Registration is not
// thread safe.
#pragma once

#include <c10/core/Device.h>

#include <memory>

namespace vlreid {

class DeviceGraph {
public:
  virtual ~DeviceGraph() = default;
  // From begin() to end(), what is put on the current stream, which is not the default one, is noted instead
  // of run. Other threads may use the device meanwhile.
  virtual void begin() = 0;
  virtual void end() = 0;
  virtual void replay() = 0; // on the current stream
};

using DeviceGraphMaker = std::unique_ptr<DeviceGraph> (*)();

// Null: nothing can be captured there.
DeviceGraphMaker device_graph_maker(at::DeviceType type);
void set_device_graph_maker(at::DeviceType type, DeviceGraphMaker maker);

} // namespace vlreid
