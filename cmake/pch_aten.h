#pragma once
#include <ATen/Tensor.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
