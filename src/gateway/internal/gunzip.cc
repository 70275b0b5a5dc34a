#include "gateway/internal/gunzip.h"

#include <zlib.h>

#include <algorithm>

namespace flytt::gateway::internal {

Result<std::string> gunzip(std::string_view compressed, std::size_t bytes_max) {
  constexpr int kGzipWindow = 16 + MAX_WBITS;
  constexpr std::size_t kStepBytes = 64 << 10;
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK)
    return Error(ErrorCode::kUnavailable, "out of memory for a gzip body");
  std::string out;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  int state = Z_OK;
  while (state == Z_OK && out.size() <= bytes_max) {
    const std::size_t before = out.size();
    out.resize(before + std::max(kStepBytes, before));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (state == Z_OK && stream.avail_in == 0 && stream.avail_out != 0) break;  // more was promised than came
  }
  inflateEnd(&stream);
  if (out.size() > bytes_max)
    return Error(ErrorCode::kUnsupported, "the gzip body grows beyond " + std::to_string(bytes_max) + " bytes");
  if (state != Z_STREAM_END) return Error(ErrorCode::kBadData, "the body is not a complete gzip stream");
  return out;
}

}  // namespace flytt::gateway::internal
