#pragma once
// pgoutput messages as a server would write them, for tests.

#include <string>
#include <vector>

#include "postgres/internal/wire.h"

namespace flytt::postgres {

struct WrittenCell {
  char form;
  std::string bytes;
};
inline WrittenCell text(std::string value) { return {'t', std::move(value)}; }
inline WrittenCell null() { return {'n', {}}; }
inline WrittenCell unchanged() { return {'u', {}}; }

struct WrittenColumn {
  bool is_key;
  std::string name;
  std::uint32_t type_oid;
};

inline void append_tuple(std::string& out, const std::vector<WrittenCell>& cells) {
  append_big_endian(out, static_cast<std::int16_t>(cells.size()));
  for (const WrittenCell& cell : cells) {
    out += cell.form;
    if (cell.form != 't' && cell.form != 'b') continue;
    append_big_endian(out, static_cast<std::int32_t>(cell.bytes.size()));
    out += cell.bytes;
  }
}

inline std::string begin_message(std::uint64_t final_lsn) {
  std::string out = "B";
  append_big_endian(out, final_lsn);
  append_big_endian(out, std::int64_t{0});
  append_big_endian(out, std::uint32_t{1});
  return out;
}

inline std::string commit_message(std::uint64_t final_lsn, std::uint64_t end_lsn) {
  std::string out("C\0", 2);
  append_big_endian(out, final_lsn);
  append_big_endian(out, end_lsn);
  append_big_endian(out, std::int64_t{0});
  return out;
}

inline std::string relation_message(std::uint32_t oid, const std::string& name,
                                    const std::vector<WrittenColumn>& columns, char identity = 'd') {
  std::string out = "R";
  append_big_endian(out, oid);
  out += std::string("public\0", 7) + name + '\0' + identity;
  append_big_endian(out, static_cast<std::int16_t>(columns.size()));
  for (const WrittenColumn& column : columns) {
    out += column.is_key ? '\1' : '\0';
    out += column.name + '\0';
    append_big_endian(out, column.type_oid);
    append_big_endian(out, std::int32_t{-1});
  }
  return out;
}

inline std::string insert_message(std::uint32_t oid, const std::vector<WrittenCell>& cells) {
  std::string out = "I";
  append_big_endian(out, oid);
  out += 'N';
  append_tuple(out, cells);
  return out;
}

inline std::string update_message(std::uint32_t oid, char old_form, const std::vector<WrittenCell>& old_cells,
                                  const std::vector<WrittenCell>& new_cells) {
  std::string out = "U";
  append_big_endian(out, oid);
  if (old_form != 0) {
    out += old_form;
    append_tuple(out, old_cells);
  }
  out += 'N';
  append_tuple(out, new_cells);
  return out;
}

inline std::string delete_message(std::uint32_t oid, char old_form, const std::vector<WrittenCell>& old_cells) {
  std::string out = "D";
  append_big_endian(out, oid);
  out += old_form;
  append_tuple(out, old_cells);
  return out;
}

}  // namespace flytt::postgres
