#include "postgres/internal/stream_session.h"

#include <algorithm>

#include "postgres/internal/wire.h"
#include "postgres/limits.h"

namespace flytt::postgres {

Status CatalogLookup::connect() {
  if (client_ && client_->usable()) return ok();
  TRY(client_, Client::connect(settings_, Client::Mode::kNormal, clock_, clock_.in(kLookupPatience)));
  return ok();
}

Result<std::vector<SourceColumn>> CatalogLookup::columns(const SourceTable& table,
                                                         const std::vector<std::string>& names) {
  const base::Deadline deadline = clock_.in(kLookupPatience);
  TRY_STATUS(connect());
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + quote_literal(name);
  TRY(const Rows rows,
      client_->query("SELECT attname, attnum, attnotnull, atthasdef OR atthasmissing, atttypid, atttypmod, "
                     "pg_catalog.format_type(atttypid, atttypmod) "
                     "FROM pg_catalog.pg_attribute WHERE attrelid = " +
                         std::to_string(table.oid) +
                         " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attname IN (" + list + ")",
                     deadline, "look at the columns of " + table.full_name()));
  std::vector<SourceColumn> out;
  for (int row = 0; row < rows.size(); ++row) {
    const auto oid = static_cast<std::uint32_t>(rows.number(row, 4));
    TRY_STATUS(types_.load(*client_, {oid}, deadline));
    auto type = types_.resolve(oid, static_cast<std::int32_t>(rows.number(row, 5)), rows.text(row, 6));
    if (!type) continue;
    SourceColumn column;
    column.name = rows.text(row, 0);
    column.number = static_cast<int>(rows.number(row, 1));
    column.not_null = rows.flag(row, 2);
    column.has_default = rows.flag(row, 3);
    column.mapping = map_type(*type);
    column.type = std::move(*type);
    out.push_back(std::move(column));
  }
  return out;
}

Result<FoundValues> CatalogLookup::find_values(const SourceTable& table, const RowPlan& plan,
                                               const std::vector<std::uint32_t>& columns,
                                               const std::vector<const std::vector<std::string>*>& keys) {
  const base::Deadline deadline = clock_.in(kLookupPatience);
  TRY_STATUS(connect());
  TRY(Rows rows,
      client_->query_binary(lookup_sql(table, plan, columns), deadline,
                            "look up unchanged large values of " + table.full_name(), lookup_parameters(table, keys)));
  auto owner = std::make_shared<const Rows>(std::move(rows));
  FoundValues found;
  found.cells.resize(keys.size());
  for (int row = 0; row < owner->size(); ++row) {
    const std::string_view place = owner->view(row, 0);
    const auto key =
        place.size() == 8 ? static_cast<std::size_t>(read_big_endian<std::int64_t>(place.data())) - 1 : keys.size();
    if (key >= keys.size())
      return Error(ErrorCode::kBug,
                   "the lookup of large values of " + table.full_name() + " brought a row that was not asked for");
    if (!found.cells[key].empty()) continue;  // a key that compares equal to several rows
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const int column = static_cast<int>(i) + 1;
      const char form = plan.codecs[columns[i]].binary ? 'b' : 't';
      found.cells[key].push_back(owner->is_null(row, column) ? Cell{} : Cell{form, owner->view(row, column)});
      found.bytes += owner->view(row, column).size();
    }
  }
  found.owner = std::move(owner);
  return found;
}

Status CatalogLookup::fill(SliceInMaking& making) {
  TRY(const FillOutcome outcome,
      fill_large_values(making, [this](const auto& table, const auto& plan, const auto& columns, const auto& keys) {
        return find_values(table, plan, columns, keys);
      }));
  // A mean that follows quickly upwards and slowly downwards.
  if (outcome.looked_up_keys == 0) return ok();
  const std::size_t seen = outcome.looked_up_bytes / outcome.looked_up_keys + 1;
  bytes_per_row_ = seen > bytes_per_row_ ? seen : (bytes_per_row_ * 7 + seen) / 8;
  return ok();
}

std::size_t CatalogLookup::waiting_rows_max(std::size_t batch_bytes_max) const {
  return std::clamp<std::size_t>(batch_bytes_max / bytes_per_row_, 1, kLookupRowsMax);
}

Status check_slot(const std::string& name, const std::optional<SlotFacts>& slot, Lsn from) {
  const auto refuse = [&](ErrorCode code, const std::string& why) {
    return Error(code, "the replication slot " + name + " " + why)
        .side(base::Side::kSource)
        .retry(base::Retry::kAfterOperator);
  };
  if (!slot) return refuse(ErrorCode::kNotFound, "does not exist; it was dropped, or the server is another one");
  if (slot->is_lost())
    return refuse(
        ErrorCode::kNotFound,
        "is lost: the log that it needs was removed (max_slot_wal_keep_size); drop it and copy the tables again");
  if (slot->is_active()) return slot_is_held(*slot);
  if (from.value != 0 && from < slot->confirmed_flush) {
    return refuse(
        ErrorCode::kConflict,
        "stands at " + format_lsn(slot->confirmed_flush) + ", ahead of the saved position " + format_lsn(from) +
            ": changes in between were given to somebody else and are missing here; the tables must be copied again");
  }
  return ok();
}

std::string quote_publication(const std::string& name) { return quote_literal(quote_identifier(name)); }

}  // namespace flytt::postgres
