#include "app/internal/in_process_transport.h"

#include <cctype>

namespace flytt::app {

namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

Result<bigquery::HttpResponse> InProcessTransport::send(const bigquery::HttpRequest& request, base::Deadline) {
  gateway::HttpRequest inner;
  inner.method = request.method;
  const auto mark = request.target.find('?');
  inner.path = request.target.substr(0, mark);
  if (mark != std::string::npos) inner.query = request.target.substr(mark + 1);
  for (const auto& [name, value] : request.headers) inner.headers.emplace_back(lower(name), value);
  inner.body = request.body;
  gateway::HttpResponse answer = handler_.handle(inner);
  bigquery::HttpResponse out;
  out.status = answer.status;
  out.body = std::move(answer.body);
  out.headers.emplace_back("content-type", answer.content_type);
  for (auto& [name, value] : answer.headers) out.headers.emplace_back(lower(std::move(name)), std::move(value));
  return out;
}

}  // namespace flytt::app
