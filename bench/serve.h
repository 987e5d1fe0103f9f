// The protocol of a program that takes turns with others (bench/contenders.py): it prepares once, prints a
// JSON line of facts, and answers each JSON line that it reads, {"what": NAME, ...}, with one.
#pragma once

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/resource.h>

namespace vlreid {

using Handler = std::function<nlohmann::json(const nlohmann::json& request)>;

double seconds_of(const auto& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

inline double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

inline void serve(const std::map<std::string, Handler>& handlers, nlohmann::json facts) {
  facts["ready"] = true;
  std::cout << facts.dump() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const nlohmann::json request = nlohmann::json::parse(line);
    nlohmann::json answer = handlers.at(request.at("what"))(request);
    answer["peak_mib"] = peak_mib();
    std::cout << answer.dump() << std::endl;
  }
}

} // namespace vlreid
