// Name -> tensor in the order of the file: what a checkpoint is. Copies share the tensors. Tensors read from
// a file may lie in read-only mapped memory: clone one before writing into it. Not thread safe while being
// filled.
#pragma once

#include <ATen/Tensor.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vlreid {

class StateDict {
public:
  struct Entry {
    std::string name;
    at::Tensor tensor;
  };

  // REQUIRES: a new name.
  void add(std::string name, at::Tensor tensor);
  // Replaces the tensor in its place, or adds it at the end.
  void set(std::string name, at::Tensor tensor);

  bool has(std::string_view name) const { return index_.contains(std::string(name)); }
  // nullptr when the name is not there.
  const at::Tensor* find(std::string_view name) const;
  // An unknown name is a data error that names the nearest one.
  const at::Tensor& at(std::string_view name) const;

  // The entries below a prefix ("image_encoder."), with the prefix cut off, in order.
  StateDict below(std::string_view prefix) const;

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  std::vector<Entry>::const_iterator begin() const { return entries_.begin(); }
  std::vector<Entry>::const_iterator end() const { return entries_.end(); }

private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

} // namespace vlreid
