// The allow-list of parse_pickle().
#pragma once

#include <string_view>

namespace vlreid {

// "torch._utils._rebuild_tensor_v2"; TorchScript's own classes ("__torch__....") are always data.
bool is_harmless_name(std::string_view name);

} // namespace vlreid
