#include "warehouse/internal/directory.h"

#include <algorithm>
#include <cctype>
#include <mutex>
#include <set>

#include "data/utf8.h"
#include "warehouse/limits.h"

namespace flytt::warehouse::internal {

namespace {

using data::TypeKind;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

Error invalid(std::string sentence) { return Error(ErrorCode::kSchema, std::move(sentence)).cause("invalid"); }

std::string table_text(const data::TablePath& path) { return path.project + ":" + path.dataset + "." + path.table; }

bool is_key_type(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBigNumeric:
    case TypeKind::kBool:
    case TypeKind::kBytes:
    case TypeKind::kDate:
    case TypeKind::kDatetime:
    case TypeKind::kInt64:
    case TypeKind::kNumeric:
    case TypeKind::kString:
    case TypeKind::kTimestamp: return true;
    default: return false;
  }
}

// Parameters may grow; STRING(L), BYTES(L) and NUMERIC(P,S) lie alike, so a type change is only in the description.
bool is_type_change_allowed(const data::Type& before, const data::Type& now) {
  if (before == now) return true;
  data::Type plain_before = before, plain_now = now;
  for (data::Type* type : {&plain_before, &plain_now}) {
    type->precision = type->scale = 0;
    type->max_length = 0;
  }
  if (!(plain_before == plain_now)) return false;
  const bool length = now.max_length == 0 || (before.max_length != 0 && now.max_length >= before.max_length);
  const bool digits = now.precision == 0 || (before.precision != 0 && now.scale >= before.scale &&
                                             now.precision - now.scale >= before.precision - before.scale);
  return length && digits;
}

}  // namespace

std::optional<DatasetInfo> Directory::find(const DatasetPath& path) const {
  std::shared_lock lock(mutex_);
  const auto found = datasets_.find(path);
  if (found == datasets_.end()) return std::nullopt;
  return found->second;
}

std::shared_ptr<TableState> Directory::find(const data::TablePath& path) const {
  std::shared_lock lock(mutex_);
  const auto found = tables_.find(path);
  return found == tables_.end() || has_expired(*found->second) ? nullptr : found->second;
}

bool Directory::has_expired(const TableState& table) const {
  const auto& at = table.version()->info.expiration_micros;
  return at && *at <= clock_.wall_micros();
}

std::vector<std::shared_ptr<TableState>> Directory::expired_tables() const {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<TableState>> found;
  for (const auto& [path, table] : tables_)
    if (has_expired(*table)) found.push_back(table);
  return found;
}

std::vector<DatasetInfo> Directory::datasets(const std::string& project) const {
  std::shared_lock lock(mutex_);
  std::vector<DatasetInfo> found;
  for (const auto& [path, info] : datasets_)
    if (path.project == project) found.push_back(info);
  return found;
}

std::vector<DatasetInfo> Directory::all_datasets() const {
  std::shared_lock lock(mutex_);
  std::vector<DatasetInfo> found;
  for (const auto& [path, info] : datasets_) found.push_back(info);
  return found;
}

std::vector<std::shared_ptr<TableState>> Directory::tables(const DatasetPath& path) const {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<TableState>> found;
  for (auto at = tables_.lower_bound({path.project, path.dataset, ""}); at != tables_.end(); ++at) {
    if (at->first.project != path.project || at->first.dataset != path.dataset) break;
    if (!has_expired(*at->second)) found.push_back(at->second);
  }
  return found;
}

std::vector<std::shared_ptr<TableState>> Directory::all_tables() const {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<TableState>> found;
  for (const auto& [path, table] : tables_) found.push_back(table);
  return found;
}

void Directory::put(const DatasetInfo& dataset) {
  std::unique_lock lock(mutex_);
  datasets_[dataset.path] = dataset;
}

void Directory::put(std::shared_ptr<TableState> table) {
  const data::TablePath path = table->version()->info.path;
  std::unique_lock lock(mutex_);
  tables_[path] = std::move(table);
}

void Directory::remove(const DatasetPath& path) {
  std::unique_lock lock(mutex_);
  datasets_.erase(path);
}

void Directory::remove(const data::TablePath& path) {
  std::unique_lock lock(mutex_);
  tables_.erase(path);
}

Error dataset_not_found(const DatasetPath& path) {
  return Error(ErrorCode::kNotFound, "Not found: Dataset " + path.project + ":" + path.dataset).cause("notFound");
}

Error dataset_not_found_in(const DatasetPath& path, const std::string& location) {
  return Error(ErrorCode::kNotFound,
               "Not found: Dataset " + path.project + ":" + path.dataset + " was not found in location " + location)
      .cause("notFound");
}

Error table_not_found(const data::TablePath& path) {
  return Error(ErrorCode::kNotFound, "Not found: Table " + table_text(path)).cause("notFound");
}

Error no_access_to(const data::TablePath& path) {
  const std::string table = table_text(path);
  return Error(ErrorCode::kAuth, "Access Denied: Table " + table + ": User does not have permission to query table " +
                                     table + ", or perhaps it does not exist.")
      .cause("accessDenied");
}

Error already_exists(const DatasetPath& path) {
  return Error(ErrorCode::kConflict, "Already Exists: Dataset " + path.project + ":" + path.dataset).cause("duplicate");
}

