#include "vlreid/text/vocabulary.h"

// The assembler reads the file; a C++ array of 1.4 million numbers would take the compiler many seconds.
asm(".pushsection .rodata\n"
    ".global vlreid_vocabulary_begin\n"
    ".global vlreid_vocabulary_end\n"
    "vlreid_vocabulary_begin:\n"
    ".incbin \"" VLREID_VOCABULARY_FILE "\"\n"
    "vlreid_vocabulary_end:\n"
    ".popsection\n");

extern "C" {
extern const std::byte vlreid_vocabulary_begin[];
extern const std::byte vlreid_vocabulary_end[];
}

namespace vlreid {

std::span<const std::byte> embedded_vocabulary() {
  return {vlreid_vocabulary_begin, static_cast<std::size_t>(vlreid_vocabulary_end - vlreid_vocabulary_begin)};
}

} // namespace vlreid
