// How the process takes memory from the system.
#pragma once

namespace vlreid {

// From now on, blocks of 8 MiB and more are mapped by themselves and given back when they are freed. A
// training step holds hundreds of activations while it makes and frees others; in one heap these leave holes
// that add up to a fifth of the peak; mapping them costs some speed. Does nothing where the C library has no
// such setting. Thread safe.
void map_large_blocks();

} // namespace vlreid
