// Copies between host and device that let neither wait: the host memory is pinned, and batches travel on
// streams of their own beside the computation. On a CPU the same calls hand the tensors through. Generic c10
// streams and events, no CUDA header. One thread at a time.
//
//     CopyStreams streams(device);
//     at::Tensor images = streams.upload(batch);     // begins; what is computed next waits for it on the
//     device Download rows = streams.download(model(images)); streams.finish_uploads(); // `batch` may be
//     filled again use(rows.wait());
#pragma once

#include <ATen/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <cstddef>
#include <memory>
#include <optional>

namespace vlreid {

// Uninitialised host memory, pinned for a device that is no CPU.
at::Tensor host_buffer(at::IntArrayRef sizes, at::ScalarType type, at::Device device);
// The same for folders without tensors: zeros.
std::shared_ptr<void> host_memory(std::size_t bytes, at::Device device);

// A host tensor on the device, without waiting for what the device is doing; a tensor that is there already
// is given back. For small things: the copy goes by pinned memory and the current stream.
at::Tensor on_device(const at::Tensor& host, at::Device device);

class Download {
public:
  Download() = default;
  // Until the copy is done; contiguous.
  const at::Tensor& wait() const;

private:
  friend class CopyStreams;
  at::Tensor host_;
  std::shared_ptr<c10::Event> done_; // null: it is there
};

class CopyStreams {
public:
  explicit CopyStreams(at::Device device);
  CopyStreams(const CopyStreams&) = delete;
  CopyStreams& operator=(const CopyStreams&) = delete;
  ~CopyStreams(); // waits for uploads

  // Begins to copy; work that is put on the current stream from now on waits for it. `host` is of host_buffer
  // and stays as it is until finish_uploads().
  at::Tensor upload(const at::Tensor& host);
  // Waits until the device has all that was uploaded.
  void finish_uploads() const;

  // Begins to copy to the host what the current stream has computed of x by now.
  Download download(const at::Tensor& x);

private:
  at::Device device_;
  std::optional<c10::Stream> up_, down_; // none on a CPU
  std::optional<c10::Event> uploaded_;
};

} // namespace vlreid
