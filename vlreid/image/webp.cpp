#include "vlreid/image/codecs.h"

#include "vlreid/base/error.h"

#include <webp/decode.h>

namespace vlreid {
namespace {

WebPBitstreamFeatures read_features(const Source& source) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(source.data(), source.bytes.size(), &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) fail_truncated(source, ImageFormat::webp);
  if (status != VP8_STATUS_OK) fail_damaged(source, ImageFormat::webp, "its header is not valid");
  return features;
}

} // namespace

ImageInfo probe_webp(const Source& source) {
  const WebPBitstreamFeatures features = read_features(source);
  return {.format = ImageFormat::webp,
          .height = features.height,
          .width = features.width,
          .mode = features.has_alpha ? "RGBA" : "RGB"};
}

// A cut-off WebP is an error in the references too, so accept_truncated changes nothing here.
void decode_webp(const Source& source, const DecodeLimits& limits, Image& out) {
  const WebPBitstreamFeatures features = read_features(source);
  if (features.has_animation)
    fail_unsupported(source, ImageFormat::webp, "several frames", "one still image");
  prepare_output(source, features.height, features.width, limits, out);
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) fail_damaged(source, ImageFormat::webp, "libwebp has another version");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {
      .rgba = out.pixels.data(), .stride = static_cast<int>(out.row_bytes()), .size = out.pixels.size()};
  const VP8StatusCode status = WebPDecode(source.data(), source.bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED)
    fail_truncated(source, ImageFormat::webp);
  if (status != VP8_STATUS_OK) fail_damaged(source, ImageFormat::webp, "its pixels cannot be decoded");
}

} // namespace vlreid
