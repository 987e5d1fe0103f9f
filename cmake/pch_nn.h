#pragma once
#include <ATen/Tensor.h>
#include <ATen/TensorOperators.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
