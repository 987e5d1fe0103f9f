#include "vlreid/tensor/transfer.h"

#include <ATen/ops/empty.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace vlreid {
namespace {

c10::Stream current_stream(at::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device);
}

c10::Stream new_stream(at::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
}

} // namespace

at::Tensor host_buffer(at::IntArrayRef sizes, at::ScalarType type, at::Device device) {
  return at::empty(sizes, at::TensorOptions().dtype(type).pinned_memory(!device.is_cpu()));
}

std::shared_ptr<void> host_memory(std::size_t bytes, at::Device device) {
  const at::Tensor buffer = host_buffer({static_cast<std::int64_t>(bytes)}, at::kByte, device).zero_();
  return {buffer.mutable_data_ptr(), [buffer](void*) {}};
}

at::Tensor on_device(const at::Tensor& host, at::Device device) {
  if (host.device() == device) return host;
  const at::Tensor pinned = host_buffer(host.sizes(), host.scalar_type(), device).copy_(host);
  return pinned.to(device, /*non_blocking=*/true); // the allocator keeps the memory until the copy is done
}

const at::Tensor& Download::wait() const {
  if (done_) done_->synchronize();
  return host_;
}

CopyStreams::CopyStreams(at::Device device) : device_(device) {
  if (device.is_cpu()) return;
  up_ = new_stream(device);
  down_ = new_stream(device);
  uploaded_.emplace(device.type());
}

CopyStreams::~CopyStreams() {
  try {
    finish_uploads();
  } catch (const std::exception&) { // a device that has failed copies nothing any more
  }
}

at::Tensor CopyStreams::upload(const at::Tensor& host) {
  if (!up_) return host;
  const c10::Stream computation = current_stream(device_);
  at::Tensor there;
  {
    const c10::StreamGuard beside(*up_);
    there = host.to(device_, /*non_blocking=*/true);
    uploaded_->record(*up_);
  }
  uploaded_->block(computation);
  there.record_stream(computation); // made on one stream, used on another
  return there;
}

void CopyStreams::finish_uploads() const {
  if (up_ && uploaded_->was_marked_for_recording()) uploaded_->synchronize();
}

Download CopyStreams::download(const at::Tensor& x) {
  Download result;
  if (!down_) {
    result.host_ = x.contiguous();
    return result;
  }
  const at::Tensor from = x.contiguous();
  c10::Event computed(device_.type());
  computed.record(current_stream(device_));
  computed.block(*down_);
  result.host_ = host_buffer(from.sizes(), from.scalar_type(), device_);
  result.done_ = std::make_shared<c10::Event>(device_.type());
  const c10::StreamGuard beside(*down_);
  result.host_.copy_(from, /*non_blocking=*/true);
  result.done_->record(*down_);
  from.record_stream(*down_);
  return result;
}

} // namespace vlreid
