#include "commands/internal/output.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <vector>

#include "commands/internal/record.h"
#include "commands/limits.h"

namespace flytt::commands::internal {

namespace {

// offset → size
Result<std::map<std::uint64_t, std::uint64_t>> list_parts(const std::string& folder) {
  std::map<std::uint64_t, std::uint64_t> parts;
  std::error_code error;
  std::filesystem::directory_iterator at(folder, error), end;
  for (; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    constexpr std::string_view kStart = "output.";
    std::uint64_t offset = 0;
    struct stat facts {};
    if (name.compare(0, kStart.size(), kStart) != 0) continue;
    const auto [stop, wrong] = std::from_chars(name.data() + kStart.size(), name.data() + name.size(), offset);
    if (wrong != std::errc() || stop != name.data() + name.size()) continue;
    if (::lstat(at->path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;  // deleted meanwhile
    parts[offset] = static_cast<std::uint64_t>(facts.st_size);
  }
  if (error == std::errc::no_such_file_or_directory) return Error(ErrorCode::kNotFound, "there is no run in " + folder);
  if (error) return Error(ErrorCode::kUnavailable, "cannot read the folder " + folder).cause(error.message());
  return parts;
}

// Bytes [from, from + count) of a file, fewer when it is shorter; nullopt when it was deleted meanwhile.
std::optional<std::string> read_part(const std::string& path, std::uint64_t from, std::size_t count) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return std::nullopt;
  std::string text(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = ::pread(file.get(), text.data() + filled, count - filled, static_cast<off_t>(from + filled));
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  text.resize(filled);
  return text;
}

}  // namespace

std::uint64_t OutputFiles::room() const {
  if (!newer_) return 0;
  const std::uint64_t most = newer_->offset == 0 ? bytes_max_ / 2 : bytes_max_ / 4;
  return most - std::min(most, newer_->bytes);
}

void OutputFiles::append(std::string_view text) {
  while (!text.empty() && failure_.empty()) {
    std::size_t taken = text.size();
    if (const std::uint64_t space = room(); taken > space) {
      const std::size_t line_end = space == 0 ? std::string_view::npos : text.rfind('\n', space - 1);
      taken = line_end != std::string_view::npos ? line_end + 1 : newer_ && newer_->bytes == 0 ? space : 0;
    }
    if (taken == 0) {
      begin_part();
      continue;
    }
    write(text.substr(0, taken));
    text.remove_prefix(taken);
  }
  seen_ += text.size();
}

void OutputFiles::begin_part() {
  file_.reset();
  if (older_) {
    ::unlink(path(*older_).c_str());
    kept_ -= older_->bytes;
  }
  older_ = newer_ && newer_->offset != 0 ? newer_ : std::nullopt;
  newer_ = Part{seen_, 0};
  file_.reset(::open(path(*newer_).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_) failure_ = std::strerror(errno);
}

void OutputFiles::write(std::string_view text) {
  seen_ += text.size();
  while (!text.empty()) {
    const ssize_t count = ::write(file_.get(), text.data(), text.size());
    if (count <= 0) {
      failure_ = std::strerror(errno);
      return;
    }
    newer_->bytes += static_cast<std::uint64_t>(count);
    kept_ += static_cast<std::uint64_t>(count);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void OutputFiles::sync() const {
  if (file_) ::fdatasync(file_.get());
}

void LineJoiner::take(std::string_view bytes, OutputFiles& output) {
  const std::size_t line_end = bytes.rfind('\n');
  if (line_end != std::string_view::npos) {
    if (!pending_.empty()) {
      const std::size_t first_end = bytes.find('\n');
      pending_ += bytes.substr(0, first_end + 1);
      output.append(pending_);
      output.append(bytes.substr(first_end + 1, line_end - first_end));
      pending_.clear();
    } else {
      output.append(bytes.substr(0, line_end + 1));
    }
    bytes.remove_prefix(line_end + 1);
  }
  pending_ += bytes;
  if (pending_.size() > kLineBytesMax) flush(output);
}

void LineJoiner::flush(OutputFiles& output) {
  output.append(pending_);
  pending_.clear();
}

Result<std::string> read_output_files(const std::string& folder, std::size_t bytes_max) {
  constexpr int kTries = 8;  // a part can be deleted between listing and reading
  for (int i = 0; i < kTries; ++i) {
    TRY(const auto parts, list_parts(folder));
    std::vector<std::string> pieces;
    std::size_t left = bytes_max;
    std::optional<std::uint64_t> next;
    bool is_complete = true;
    for (auto part = parts.rbegin(); part != parts.rend() && left > 0 && is_complete; ++part) {
      const auto [offset, bytes] = *part;
      if (next && offset + bytes < *next)
        pieces.push_back("[" + std::to_string(*next - offset - bytes) + " bytes left out]\n");
      const std::size_t count = std::min<std::uint64_t>(left, bytes);
      const auto text = read_part(folder + "/output." + std::to_string(offset), bytes - count, count);
      is_complete = text.has_value();
      pieces.push_back(text.value_or(""));
      left -= count;
      next = offset;
    }
    if (!is_complete) continue;
    std::string whole;
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) whole += *piece;
    return whole;
  }
  return Error(ErrorCode::kUnavailable, "the output in " + folder + " changes faster than it can be read; try again");
}

Result<OutputPiece> read_output_from(const std::string& folder, std::uint64_t offset, std::size_t bytes_max) {
  TRY(const auto parts, list_parts(folder));
  OutputPiece piece{"", offset};
  for (const auto& [begin, bytes] : parts) {
    if (piece.text.size() >= bytes_max) break;
    if (begin + bytes <= piece.next) continue;
    const std::uint64_t skipped = piece.next > begin ? piece.next - begin : 0;
    const std::size_t count = std::min<std::uint64_t>(bytes_max - piece.text.size(), bytes - skipped);
    const auto text = read_part(folder + "/output." + std::to_string(begin), skipped, count);
    if (!text || text->empty()) break;  // deleted meanwhile: the next call sees what took its place
    if (begin > piece.next) piece.text += "[" + std::to_string(begin - piece.next) + " bytes left out]\n";
    piece.text += *text;
    piece.next = begin + skipped + text->size();
  }
  return piece;
}

}  // namespace flytt::commands::internal
