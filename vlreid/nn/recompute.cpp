#include "vlreid/nn/recompute.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <mutex>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace vlreid {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// State of the random numbers and of autocast on one device, put back for the life of an object.
struct Surroundings {
  at::Device device;
  at::Tensor random;
  bool is_autocast;
  at::ScalarType autocast_type;

  static at::Tensor random_of(at::Device device) {
    at::Generator generator = at::globalContext().defaultGenerator(device);
    const std::scoped_lock lock(generator.mutex());
    return generator.get_state();
  }
  static Surroundings of(at::Device device) {
    const at::DeviceType type = device.type();
    return {device, random_of(device), at::autocast::is_autocast_enabled(type),
            at::autocast::get_autocast_dtype(type)};
  }
  void restore() const {
    at::Generator generator = at::globalContext().defaultGenerator(device);
    const std::scoped_lock lock(generator.mutex());
    generator.set_state(random);
    at::autocast::set_autocast_enabled(device.type(), is_autocast);
    at::autocast::set_autocast_dtype(device.type(), autocast_type);
  }
};

class SurroundingsScope {
public:
  explicit SurroundingsScope(const Surroundings& then) : now_(Surroundings::of(then.device)) {
    at::autocast::increment_nesting();
    then.restore();
  }
  ~SurroundingsScope() {
    now_.restore();
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  }
  SurroundingsScope(const SurroundingsScope&) = delete;
  SurroundingsScope& operator=(const SurroundingsScope&) = delete;

private:
  Surroundings now_;
};

struct Part : torch::CustomClassHolder {
  Recomputable function;
  Surroundings surroundings;
  Part(Recomputable f, Surroundings s) : function(std::move(f)), surroundings(std::move(s)) {}
};

class Recomputed : public torch::autograd::Function<Recomputed> {
public:
  static variable_list forward(AutogradContext* context, const c10::intrusive_ptr<Part>& part,
                               at::TensorList inputs) {
    context->saved_data["part"] = c10::IValue::make_capsule(part);
    context->save_for_backward(inputs.vec());
    return part->function(inputs.vec());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto part = c10::static_intrusive_pointer_cast<Part>(context->saved_data["part"].toCapsule());
    variable_list inputs;
    for (const at::Tensor& kept : context->get_saved_variables())
      inputs.push_back(kept.detach().requires_grad_(kept.requires_grad()));
    const at::AutoGradMode with_gradients(true);
    variable_list outputs, given;
    {
      const SurroundingsScope scope(part->surroundings);
      const variable_list all = part->function(inputs);
      for (std::size_t i = 0; i < all.size(); ++i)
        if (gradients[i].defined() && all[i].requires_grad()) {
          outputs.push_back(all[i]);
          given.push_back(gradients[i]);
        }
    }
    torch::autograd::backward(outputs, given);
    variable_list result(1); // the part itself
    for (const at::Tensor& input : inputs)
      result.push_back(input.grad());
    return result;
  }
};

} // namespace

std::vector<at::Tensor> recomputed(const Recomputable& function, std::vector<at::Tensor> inputs) {
  const bool learns = std::ranges::any_of(inputs, [](const at::Tensor& x) { return x.requires_grad(); });
  if (!learns || !c10::GradMode::is_enabled()) return function(inputs);
  const auto part = c10::make_intrusive<Part>(function, Surroundings::of(inputs.front().device()));
  return Recomputed::apply(part, at::TensorList(inputs));
}

} // namespace vlreid