Error already_exists(const data::TablePath& path) {
  return Error(ErrorCode::kConflict, "Already Exists: Table " + table_text(path)).cause("duplicate");
}

Status check_dataset_id(const std::string& id) {
  const auto legal = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; };
  if (!id.empty() && id.size() <= kDatasetIdMax && std::all_of(id.begin(), id.end(), legal)) return ok();
  return invalid(
      "Invalid dataset ID \"" + id +
      "\". Dataset IDs must be alphanumeric (plus underscores and dashes) and must be at most 1024 characters long.");
}

Status check_table_id(const std::string& id) {
  // Letters, marks, numbers, connectors, dashes and spaces of Unicode: what is refused here is what would break a path.
  const auto illegal = [](unsigned char c) {
    return c < 0x20 || c == '.' || c == '`' || c == '/' || c == '$' || c == '@' || c == ':' || c == 0x7f;
  };
  if (!id.empty() && id.size() <= kTableIdMax && data::is_valid_utf8(id) && std::none_of(id.begin(), id.end(), illegal))
    return ok();
  return invalid("Invalid table ID \"" + id + "\".");
}

Status check_schema(const data::TableSchema& schema) {
  if (schema.fields.empty()) return invalid("Schema has no fields.");
  if (schema.fields.size() > kColumnsMax) return invalid("Too many columns: at most 10000 are allowed.");
  std::set<std::string> names;
  for (const data::Field& field : schema.fields) {
    if (field.name.empty() || field.name.size() > 4 * kColumnNameMax || !data::is_valid_utf8(field.name))
      return invalid("Invalid field name \"" + field.name +
                     "\". Fields must contain the allowed characters, and be at most 300 characters long.");
    if (!names.insert(lower(field.name)).second) return invalid("Field " + field.name + " already exists in schema");
    if (field.required && field.type.is(TypeKind::kArray))
      return invalid("Field " + field.name + " cannot be REQUIRED and REPEATED");
  }
  if (schema.key.size() > kKeyColumnsMax) return invalid("Primary key can have at most 16 columns.");
  if (!schema.key.empty() && schema.fields.size() > kCdcColumnsMax)
    return invalid("A table with a primary key can have at most 2000 columns.");
  std::set<std::uint32_t> keys;
  for (const std::uint32_t key : schema.key) {
    if (key >= schema.fields.size() || !keys.insert(key).second)
      return invalid("Primary key names a column that does not exist, or one twice.");
    const data::Field& field = schema.fields[key];
    if (!is_key_type(field.type.kind))
      return invalid("Primary key column " + field.name + " has type " + field.type.sql_name() +
                     ", which a key cannot have.");
  }
  return ok();
}

Status check_schema_change(const TableInfo& table, const data::TableSchema& now) {
  TRY_STATUS(check_schema(now));
  const data::TableSchema& before = table.schema;
  const std::string provided = "Provided Schema does not match Table " + table_text(table.path) + ". ";
  for (const data::Field& old : before.fields)
    if (!now.find(old.name)) return invalid(provided + "Field " + old.name + " is missing in new schema");
  for (std::size_t i = 0; i < now.fields.size(); ++i) {
    const data::Field& field = now.fields[i];
    if (i >= before.fields.size()) {
      if (field.required)
        return invalid(provided + "Cannot add required fields to an existing schema. (field: " + field.name + ")");
      continue;
    }
    const data::Field& old = before.fields[i];
    if (lower(field.name) != lower(old.name))
      return invalid(provided + "Field " + field.name + " must stand after the existing fields");
    if (field.type.is(TypeKind::kArray) != old.type.is(TypeKind::kArray))
      return invalid(provided + "Field " + field.name + " has changed mode from " +
                     (old.type.is(TypeKind::kArray) ? "REPEATED"
                      : old.required                ? "REQUIRED"
                                                    : "NULLABLE") +
                     " to " +
                     (field.type.is(TypeKind::kArray) ? "REPEATED"
                      : field.required                ? "REQUIRED"
                                                      : "NULLABLE"));
    if (!is_type_change_allowed(old.type, field.type))
      return invalid(provided + "Field " + field.name + " has changed type from " + old.type.sql_name() + " to " +
                     field.type.sql_name());
    if (field.required && !old.required)
      return invalid(provided + "Field " + field.name + " has changed mode from NULLABLE to REQUIRED");
  }
  if (before.key != now.key)
    return invalid("The primary key of table " + table_text(table.path) +
                   " cannot be changed: create the table again.");
  return ok();
}

Status check_takes_statements(const TableState& table) {
  if (!table.takes_changes()) return ok();
  const data::TablePath path = table.version()->info.path;
  return Error(ErrorCode::kBadData,
               "UPDATE, DELETE and MERGE statements and query results are not supported for table " + path.project +
                   ":" + path.dataset + "." + path.table + ", because it takes rows by change data capture.")
      .cause("invalidQuery");
}

std::string make_etag(const std::string& document) {
  std::uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const unsigned char c : document) hash = (hash ^ c) * 1099511628211ull;
  std::string text(16, '0');
  for (int i = 15; i >= 0; --i, hash >>= 4) text[static_cast<std::size_t>(i)] = "0123456789abcdef"[hash & 15];
  return text;
}

}  // namespace flytt::warehouse::internal
