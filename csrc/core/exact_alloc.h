#pragma once
// Blocks of exactly the bytes asked for, each straight from the system, for tests (CHAINRULE_EXACT_ALLOC). By
// default they are operator new's, whose ends a sanitizer watches. The environment can ask for guard pages
// instead, which miss no access of optimised code, the masked ones of AVX-512 included:
//
//   CHAINRULE_GUARD=end    a block ends where a page begins that can be neither read nor written
//   CHAINRULE_GUARD=begin  a block begins where such a page ends
//
// A block that ends at a page has the alignment its size leaves it, which is enough for its elements.

#include <cstddef>

namespace chainrule {

// Null when the system refuses. A guarded block costs two mappings, of which a process has 65,530 by default.
void* exact_block(size_t bytes) noexcept;
void return_exact_block(void* block, size_t bytes) noexcept;

}  // namespace chainrule
