#pragma once
// PlainJson: the short way of JsonRows, for the form that nearly all messages have: members in the order of the columns
// (some may be missing), texts without escapes, numbers, true, false and null.
//
// Whatever it takes is a row that JsonRows would make of the same bytes; whatever it does not take says nothing, and
// JsonRows looks at it from the beginning. So it never needs a reason, and the rules about bad messages are in one place.
//
// Cost: one pass over the payload where it lies, without a copy and an index of it: about a third of the long way.
// No state; one thread.

#include <string_view>
#include <vector>

#include "data/column.h"
#include "kafka/internal/json_rows.h"

namespace flytt::kafka {

// Whether members of these names are told apart by comparing bytes, which is what the short way does.
bool has_plain_names(const std::vector<FieldPlan>& fields);

// True: one cell was appended to each field's column. False: to some of them, and the caller takes those back.
bool append_plain(std::string_view payload, const std::vector<FieldPlan>& fields, const ValueRules& rules,
                  std::vector<data::Column>& columns);

}  // namespace flytt::kafka
