#include "vlreid/base/strings.h"
#include "vlreid/datasets/doctor.h"

#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace vlreid {

namespace {

std::array<std::pair<const char*, const SubsetCounts*>, 3> parts(const Report& report) {
  return {{{"train", &report.train}, {"query", &report.query}, {"gallery", &report.gallery}}};
}

std::string render_finding(const Finding& finding) {
  std::string text = fmt::format("{}: {}: {} ({})\n", severity_name(finding.severity), finding.rule,
                                 finding.text, group_digits(finding.count));
  for (const std::string& example : finding.examples)
    text += "    " + example + "\n";
  if (finding.count > static_cast<std::int64_t>(finding.examples.size()) && !finding.examples.empty())
    text += "    ...\n";
  return text + "  remedy: " + finding.remedy + "\n";
}

} // namespace

std::string render_text(const Report& report) {
  std::string text = fmt::format("{} in {}\n", report.dataset, report.root.string());
  for (const auto& [name, count] : parts(report))
    text += fmt::format("  {:<8} {:>8} identities {:>10} images {:>6} cameras\n", name,
                        group_digits(count->identities), group_digits(count->images),
                        report.has_cameras ? group_digits(count->cameras) : "no");
  text += fmt::format("  {} images decoded\n\n", group_digits(report.images_decoded));
  for (const Finding& finding : report.findings)
    text += render_finding(finding) + "\n";
  return text + fmt::format("{} errors, {} warnings, {} notes\n", report.count(Severity::error),
                            report.count(Severity::warning), report.count(Severity::note));
}

nlohmann::json render_json(const Report& report) {
  nlohmann::json json = {{"dataset", report.dataset},         {"root", report.root.string()},
                         {"has_cameras", report.has_cameras}, {"images_decoded", report.images_decoded},
                         {"is_sound", report.is_sound()},     {"findings", nlohmann::json::array()}};
  for (const auto& [name, count] : parts(report))
    json[name] = {{"identities", count->identities},
                  {"images", count->images},
                  {"cameras", count->cameras},
                  {"views", count->views}};
  for (const Finding& finding : report.findings)
    json["findings"].push_back({{"severity", severity_name(finding.severity)},
                                {"rule", finding.rule},
                                {"text", finding.text},
                                {"count", finding.count},
                                {"examples", finding.examples},
                                {"remedy", finding.remedy}});
  return json;
}

} // namespace vlreid
