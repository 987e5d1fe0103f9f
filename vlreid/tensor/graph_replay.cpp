#include "vlreid/tensor/graph_replay.h"

#include "vlreid/base/error.h"
#include "vlreid/base/log.h"
#include "vlreid/tensor/device_graph.h"

#include <ATen/ops/allclose.h>
#include <algorithm>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

namespace vlreid {
namespace {

constexpr std::size_t kMostShapes = 8; // each capture keeps the memory of a whole pass

// A replay runs the same kernels, but libraries may choose others when they see another workspace.
constexpr double kRelativeDifference = 1e-2, kShareOfLargest = 1e-3;

using Shape = std::vector<std::vector<std::int64_t>>; // of each input: type, sizes; empty: undefined

Shape shape_of(const std::vector<at::Tensor>& inputs) {
  Shape shape;
  for (const at::Tensor& input : inputs) {
    std::vector<std::int64_t>& one = shape.emplace_back();
    if (!input.defined()) continue;
    one.push_back(static_cast<std::int64_t>(input.scalar_type()));
    one.insert(one.end(), input.sizes().begin(), input.sizes().end());
  }
  return shape;
}

std::vector<at::Tensor> copies_of(const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> copies;
  for (const at::Tensor& input : inputs)
    copies.push_back(input.defined() ? input.clone() : input);
  return copies;
}

// So that the device can be used again; the first error counts.
void end_broken(DeviceGraph& graph) noexcept {
  try {
    graph.end();
  } catch (const std::exception&) {
  }
}

std::unique_ptr<DeviceGraph> captured(at::Device device, const std::function<void()>& function) {
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.synchronizeStream(guard.getStream(device)); // weights and inputs are there
  const c10::StreamGuard beside(guard.getStreamFromGlobalPool(device));
  std::unique_ptr<DeviceGraph> graph = device_graph_maker(device.type())();
  graph->begin();
  try {
    function();
  } catch (...) {
    end_broken(*graph);
    throw;
  }
  graph->end();
  return graph;
}

} // namespace

struct GraphReplay::State {
  struct Entry {
    Shape shape;
    bool is_plain = false;
    std::vector<at::Tensor> inputs = {};
    at::Tensor output = {};
    std::unique_ptr<DeviceGraph> graph = {}; // null: not captured
  };

  Function function;
  std::vector<Entry> entries = {};

  at::Tensor replay(Entry& entry, const std::vector<at::Tensor>& inputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].defined()) entry.inputs[i].copy_(inputs[i], /*non_blocking=*/true);
    entry.graph->replay();
    return entry.output.clone(); // the next replay writes there again
  }

  // The plain result, whatever becomes of the capture.
  at::Tensor capture(Entry& entry, const std::vector<at::Tensor>& inputs) {
    const at::Tensor expected = function(inputs);
    try {
      entry.inputs = copies_of(inputs);
      entry.graph = captured(expected.device(), [&] { entry.output = function(entry.inputs); });
      const at::Tensor replayed = replay(entry, inputs);
      const double largest = expected.abs().max().item<double>();
      if (at::allclose(replayed, expected, kRelativeDifference, kShareOfLargest * largest)) return expected;
      give_up(entry, "its result differs");
    } catch (const std::exception& problem) {
      give_up(entry, problem.what());
    }
    return expected;
  }

  static void give_up(Entry& entry, std::string_view reason) {
    log_warning("vlreid", fmt::format("kernels are launched one by one, a graph of them failed: {}",
                                      reason.substr(0, reason.find('\n'))));
    entry = {.shape = std::move(entry.shape), .is_plain = true};
  }
};

GraphReplay::GraphReplay(Function function)
    : state_(std::make_unique<State>(State{.function = std::move(function)})) {}
GraphReplay::GraphReplay(GraphReplay&&) noexcept = default;
GraphReplay& GraphReplay::operator=(GraphReplay&&) noexcept = default;
GraphReplay::~GraphReplay() = default;

at::Tensor GraphReplay::operator()(const std::vector<at::Tensor>& inputs) {
  State& state = *state_;
  VLREID_ASSERT(!inputs.empty() && inputs.front().defined());
  if (device_graph_maker(inputs.front().device().type()) == nullptr) return state.function(inputs);
  Shape shape = shape_of(inputs);
  const auto known = std::ranges::find(state.entries, shape, &State::Entry::shape);
  if (known == state.entries.end()) {
    if (state.entries.size() < kMostShapes) state.entries.push_back({.shape = std::move(shape)});
    return state.function(inputs);
  }
  if (known->is_plain) return state.function(inputs);
  return known->graph ? state.replay(*known, inputs) : state.capture(*known, inputs);
}

std::size_t GraphReplay::captures() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(state_->entries, [](const auto& entry) { return entry.graph != nullptr; }));
}

} // namespace vlreid
