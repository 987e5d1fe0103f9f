#include "tests/device/fake_cuda.h"

#include "vlreid/tensor/device_graph.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/enum_tag.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <atomic>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <torch/library.h>
#include <utility>

namespace vlreid::fake_cuda {
namespace {

const at::Device kDevice(at::kCUDA, 0);

// ---- What is going on ----

// A call of an operator on the CPU: its arguments, and where its results went.
struct Call {
  c10::OperatorHandle op;
  torch::jit::Stack arguments;
  std::vector<at::Tensor> results;
};

struct World {
  std::recursive_mutex mutex; // the autograd engine has a thread for the device
  std::vector<std::string> waits;
  std::map<c10::StreamId, std::deque<std::function<void()>>> queues; // copies to do, oldest first
  std::map<const char*, std::size_t> pinned;                         // bytes at each beginning
  std::vector<Call>* noted = nullptr;                                // of the graph that is captured
  GraphCounts graphs;
};

World& world() {
  static World* all = new World; // outlives the engine's threads
  return *all;
}

thread_local c10::StreamId current_stream = 0;

void note_wait(const std::string& what) {
  const std::scoped_lock lock(world().mutex);
  TORCH_CHECK(world().noted == nullptr, what, " while a graph is captured");
  world().waits.push_back(what);
}

void finish(c10::StreamId stream) {
  const std::scoped_lock lock(world().mutex);
  auto& queue = world().queues[stream];
  while (!queue.empty()) {
    const std::function<void()> copy = std::move(queue.front());
    queue.pop_front();
    copy();
  }
}

// ---- Operators ----

// Views of one memory as tensors of the other kind of device. They have all of the storage, not only the
// tensor's part: an operator may make its result larger there and smaller again (smooth_l1_loss does), and
// as_strided counts from the beginning.
at::Tensor as_kind(const at::Tensor& from, at::Device device) {
  if (!from.defined()) return from;
  const c10::Storage& storage = from.storage();
  c10::Storage shared(c10::Storage::use_byte_size_t(), storage.nbytes(),
                      c10::InefficientStdFunctionContext::makeDataPtr(
                          storage.mutable_data(), [storage](void*) {}, device),
                      c10::GetAllocator(c10::kCPU), /*resizable=*/true);
  const c10::DispatchKey key = at::TensorOptions().dtype(from.dtype()).device(device).computeDispatchKey();
  at::Tensor result = at::detail::make_tensor<at::TensorImpl>(std::move(shared), key, from.dtype());
  result.unsafeGetTensorImpl()->set_sizes_and_strides(from.sizes(), from.strides(), from.storage_offset());
  return result;
}

bool is_fake(const at::Tensor& tensor) {
  return tensor.defined() && tensor.is_cuda();
}

c10::IValue on_host(const c10::IValue& value) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    return is_fake(tensor) ? as_kind(tensor, at::kCPU) : tensor;
  }
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& tensor : value.toTensorVector())
      list.push_back(is_fake(tensor) ? as_kind(tensor, at::kCPU) : tensor);
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (const std::optional<at::Tensor>& tensor : value.toOptionalTensorVector())
      list.push_back(tensor && is_fake(*tensor) ? as_kind(*tensor, at::kCPU) : tensor);
    return list;
  }
  if (value.isDevice() && value.toDevice().is_cuda()) return at::Device(at::kCPU);
  return value;
}

void call_on_cpu(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const c10::impl::ExcludeDispatchKeyGuard as_written(c10::autocast_dispatch_keyset);
  op.callBoxed(stack);
}

bool has_mask(const torch::jit::Stack& arguments) {
  for (const c10::IValue& value : arguments)
    if (value.isOptionalTensorList())
      for (const std::optional<at::Tensor>& index : value.toOptionalTensorVector())
        if (index && index->defined() &&
            (index->scalar_type() == at::kBool || index->scalar_type() == at::kByte))
          return true;
  return false;
}

