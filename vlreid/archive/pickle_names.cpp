#include "vlreid/archive/pickle_names.h"

#include <algorithm>
#include <array>

namespace vlreid {
namespace {

// Sorted. None of these is ever called; they are what state dicts, optimiser states and TorchScript archives
// are made of.
constexpr std::array<std::string_view, 68> kNames{
    "__builtin__.bytearray",
    "__builtin__.complex",
    "__builtin__.dict",
    "__builtin__.float",
    "__builtin__.frozenset",
    "__builtin__.int",
    "__builtin__.list",
    "__builtin__.long",
    "__builtin__.set",
    "__builtin__.tuple",
    "_codecs.encode",
    "builtins.bytearray",
    "builtins.bytes",
    "builtins.complex",
    "builtins.dict",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.set",
    "builtins.str",
    "builtins.tuple",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "torch.BFloat16Storage",
    "torch.BoolStorage",
    "torch.ByteStorage",
    "torch.CharStorage",
    "torch.DoubleStorage",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.IntStorage",
    "torch.LongStorage",
    "torch.ShortStorage",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch.bfloat16",
    "torch.bool",
    "torch.device",
    "torch.double",
    "torch.float",
    "torch.float16",
    "torch.float32",
    "torch.float64",
    "torch.half",
    "torch.int",
    "torch.int16",
    "torch.int32",
    "torch.int64",
    "torch.int8",
    "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.build_doublelist",
    "torch.jit._pickle.build_intlist",
    "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.restore_type_tag",
    "torch.long",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    "torch.short",
    "torch.storage.TypedStorage",
    "torch.storage.UntypedStorage",
    "torch.uint8",
};
static_assert(std::ranges::is_sorted(kNames));

} // namespace

bool is_harmless_name(std::string_view name) {
  return name.starts_with("__torch__.") || std::ranges::binary_search(kNames, name);
}

} // namespace vlreid
