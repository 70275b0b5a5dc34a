#pragma once
// Reading the analyzer's resolved tree. Its messages are wrapped: AnyResolvedXProto is a oneof `node` (two or three levels
// deep for function calls), and a message keeps the fields of its base class in `parent`, again some levels deep.

#include <string>
#include <string_view>

#include "zetasql/resolved_ast/resolved_ast.pb.h"

namespace flytt::googlesql::internal {

using google::protobuf::Message;

// Follows the oneofs `node` down to the concrete message.
const Message& unwrap(const Message& any);

// The message as a T, or nullptr when it is another one.
template <typename T>
const T* as(const Message& concrete) {
  return concrete.GetDescriptor() == T::descriptor() ? static_cast<const T*>(&concrete) : nullptr;
}

// Follows `parent` (and oneofs before) to the base T; nullptr when there is none.
const Message* base_of(const Message& any, const google::protobuf::Descriptor* wanted);
template <typename T>
const T& base(const Message& any) {
  const Message* found = base_of(any, T::descriptor());
  return found == nullptr ? T::default_instance() : *static_cast<const T*>(found);
}

// "SampleScan" for a ResolvedSampleScanProto: what messages to people call it.
std::string node_name(const Message& concrete);

inline const zetasql::TypeProto& expr_type(const zetasql::AnyResolvedExprProto& expr) {
  return base<zetasql::ResolvedExprProto>(expr).type();
}

}  // namespace flytt::googlesql::internal
