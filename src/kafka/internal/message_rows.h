#pragma once
// One message → one row of its table's slice, or one rejection in it. Pure over bytes; one thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/table_slice.h"
#include "kafka/config.h"
#include "kafka/internal/table_shape.h"

namespace flytt::kafka {

struct Header {
  std::string_view key;
  std::optional<std::string_view> value;
};

class HeaderReader {
 public:
  virtual ~HeaderReader() = default;
  virtual std::vector<Header> read() const = 0;
};

struct Message {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;  // -1: none
  std::optional<std::string_view> key, value;
  const HeaderReader* headers = nullptr;  // read only when they are wanted; null: none
  data::Sequence sequence = {};           // of its row, among those of its key
};

// Whether a message begins with a schema registry's framing (a zero byte and an id, big-endian), and which id.
std::optional<std::uint32_t> registry_schema_id(std::string_view payload);

class MessageRows {
 public:
  explicit MessageRows(PayloadSettings settings);

  enum class Outcome { kRow, kRejected };
  // Adds the message to the slice, which is of shape.schema(). The shape may grow first: then `slice` is untouched, and
  // the result is nullopt; the caller calls again with a slice of the new schema.
  std::optional<Outcome> append(const Message& message, TableShape& shape, data::TableSlice& slice);

  // An empty slice of the shape, with the one sequence that the rows of a stream without keys share.
  data::TableSlice make_slice(const TableShape& shape, std::uint32_t lane, std::int64_t first_offset) const;

 private:
  Refusal fill(const Message& message, TableShape& shape, data::TableSlice& slice, bool& grew);
  Refusal fill_payload(const Message& message, TableShape& shape, data::TableSlice& slice, bool& grew);
  Refusal fill_extras(const Message& message, const TableShape& shape, data::TableSlice& slice);
  Refusal fill_key(const Message& message, const TableShape& shape, data::TableSlice& slice, std::size_t rows);
  void reject(const Message& message, Refusal refusal, data::TableSlice& slice);

  PayloadSettings settings_;
  ValueRules rules_;
  // Key columns as members of the message's key; made for one schema at a time.
  std::shared_ptr<const data::SliceSchema> key_schema_;
  std::unique_ptr<JsonRows> key_rows_;
};

}  // namespace flytt::kafka
