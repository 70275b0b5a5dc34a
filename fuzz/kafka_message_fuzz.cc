// One message from outside: the first byte chooses the format and settings, the rest is the payload (and, before a NUL in
// upserts, the key). A message becomes one whole row or one rejection, whatever it holds.

#include <cstdint>
#include <string_view>

#include "kafka/internal/message_rows.h"

namespace {

using namespace flytt;
using namespace flytt::kafka;
using data::Type;
using data::TypeKind;

PayloadSettings settings_of(std::uint8_t choice) {
  PayloadSettings settings;
  constexpr Format kFormats[] = {Format::kJson, Format::kJson, Format::kText, Format::kJson};
  constexpr UnknownFields kUnknown[] = {UnknownFields::kIgnore, UnknownFields::kRest, UnknownFields::kGrow,
                                        UnknownFields::kDefault};
  settings.format = kFormats[choice & 3];
  settings.strict_times = (choice & 4) != 0;
  settings.scalars_as_strings = (choice & 8) != 0;
  settings.epoch_unit = (choice & 16) != 0 ? EpochUnit::kMillis : EpochUnit::kRefused;
  if (settings.format == Format::kText) {
    constexpr TypeKind kTypes[] = {TypeKind::kTimestamp, TypeKind::kNumeric, TypeKind::kJson, TypeKind::kFloat64};
    settings.fields = {{"v", kTypes[choice >> 6], false}};
    return settings;
  }
  settings.unknown_fields = kUnknown[choice >> 6];
  settings.fields = {
      {"s", TypeKind::kString, (choice & 3) == 1},
      {"i", TypeKind::kInt64},
      {"f", TypeKind::kFloat64},
      {"b", TypeKind::kBool},
      {"n", TypeKind::kBigNumeric},
      {"d", TypeKind::kDate},
      {"t", TypeKind::kTimestamp},
      {"y", TypeKind::kBytes},
      {"j", TypeKind::kJson},
      {"l", Type::array(Type::structure({{"x", TypeKind::kTime}, {"k", Type::array(TypeKind::kString)}}))}};
  settings.is_upsert = (choice & 32) != 0;
  if (settings.is_upsert) settings.key_fields = {"i"};
  return settings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const PayloadSettings settings = settings_of(data[0]);
  std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  Message message{"topic", 0, 1, 1'000, std::nullopt, std::nullopt, nullptr};
  if (settings.is_upsert) {
    const std::size_t cut = payload.find('\0');
    if (cut != payload.npos) {
      message.key = payload.substr(0, cut);
      payload.remove_prefix(cut + 1);
    }
  }
  message.value = payload;
  auto shape = TableShape::make(settings, "topic", {"p", "d", "t"}, nullptr, {});
  CHECK(shape.has_value());
  MessageRows rows(settings);
  data::TableSlice slice = rows.make_slice(*shape, 0, 0);
  // Twice, so that a table that has grown meets the message again.
  for (std::size_t n = 1; n <= 2; ++n) {
    std::optional<MessageRows::Outcome> outcome;
    while (!(outcome = rows.append(message, *shape, slice))) slice = rows.make_slice(*shape, 0, 0);
    CHECK(slice.row_count() + slice.rejections.size() >= 1);
    for (const flytt::data::Column& column : slice.columns) CHECK(column.size() == slice.row_count());
    CHECK(!settings.is_upsert || slice.kinds.size() == slice.row_count());
  }
  return 0;
}
