#include "vlreid/base/log.h"

#include "vlreid/base/error.h"

#include <memory>
#include <mutex>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <string>

namespace vlreid {
namespace {

// %l would print lower-case names; the references' are Python's, in capitals.
constexpr const char* kPattern = "%Y-%m-%d %H:%M:%S,%e %n %v";

std::shared_ptr<spdlog::sinks::dist_sink_mt>& sinks() {
  static auto all = [] {
    auto made = std::make_shared<spdlog::sinks::dist_sink_mt>();
    made->add_sink(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(kPattern);
    return made;
  }();
  return all;
}

void write(std::string_view logger, const char* level, std::string_view message) {
  spdlog::logger line{std::string(logger), sinks()};
  line.set_error_handler([](const std::string& what) { // a full disk must not go unnoticed
    fail(ErrorKind::io, {.place = "log file", .found = what, .remedy = "make room on the disk"});
  });
  line.log(spdlog::level::info, fmt::format("{}: {}", level, message));
  line.flush();
}

} // namespace

void log_info(std::string_view logger, std::string_view message) {
  write(logger, "INFO", message);
}
void log_warning(std::string_view logger, std::string_view message) {
  write(logger, "WARNING", message);
}

void open_log_file(const std::filesystem::path& path) {
  try {
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
    file->set_pattern(kPattern);
    sinks()->add_sink(std::move(file));
  } catch (const spdlog::spdlog_ex& error) {
    fail(ErrorKind::cannot_create,
         {.place = path.string(), .found = error.what(), .remedy = "choose a folder that can be written"});
  }
}

void silence_log() {
  auto& all = *sinks();
  for (const auto& sink : all.sinks())
    if (dynamic_cast<spdlog::sinks::stderr_sink_mt*>(sink.get())) {
      all.remove_sink(sink);
      return;
    }
}

} // namespace vlreid
