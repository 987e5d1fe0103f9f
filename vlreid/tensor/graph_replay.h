// A function of tensors, run on a GPU as one launch: its kernels are captured once for a shape (CUDA graphs)
// and replayed with the inputs copied to where they were. For functions that depend on nothing but their
// inputs and on tensors that stay where they are, and that read nothing on the host. Elsewhere, and in a
// build without CUDA's headers, the function is called. One thread at a time.
#pragma once

#include <ATen/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

namespace vlreid {

class GraphReplay {
public:
  // Inputs may be undefined; the same ones in every call.
  using Function = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

  explicit GraphReplay(Function function);
  GraphReplay(GraphReplay&&) noexcept;
  GraphReplay& operator=(GraphReplay&&) noexcept;
  ~GraphReplay();

  // The first call with a shape is plain and warms the libraries up, the second captures: so the smaller
  // batch at the end of a list stays plain. The capture is compared with a plain call once; where it fails or
  // differs, a warning is logged and the shape stays plain.
  at::Tensor operator()(const std::vector<at::Tensor>& inputs);

  // Of the shapes so far, how many are replayed.
  std::size_t captures() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace vlreid
