#include "vlreid/nn/packed.h"

namespace vlreid {
namespace {

bool is_on_cpu(const Transformer& transformer) {
  return transformer.depth() == 0 || transformer.block(0).ln_1->weight.device().is_cpu();
}

} // namespace

PackedTransformer::PackedTransformer(const Transformer& transformer, InferenceType type)
    : form_(is_on_cpu(transformer) ? cpu_form(transformer, type) : aten_form(transformer, type)) {}

PackedTransformer::PackedTransformer(std::shared_ptr<const Form> form) : form_(std::move(form)) {}

PackedTransformer PackedTransformer::with_aten(const Transformer& transformer, InferenceType type) {
  return PackedTransformer(aten_form(transformer, type));
}

ReadToken PackedTransformer::read_first_token(at::Tensor x) const {
  return form_->read_first_token(std::move(x));
}

} // namespace vlreid
