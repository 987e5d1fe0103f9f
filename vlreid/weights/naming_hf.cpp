#include "vlreid/weights/naming_tables.h"

#include <array>

namespace vlreid {

std::span<const NameRule> hf_names() {
  using enum NameRule::Change;
  static constexpr std::array<NameRule, 30> kRules{{
      {"logit_scale", "logit_scale"},
      {"visual_projection.weight", "visual.proj", transpose},
      {"text_projection.weight", "text_projection", transpose},

      {"vision_model.embeddings.class_embedding", "visual.class_embedding"},
      {"vision_model.embeddings.patch_embedding.*", "visual.conv1.*"},
      {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
      {"vision_model.embeddings.position_ids", "", drop},
      {"vision_model.pre_layrnorm.*", "visual.ln_pre.*"}, // spelt so in every published file
      {"vision_model.post_layernorm.*", "visual.ln_post.*"},
      {"vision_model.encoder.layers.{n}.self_attn.{qkv}_proj.weight",
       "visual.transformer.resblocks.{n}.attn.in_proj_weight", pack},
      {"vision_model.encoder.layers.{n}.self_attn.{qkv}_proj.bias",
       "visual.transformer.resblocks.{n}.attn.in_proj_bias", pack},
      {"vision_model.encoder.layers.{n}.self_attn.out_proj.*",
       "visual.transformer.resblocks.{n}.attn.out_proj.*"},
      {"vision_model.encoder.layers.{n}.layer_norm1.*", "visual.transformer.resblocks.{n}.ln_1.*"},
      {"vision_model.encoder.layers.{n}.layer_norm2.*", "visual.transformer.resblocks.{n}.ln_2.*"},
      {"vision_model.encoder.layers.{n}.mlp.fc1.*", "visual.transformer.resblocks.{n}.mlp.c_fc.*"},
      {"vision_model.encoder.layers.{n}.mlp.fc2.*", "visual.transformer.resblocks.{n}.mlp.c_proj.*"},

      {"text_model.embeddings.token_embedding.weight", "token_embedding.weight"},
      {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
      {"text_model.embeddings.position_ids", "", drop},
      {"text_model.final_layer_norm.*", "ln_final.*"},
      {"text_model.encoder.layers.{n}.self_attn.{qkv}_proj.weight",
       "transformer.resblocks.{n}.attn.in_proj_weight", pack},
      {"text_model.encoder.layers.{n}.self_attn.{qkv}_proj.bias",
       "transformer.resblocks.{n}.attn.in_proj_bias", pack},
      {"text_model.encoder.layers.{n}.self_attn.out_proj.*", "transformer.resblocks.{n}.attn.out_proj.*"},
      {"text_model.encoder.layers.{n}.layer_norm1.*", "transformer.resblocks.{n}.ln_1.*"},
      {"text_model.encoder.layers.{n}.layer_norm2.*", "transformer.resblocks.{n}.ln_2.*"},
      {"text_model.encoder.layers.{n}.mlp.fc1.*", "transformer.resblocks.{n}.mlp.c_fc.*"},
      {"text_model.encoder.layers.{n}.mlp.fc2.*", "transformer.resblocks.{n}.mlp.c_proj.*"},

      // OpenAI's three integers, which follow from the shapes.
      {"", "input_resolution", drop},
      {"", "context_length", drop},
      {"", "vocab_size", drop},
  }};
  return kRules;
}

} // namespace vlreid
