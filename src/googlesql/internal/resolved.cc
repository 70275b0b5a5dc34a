#include "googlesql/internal/resolved.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace flytt::googlesql::internal {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::OneofDescriptor;

const Message& unwrap(const Message& any) {
  const Message* current = &any;
  for (;;) {
    const OneofDescriptor* node = current->GetDescriptor()->FindOneofByName("node");
    if (node == nullptr) return *current;
    const FieldDescriptor* set = current->GetReflection()->GetOneofFieldDescriptor(*current, node);
    if (set == nullptr) return *current;
    current = &current->GetReflection()->GetMessage(*current, set);
  }
}

const Message* base_of(const Message& any, const Descriptor* wanted) {
  const Message* current = &unwrap(any);
  while (current->GetDescriptor() != wanted) {
    const FieldDescriptor* parent = current->GetDescriptor()->FindFieldByName("parent");
    if (parent == nullptr || parent->message_type() == nullptr) return nullptr;
    current = &current->GetReflection()->GetMessage(*current, parent);
  }
  return current;
}

std::string node_name(const Message& concrete) {
  std::string name = concrete.GetDescriptor()->name();
  constexpr std::string_view kPrefix = "Resolved", kSuffix = "Proto";
  if (name.rfind(kPrefix, 0) == 0) name.erase(0, kPrefix.size());
  if (name.size() > kSuffix.size() && name.compare(name.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0)
    name.resize(name.size() - kSuffix.size());
  return name;
}

}  // namespace flytt::googlesql::internal
