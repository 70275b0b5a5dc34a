#include "googlesql/internal/helper_image.h"

// The assembler copies the built program into read-only data; FLYTT_GOOGLESQL_HELPER is its path at build time.
asm(".pushsection .rodata\n"
    ".balign 16\n"
    ".globl flytt_googlesql_helper_begin\n"
    "flytt_googlesql_helper_begin:\n"
    ".incbin \"" FLYTT_GOOGLESQL_HELPER
    "\"\n"
    ".globl flytt_googlesql_helper_end\n"
    "flytt_googlesql_helper_end:\n"
    ".popsection\n");

extern "C" {
extern const char flytt_googlesql_helper_begin[];
extern const char flytt_googlesql_helper_end[];
}

namespace flytt::googlesql::internal {

std::string_view helper_image() {
  return {flytt_googlesql_helper_begin,
          static_cast<std::size_t>(flytt_googlesql_helper_end - flytt_googlesql_helper_begin)};
}

}  // namespace flytt::googlesql::internal