// What tells the host something that is not known before the kernels have run.
void check_for_wait(const c10::OperatorHandle& op, const torch::jit::Stack& arguments) {
  const bool depends = op.hasTag(at::Tag::data_dependent_output) || op.hasTag(at::Tag::dynamic_output_shape);
  const std::string& name = op.schema().name();
  if (depends && (!name.starts_with("aten::index") || has_mask(arguments))) note_wait(name);
}

// Operators of a GPU take no tensors of the host but single numbers.
void check_devices(const c10::OperatorHandle& op, const torch::jit::Stack& arguments) {
  for (const c10::IValue& value : arguments)
    if (value.isTensor() && value.toTensor().defined() && value.toTensor().is_cpu())
      TORCH_CHECK(value.toTensor().dim() == 0, op.schema().name(),
                  ": a tensor of the host among the device's");
}

// The tensors of an argument or result, in order.
std::vector<at::Tensor> tensors_of(const c10::IValue& value) {
  if (value.isTensor()) return {value.toTensor()};
  if (value.isTensorList()) return value.toTensorVector();
  return {};
}

class Results {
public:
  Results(const torch::jit::Stack& given, const torch::jit::Stack& on_host) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      const std::vector<at::Tensor> device = tensors_of(given[i]), host = tensors_of(on_host[i]);
      for (std::size_t k = 0; k < device.size(); ++k)
        if (is_fake(device[k])) pairs_.emplace_back(host[k], device[k]);
    }
  }

  // A given tensor itself when it was worked on in place, else a new one.
  at::Tensor on_device(const at::Tensor& host) const {
    for (const auto& [alias, device] : pairs_)
      if (host.is_same(alias)) return device;
    return as_kind(host, kDevice);
  }

  // What was given another size or other memory: empty tensors that wait for a result, and what resize_ is
  // for; nothing else here changes a size.
  void take_over_resized(const c10::OperatorHandle& op) const {
    for (const auto& [alias, device] : pairs_) {
      if (!device.defined()) continue;
      const bool has_size = alias.sizes() == device.sizes();
      if (has_size && alias.storage().data() == device.storage().data()) continue;
      TORCH_CHECK(has_size || device.numel() == 0 || op.schema().name() == "aten::resize_",
                  op.schema().name(), " resizes");
      const at::Tensor result = as_kind(alias, kDevice);
      device.unsafeGetTensorImpl()->set_storage_keep_dtype(result.storage());
      device.unsafeGetTensorImpl()->set_sizes_and_strides(result.sizes(), result.strides(),
                                                          result.storage_offset());
    }
  }

private:
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs_;
};

c10::IValue on_device(const c10::IValue& value, const Results& results) {
  if (value.isTensor()) return results.on_device(value.toTensor());
  if (!value.isTensorList()) return value;
  c10::List<at::Tensor> list;
  for (const at::Tensor& tensor : value.toTensorVector())
    list.push_back(results.on_device(tensor));
  return list;
}

void note_call(const c10::OperatorHandle& op, const torch::jit::Stack& arguments,
               const torch::jit::Stack& results) {
  if (world().noted == nullptr) return;
  Call call{op, arguments, {}};
  for (const c10::IValue& value : results)
    for (const at::Tensor& tensor : tensors_of(value))
      call.results.push_back(tensor);
  world().noted->push_back(std::move(call));
}

void run(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const std::scoped_lock lock(world().mutex);
  const std::size_t count = op.schema().arguments().size();
  const torch::jit::Stack given(stack->end() - static_cast<std::ptrdiff_t>(count), stack->end());
  check_for_wait(op, given);
  check_devices(op, given);
  torch::jit::Stack arguments;
  for (const c10::IValue& value : given)
    arguments.push_back(on_host(value));
  const Results results(given, arguments);
  torch::jit::Stack made = arguments;
  call_on_cpu(op, made);
  results.take_over_resized(op);
  note_call(op, arguments, made);
  torch::jit::drop(*stack, count);
  for (const c10::IValue& value : made)
    stack->push_back(on_device(value, results));
}

// ---- Copies ----

