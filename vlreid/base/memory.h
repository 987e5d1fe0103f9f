// How the process takes memory from the system.
#pragma once

#include <cstddef>

namespace vlreid {

// Asks for pages of 2 MiB where whole ones fit into the memory, before it is first written: a large block is
// then taken from the system in a tenth of the steps and its addresses are found faster. A wish; the memory
// stays what it is. Thread safe.
void prefer_huge_pages(const void* memory, std::size_t bytes);

// Memory of its own from the system, zeros, with prefer_huge_pages(); mappings that lie beside each other
// share such pages. nullptr where there is none. Thread safe.
void* map_memory(std::size_t bytes);
void unmap_memory(void* memory, std::size_t bytes); // of the same size

// Gives the pages of this range back where it lies in a MappedFile; they are read again when somebody looks.
// Other memory is left alone. Thread safe.
void forget_file_pages(const void* memory, std::size_t bytes);

// What forget_file_pages() may touch; called by MappedFile.
void add_file_mapping(const void* memory, std::size_t bytes);
void remove_file_mapping(const void* memory);

} // namespace vlreid
