"""Exit status 0 when torch.load(weights_only=True) gives the same tensors, bit for bit and in order, for two .pth files."""
import sys

import torch

a, b = (torch.load(path, weights_only=True, map_location="cpu") for path in sys.argv[1:3])
assert list(a) == list(b), "names or order differ"
for name in a:
    x, y = a[name], b[name]
    assert x.dtype == y.dtype and x.shape == y.shape, f"{name}: {x.dtype} {x.shape} against {y.dtype} {y.shape}"
    assert torch.equal(x.contiguous().view(-1).view(torch.uint8), y.contiguous().view(-1).view(torch.uint8)), name