bool is_pinned(const void* data) {
  const std::scoped_lock lock(world().mutex);
  const char* const address = static_cast<const char*>(data);
  const auto after = world().pinned.upper_bound(address);
  if (after == world().pinned.begin()) return false;
  const auto& [begin, bytes] = *std::prev(after);
  return address < begin + bytes;
}

at::Tensor& copy(at::Tensor& to, const at::Tensor& from, bool non_blocking) {
  const std::scoped_lock lock(world().mutex);
  if (to.is_cpu() != from.is_cpu() &&
      !(non_blocking && is_pinned((to.is_cpu() ? to : from).const_data_ptr())))
    note_wait(to.is_cpu() ? "copy to the host" : "copy from the host");
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("aten::copy_", "");
  const torch::jit::Stack arguments{on_host(to), on_host(from), non_blocking};
  const auto work = [arguments] {
    torch::jit::Stack stack = arguments;
    call_on_cpu(op, stack);
  };
  if (current_stream != 0 && non_blocking && world().noted == nullptr) {
    world().queues[current_stream].push_back(work);
    return to;
  }
  work();
  note_call(op, arguments, {arguments.front()});
  return to;
}

at::Tensor to_copy(const at::Tensor& from, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                   std::optional<at::Device> device, std::optional<bool> pinned, bool non_blocking,
                   std::optional<at::MemoryFormat> format) {
  const at::TensorOptions options =
      at::TensorOptions().dtype(type.value_or(from.scalar_type())).device(device.value_or(from.device()));
  const bool keeps = format.value_or(at::MemoryFormat::Preserve) == at::MemoryFormat::Preserve;
  at::Tensor to = keeps && from.is_non_overlapping_and_dense()
                      ? at::empty_strided(from.sizes(), from.strides(), options.pinned_memory(pinned))
                      : at::empty(from.sizes(), options.pinned_memory(pinned),
                                  keeps ? from.suggest_memory_format() : *format);
  return to.copy_(from, non_blocking);
}

void record_stream(at::Tensor&, at::Stream) {}

// ---- Streams and events ----

// A position in a stream: all copies up to the recording.
struct Event {
  c10::StreamId stream = 0;
};

class Guard : public c10::impl::DeviceGuardImplInterface {
public:
  at::DeviceType type() const override { return at::kCUDA; }
  at::Device exchangeDevice(at::Device) const override { return kDevice; }
  at::Device getDevice() const override { return kDevice; }
  void setDevice(at::Device) const override {}
  void uncheckedSetDevice(at::Device) const noexcept override {}
  at::DeviceIndex deviceCount() const noexcept override { return 1; }

  static c10::Stream stream(c10::StreamId id) { return c10::Stream(c10::Stream::UNSAFE, kDevice, id); }
  c10::Stream getStream(at::Device) const override { return stream(current_stream); }
  c10::Stream getDefaultStream(at::Device) const override { return stream(0); }
  c10::Stream getStreamFromGlobalPool(at::Device, bool) const override {
    static std::atomic<c10::StreamId> last = 0;
    return stream(++last);
  }
  c10::Stream exchangeStream(c10::Stream next) const override {
    return stream(std::exchange(current_stream, next.id()));
  }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream& which) const override {
    note_wait("stream");
    finish(which.id());
  }

  void record(void** event, const c10::Stream& which, at::DeviceIndex, c10::EventFlag) const override {
    if (*event == nullptr) *event = new Event;
    static_cast<Event*>(*event)->stream = which.id();
  }
  void block(void* event, const c10::Stream&) const override { finish(static_cast<Event*>(event)->stream); }
  bool queryEvent(void*) const override { return true; }
  void synchronizeEvent(void* event) const override {
    note_wait("event");
    finish(static_cast<Event*>(event)->stream);
  }
  void destroyEvent(void* event, at::DeviceIndex) const noexcept override {
    delete static_cast<Event*>(event);
  }
};

// ---- Pinned memory, hooks ----

