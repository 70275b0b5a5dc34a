// Hash functions: MD5 and SHA through OpenSSL, FARM_FINGERPRINT after Google's FarmHash ("farmhashna", Fingerprint64).

#include <openssl/evp.h>

#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "googlesql/functions/internal/registry.h"

namespace flytt::googlesql::internal {
namespace {

template <const EVP_MD* (*kAlgorithm)()>
ByteString digest(std::string_view s) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(s.data(), s.size(), out, &size, kAlgorithm(), nullptr);
  return {std::string(reinterpret_cast<const char*>(out), size)};
}
template <const EVP_MD* (*kAlgorithm)()>
ByteString digest_bytes(Bytes s) {
  return digest<kAlgorithm>(s.data);
}

// ---- FarmHash ----
using U = std::uint64_t;
constexpr U k0 = 0xc3a5c85c97cb3127ULL, k1 = 0xb492b66fbe98f273ULL, k2 = 0x9ae16a3b2f90404fULL;

U fetch64(const char* p) {
  U v;
  std::memcpy(&v, p, 8);
  return v;
}
U fetch32(const char* p) {
  std::uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
U rotate(U v, int by) { return std::rotr(v, by); }
U mix(U v) { return v ^ (v >> 47); }
U hash_two(U u, U v, U factor) {
  U a = (u ^ v) * factor;
  a ^= a >> 47;
  U b = (v ^ a) * factor;
  b ^= b >> 47;
  return b * factor;
}
U up_to_16(const char* s, U n) {
  if (n >= 8) {
    const U factor = k2 + n * 2, a = fetch64(s) + k2, b = fetch64(s + n - 8);
    const U c = rotate(b, 37) * factor + a, d = (rotate(a, 25) + b) * factor;
    return hash_two(c, d, factor);
  }
  if (n >= 4) {
    const U factor = k2 + n * 2, a = fetch32(s);
    return hash_two(n + (a << 3), fetch32(s + n - 4), factor);
  }
  if (n > 0) {
    const U a = static_cast<unsigned char>(s[0]), b = static_cast<unsigned char>(s[n >> 1]);
    const U c = static_cast<unsigned char>(s[n - 1]);
    const std::uint32_t y = static_cast<std::uint32_t>(a + (b << 8)), z = static_cast<std::uint32_t>(n + (c << 2));
    return mix(y * k2 ^ z * k0) * k2;
  }
  return k2;
}
U up_to_32(const char* s, U n) {
  const U factor = k2 + n * 2, a = fetch64(s) * k1, b = fetch64(s + 8);
  const U c = fetch64(s + n - 8) * factor, d = fetch64(s + n - 16) * k2;
  return hash_two(rotate(a + b, 43) + rotate(c, 30) + d, a + rotate(b + k2, 18) + c, factor);
}
U up_to_64(const char* s, U n) {
  const U factor = k2 + n * 2, a = fetch64(s) * k2, b = fetch64(s + 8);
  const U c = fetch64(s + n - 8) * factor, d = fetch64(s + n - 16) * k2;
  const U y = rotate(a + b, 43) + rotate(c, 30) + d, z = hash_two(y, a + rotate(b + k2, 18) + c, factor);
  const U e = fetch64(s + 16) * factor, f = fetch64(s + 24);
  const U g = (y + fetch64(s + n - 32)) * factor, h = (z + fetch64(s + n - 24)) * factor;
  return hash_two(rotate(e + f, 43) + rotate(g, 30) + h, e + rotate(f + a, 18) + g, factor);
}
struct Pair {
  U first, second;
};
Pair weak_hash(const char* s, U a, U b) {
  const U w = fetch64(s), x = fetch64(s + 8), y = fetch64(s + 16), z = fetch64(s + 24);
  a += w;
  b = rotate(b + a + z, 21);
  const U c = a;
  a += x + y;
  b += rotate(a, 44);
  return {a + z, b + c};
}
U farm_hash(std::string_view text) {
  const char* s = text.data();
  const U n = text.size();
  if (n <= 16) return up_to_16(s, n);
  if (n <= 32) return up_to_32(s, n);
  if (n <= 64) return up_to_64(s, n);
  constexpr U kSeed = 81;
  U x = kSeed, y = kSeed * k1 + 113, z = mix(y * k2 + 113) * k2;
  Pair v{0, 0}, w{0, 0};
  x = x * k2 + fetch64(s);
  const char* const end = s + ((n - 1) / 64) * 64;
  const char* const last = end + ((n - 1) & 63) - 63;
  do {
    x = rotate(x + y + v.first + fetch64(s + 8), 37) * k1;
    y = rotate(y + v.second + fetch64(s + 48), 42) * k1;
    x ^= w.second;
    y += v.first + fetch64(s + 40);
    z = rotate(z + w.first, 33) * k1;
    v = weak_hash(s, v.second * k1, x + w.first);
    w = weak_hash(s + 32, z + w.second, y + fetch64(s + 16));
    std::swap(z, x);
    s += 64;
  } while (s != end);
  const U factor = k1 + ((z & 0xff) << 1);
  s = last;
  w.first += (n - 1) & 63;
  v.first += w.first;
  w.first += v.first;
  x = rotate(x + y + v.first + fetch64(s + 8), 37) * factor;
  y = rotate(y + v.second + fetch64(s + 48), 42) * factor;
  x ^= w.second * 9;
  y += v.first * 9 + fetch64(s + 40);
  z = rotate(z + w.first, 33) * factor;
  v = weak_hash(s, v.second * factor, x + w.first);
  w = weak_hash(s + 32, z + w.second, y + fetch64(s + 16));
  std::swap(z, x);
  return hash_two(hash_two(v.first, w.first, factor) + mix(y) * k0 + z, hash_two(v.second, w.second, factor) + x,
                  factor);
}
std::int64_t fingerprint(std::string_view s) { return static_cast<std::int64_t>(farm_hash(s)); }
std::int64_t fingerprint_bytes(Bytes s) { return fingerprint(s.data); }

}  // namespace

void add_hash_functions(Functions& list) {
  list.push_back(native<&digest<&EVP_md5>>("gs_md5"));
  list.push_back(native<&digest<&EVP_sha1>>("gs_sha1"));
  list.push_back(native<&digest<&EVP_sha256>>("gs_sha256"));
  list.push_back(native<&digest<&EVP_sha512>>("gs_sha512"));
  list.push_back(native<&digest_bytes<&EVP_md5>>("gs_md5_bytes"));
  list.push_back(native<&digest_bytes<&EVP_sha1>>("gs_sha1_bytes"));
  list.push_back(native<&digest_bytes<&EVP_sha256>>("gs_sha256_bytes"));
  list.push_back(native<&digest_bytes<&EVP_sha512>>("gs_sha512_bytes"));
  list.push_back(native<&fingerprint>("gs_farm_fingerprint"));
  list.push_back(native<&fingerprint_bytes>("gs_farm_fingerprint_bytes"));
}

}  // namespace flytt::googlesql::internal