void free_pinned(void* data) {
  const std::scoped_lock lock(world().mutex);
  world().pinned.erase(static_cast<const char*>(data));
  std::free(data);
}

class PinnedMemory : public at::HostAllocator {
public:
  at::DataPtr allocate(std::size_t bytes) override {
    void* const data = std::calloc(bytes + 1, 1);
    const std::scoped_lock lock(world().mutex);
    world().pinned[static_cast<const char*>(data)] = bytes + 1;
    return {data, data, free_pinned, at::kCPU};
  }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    std::memcpy(to, from, count);
  }
  bool record_event(void*, void*, c10::Stream) override { return true; }
  void empty_cache() override {}
  at::HostStats get_stats() override { return {}; }
  void reset_accumulated_stats() override {}
  void reset_peak_stats() override {}
};

at::HostAllocator* pinned_memory() {
  static PinnedMemory memory;
  return &memory;
}

struct Hooks : at::CUDAHooksInterface {
  explicit Hooks(at::CUDAHooksArgs) {}
  void init() const override {}
  bool hasCUDA() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  at::DeviceIndex deviceCount() const override { return 1; }
  int getNumGPUs() const override { return 1; }
  at::DeviceIndex current_device() const override { return 0; }
  at::DeviceIndex getCurrentDevice() const override { return 0; }
  bool hasPrimaryContext(at::DeviceIndex) const override { return true; }
  bool isPinnedPtr(const void* data) const override { return is_pinned(data); }
  at::Allocator* getPinnedMemoryAllocator() const override { return pinned_memory(); }
  const at::Generator& getDefaultGenerator(at::DeviceIndex) const override {
    static const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>();
    return generator;
  }
};

// ---- Graphs ----

class Graph : public DeviceGraph {
public:
  void begin() override {
    TORCH_CHECK(current_stream != 0, "a capture needs a stream of its own");
    world().noted = &calls_;
  }
  void end() override {
    world().noted = nullptr;
    ++world().graphs.captured;
  }
  void replay() override {
    for (const Call& call : calls_)
      repeat(call);
    ++world().graphs.replayed;
  }

private:
  // Into the memory of the first time, which views and operators in place have anyway.
  static void repeat(const Call& call) {
    torch::jit::Stack stack = call.arguments;
    call_on_cpu(call.op, stack);
    std::size_t next = 0;
    for (const c10::IValue& value : stack)
      for (const at::Tensor& tensor : tensors_of(value)) {
        const at::Tensor& before = call.results[next++];
        if (tensor.defined() && tensor.const_data_ptr() != before.const_data_ptr()) before.copy_(tensor);
      }
  }

  std::vector<Call> calls_;
};

std::unique_ptr<DeviceGraph> make_graph() {
  return std::make_unique<Graph>();
}

// ---- Before the program begins ----

const Guard kGuard{};
const c10::impl::DeviceGuardImplRegistrar kGuardRegistration(at::kCUDA, &kGuard);
[[maybe_unused]] const bool kIsSetUp = [] {
  at::CUDAHooksRegistry()->Register("CUDAHooks", [](at::CUDAHooksArgs arguments) {
    return std::unique_ptr<at::CUDAHooksInterface>(std::make_unique<Hooks>(arguments));
  });
  at::setHostAllocator(at::kCUDA, pinned_memory());
  set_device_graph_maker(at::kCUDA, make_graph);
  return true;
}();

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("copy_", copy);
  library.impl("_to_copy", to_copy);
  library.impl("record_stream", record_stream);
  // A GPU has a kernel for it; else libtorch would call the one that warns of results with another size.
  library.impl("smooth_l1_loss", torch::CppFunction::makeFromBoxedFunction<&run>());
}

} // namespace

std::vector<std::string> waits() {
  const std::scoped_lock lock(world().mutex);
  return world().waits;
}

void forget_waits() {
  const std::scoped_lock lock(world().mutex);
  world().waits.clear();
}

GraphCounts graphs() {
  return world().graphs;
}

} // namespace vlreid::fake_cuda
