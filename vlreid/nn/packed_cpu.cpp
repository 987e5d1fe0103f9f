#include "vlreid/base/memory.h"
#include "vlreid/base/thread_pool.h"
#include "vlreid/nn/one_query_attention.h"
#include "vlreid/nn/packed.h"
#include "vlreid/nn/pooled_product.h"
#include "vlreid/nn/product_type.h"
#include "vlreid/nn/row_ops.h"

#include <ATen/ops/empty.h>
#include <algorithm>
#include <c10/core/GradMode.h>
#include <cmath>
#include <cstring>

namespace vlreid {
namespace {

using Floats = std::vector<float>;

Floats values_of(const at::Tensor& x) {
  const at::Tensor rows = x.detach().to(at::kFloat).contiguous();
  return {rows.const_data_ptr<float>(), rows.const_data_ptr<float>() + rows.numel()};
}

struct Norm {
  Floats weight, bias; // [D]

  Norm() = default;
  explicit Norm(const LayerNorm& norm) : weight(values_of(norm.weight)), bias(values_of(norm.bias)) {}

  void operator()(const float* x, std::int64_t rows, float* out) const {
    layer_norm_rows(x, rows, static_cast<std::int64_t>(weight.size()), weight.data(), bias.data(), out);
  }
};

struct Layer {
  Panels weight; // [out, in]
  Floats bias;   // [out] or empty

  Epilogue epilogue(Epilogue::Kind kind) const {
    return {.kind = kind, .bias = bias.empty() ? nullptr : bias.data()};
  }
};

// A part of the MLP's hidden layer, narrow enough to stay in the second-level cache with a strip of rows.
struct MlpPart {
  std::int64_t first; // column of the hidden layer
  Layer fc;           // D -> part
  Layer proj;         // part -> D; the bias is the first part's
};

// A block's weights.
struct Block {
  Norm ln_1, ln_2;
  Floats prompt;           // [n, D] or empty
  Layer in;                // D -> queries, keys, values; not in the last block
  OneQueryAttention first; // of the last block
  Layer out;
  std::vector<MlpPart> mlp;

  std::int64_t hidden_width() const {
    std::int64_t width = 0;
    for (const MlpPart& part : mlp)
      width += part.fc.weight.rows();
    return width;
  }
};

constexpr std::int64_t kPartWidth = 768;

Layer layer_of(const at::Tensor& weight, const at::Tensor& bias, ProductType type) {
  const at::Tensor rows = weight.to(at::kFloat).contiguous();
  Layer layer{.weight = pack_on_pool({rows.const_data_ptr<float>(), rows.size(0)}, rows.size(1), type),
              .bias = bias.defined() ? values_of(bias) : Floats()};
  // Weights in a mapped file need not stay in memory beside their packed form.
  forget_file_pages(rows.const_data_ptr(), rows.nbytes());
  return layer;
}

std::vector<MlpPart> mlp_of(const Mlp& mlp, ProductType type) {
  const at::Tensor fc = mlp.c_fc->effective_weight(), proj = mlp.c_proj->effective_weight();
  const std::int64_t hidden = fc.size(0);
  const std::int64_t parts = (hidden + kPartWidth - 1) / kPartWidth;
  std::vector<MlpPart> result;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t begin = hidden * part / parts, end = hidden * (part + 1) / parts;
    result.push_back(
        {begin, layer_of(fc.slice(0, begin, end), mlp.c_fc->bias.slice(0, begin, end), type),
         layer_of(proj.slice(1, begin, end), part == 0 ? mlp.c_proj->bias : at::Tensor(), type)});
  }
  return result;
}

// Queries, keys and values, with the queries divided by sqrt(d).
Layer asking_layer(const AttentionWeights& attention, std::int64_t heads, ProductType type) {
  const std::int64_t width = attention.out_bias.size(0);
  const double scale = 1 / std::sqrt(static_cast<double>(width / heads));
  at::Tensor weight = attention.in_weight.detach().to(at::kFloat, false, /*copy=*/true);
  at::Tensor bias = attention.in_bias.detach().to(at::kFloat, false, /*copy=*/true);
  weight.slice(0, 0, width).mul_(scale);
  bias.slice(0, 0, width).mul_(scale);
  return layer_of(weight, bias, type);
}

OneQueryAttention one_query(const AttentionWeights& attention, std::int64_t heads, ProductType type) {
  const std::vector<at::Tensor> weights = attention.in_weight.chunk(3), biases = attention.in_bias.chunk(3);
  return {{.query_weight = weights[0],
           .query_bias = biases[0],
           .key_weight = weights[1],
           .value_weight = weights[2],
           .value_bias = biases[2]},
          heads,
          attention_type(type)};
}

Block block_of(ResidualBlock& block, bool is_last, ProductType type) {
  const AttentionWeights attention = block.attn->effective_weights();
  Block packed;
  packed.ln_1 = Norm(*block.ln_1);
  packed.ln_2 = Norm(*block.ln_2);
  if (is_last)
    packed.first = one_query(attention, block.attn->heads(), type);
  else
    packed.in = asking_layer(attention, block.attn->heads(), type);
  packed.out = layer_of(attention.out_weight, attention.out_bias, type);
  packed.mlp = mlp_of(*block.mlp, type);
  if (block.VPT_shallow.defined()) packed.prompt = values_of(block.VPT_shallow);
  return packed;
}

// One batch on its way.
struct Stream {
  float* x = nullptr; // [B*N, D]
  std::int64_t batch = 0, tokens = 0;
  float* answers = nullptr;  // queries, keys, values [B*N, 3D]
  float* attended = nullptr; // [B*N, D]

  std::int64_t rows() const { return batch * tokens; }
};

// What a pass needs beside x.
struct Buffers {
  Scratch answers, attended, hidden, token;
  PooledRows rows;
  std::vector<PooledRows> hidden_rows; // of the MLP's parts
};

// Of each thread of the pool.
struct StripScratch {
  PackedRows rows, hidden_rows;
  Scratch normed;
};

struct HeadScratch {
  ProductType type = ProductType::f32;
  Panels keys, values; // [N, d], [d, N]
  PackedRows queries, shares;
  Scratch scores; // [rows, N]
};

class CpuTransformer : public PackedTransformer::Form {
public:
  CpuTransformer(const Transformer& transformer, InferenceType type)
      : width_(transformer.shape().width), heads_(transformer.shape().heads),
        attention_type_(attention_type(product_type_of(type))) {
    const c10::NoGradGuard no_grad;
    for (std::int64_t i = 0; i < transformer.depth(); ++i)
      blocks_.push_back(block_of(transformer.block(i), i + 1 == transformer.depth(), product_type_of(type)));
  }

  ReadToken read_first_token(at::Tensor tokens) const override {
    tokens = tokens.contiguous();
    const auto buffers = store_.borrow();
    Stream stream{.x = tokens.mutable_data_ptr<float>(), .batch = tokens.size(0), .tokens = tokens.size(1)};
    stream.answers = buffers->answers.room_for(stream.rows() * 3 * width_);
    stream.attended = buffers->attended.room_for(stream.rows() * width_);
    if (are_few(stream.rows(), blocks_.front().out.weight))
      run_in_pieces(stream, *buffers);
    else
      run_in_strips(stream);
    ReadToken token{.before_last_block = at::empty({stream.batch, width_}, tokens.options()),
                    .after_last_block = at::empty({stream.batch, width_}, tokens.options())};
    run_last(stream, *buffers, token);
    return token;
  }

private:
  struct Strip {
    std::int64_t begin, count; // rows
    StripScratch& scratch;
  };

  // All blocks but the last, strip by strip: for many rows.
  void run_in_strips(const Stream& stream) const {
    for_strips(stream, [&](Strip strip) { ask(stream, 0, strip); });
    for (std::size_t i = 0; i + 1 < blocks_.size(); ++i) {
      attend_all(stream);
      for_strips(stream, [&](Strip strip) {
        finish(stream, blocks_[i], strip);
        ask(stream, i + 1, strip);
      });
    }
  }

  // Likewise product by product, each shared by all threads: for few rows.
  void run_in_pieces(const Stream& stream, Buffers& buffers) const {
    const std::int64_t rows = stream.rows();
    for (const Block& block : blocks_) {
      insert_prompt(stream, block, 0, rows);
      if (&block == &blocks_.back()) return;
      load_normed(block.ln_1, {stream.x, rows}, block.in.weight, buffers.rows);
      multiply_on_pool(PooledProduct{buffers.rows,
                                     block.in.weight,
                                     block.in.epilogue(Epilogue::Kind::store),
                                     {stream.answers, 3 * width_}});
      attend_all(stream);
      buffers.rows.load({.floats = stream.attended, .stride = width_}, rows, block.out.weight);
      multiply_on_pool(PooledProduct{
          buffers.rows, block.out.weight, block.out.epilogue(Epilogue::Kind::add), {stream.x, width_}});
      add_mlp(block, stream.x, rows, buffers);
    }
  }

  // LayerNorm of rows of x, for products with `b`.
  void load_normed(const Norm& norm, RowBlock x, const Panels& b, PooledRows& out) const {
    out.begin(x.rows, b);
    shared_pool().parallel_for(out.groups(), 1, [&](std::size_t group, std::size_t, int) {
      thread_local Scratch scratch;
      const std::int64_t count = out.count_of(group);
      float* normed = scratch.room_for(count * width_);
      norm(x.values + out.first_of(group) * width_, count, normed);
      out.load_group(group, {.floats = normed, .stride = width_}, b);
    });
  }

  // x += mlp(LayerNorm(x)), rows of x
  void add_mlp(const Block& block, float* x, std::int64_t rows, Buffers& buffers) const {
    const std::int64_t width = block.hidden_width();
    float* hidden = buffers.hidden.room_for(rows * width);
    load_normed(block.ln_2, {x, rows}, block.mlp.front().fc.weight, buffers.rows);
    std::vector<PooledProduct> products;
    for (const MlpPart& part : block.mlp)
      products.push_back({buffers.rows,
                          part.fc.weight,
                          part.fc.epilogue(Epilogue::Kind::quick_gelu),
                          {hidden + part.first, width}});
    multiply_on_pool(products);
    load_hidden(block, {hidden, rows, width}, buffers.hidden_rows);
    products.clear();
    for (std::size_t i = 0; i < block.mlp.size(); ++i)
      products.push_back({buffers.hidden_rows[i],
                          block.mlp[i].proj.weight,
                          block.mlp[i].proj.epilogue(Epilogue::Kind::add),
                          {x, width_}});
    multiply_on_pool(products);
  }

  // Each part's columns of the hidden layer.
  static void load_hidden(const Block& block, RowBlock hidden, std::vector<PooledRows>& parts) {
    parts.resize(std::max(parts.size(), block.mlp.size()));
    for (std::size_t i = 0; i < block.mlp.size(); ++i)
      parts[i].begin(hidden.rows, block.mlp[i].proj.weight);
    const std::int64_t groups = parts.front().groups();
    shared_pool().parallel_for(block.mlp.size() * groups, 1, [&](std::size_t i, std::size_t, int) {
      const MlpPart& part = block.mlp[i / groups];
      PooledRows& rows = parts[i / groups];
      const std::int64_t group = static_cast<std::int64_t>(i) % groups;
      const float* first = hidden.values + rows.first_of(group) * hidden.stride + part.first;
      rows.load_group(group, {.floats = first, .stride = hidden.stride}, part.proj.weight);
    });
  }

  template <typename Body>
  void for_strips(const Stream& stream, const Body& body) const {
    const Strips strips = strips_for(stream.rows(), blocks_.front().out.weight);
    shared_pool().parallel_for(strips.count(), 1, [&](std::size_t begin, std::size_t end, int) {
      thread_local StripScratch scratch;
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i)
        body(Strip{strips.begin(i), strips.begin(i + 1) - strips.begin(i), scratch});
    });
  }

  // Those of the rows that a block's own prompt replaces: the last n of each sequence.
  void insert_prompt(const Stream& stream, const Block& block, std::int64_t begin, std::int64_t count) const {
    const std::int64_t prompts = static_cast<std::int64_t>(block.prompt.size()) / width_;
    if (prompts == 0) return;
    for (std::int64_t row = begin; row < begin + count; ++row) {
      const std::int64_t number = row % stream.tokens - (stream.tokens - prompts);
      if (number < 0) continue;
      std::memcpy(stream.x + row * width_, block.prompt.data() + number * width_, width_ * sizeof(float));
    }
  }

  // LayerNorm and the products that attention works on; the last block has another way (run_last).
  void ask(const Stream& stream, std::size_t number, const Strip& strip) const {
    const Block& block = blocks_[number];
    insert_prompt(stream, block, strip.begin, strip.count);
    if (number + 1 == blocks_.size()) return;
    float* normed = strip.scratch.normed.room_for(strip.count * width_);
    block.ln_1(stream.x + strip.begin * width_, strip.count, normed);
    const std::int64_t columns = block.in.weight.rows();
    strip.scratch.rows.load({normed, strip.count}, block.in.weight);
    multiply(strip.scratch.rows, block.in.weight, {0, columns}, block.in.epilogue(Epilogue::Kind::store),
             {stream.answers + strip.begin * columns, columns});
  }

  // x += out(attended), x += mlp(x)
  void finish(const Stream& stream, const Block& block, const Strip& strip) const {
    StripScratch& scratch = strip.scratch;
    const ProductOutput x{stream.x + strip.begin * width_, width_};
    scratch.rows.load({stream.attended + strip.begin * width_, strip.count}, block.out.weight);
    multiply(scratch.rows, block.out.weight, {0, width_}, block.out.epilogue(Epilogue::Kind::add), x);
    float* normed = scratch.normed.room_for(strip.count * width_);
    block.ln_2(x.values, strip.count, normed);
    scratch.rows.load({normed, strip.count}, block.mlp.front().fc.weight);
    for (const MlpPart& part : block.mlp) {
      multiply(scratch.rows, part.fc.weight, part.fc.epilogue(Epilogue::Kind::quick_gelu), part.proj.weight,
               scratch.hidden_rows);
      multiply(scratch.hidden_rows, part.proj.weight, {0, width_}, part.proj.epilogue(Epilogue::Kind::add),
               x);
    }
  }

  void attend_all(const Stream& stream) const {
    shared_pool().parallel_for(stream.batch * heads_, 1, [&](std::size_t begin, std::size_t end, int) {
      thread_local HeadScratch scratch;
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i)
        attend_head(stream, i / heads_, i % heads_, scratch);
    });
  }

  // softmax(Q K^T) V of one head of one sequence.
  void attend_head(const Stream& stream, std::int64_t sequence, std::int64_t head,
                   HeadScratch& scratch) const {
    const std::int64_t depth = width_ / heads_, tokens = stream.tokens, stride = 3 * width_;
    const float* queries = stream.answers + sequence * tokens * stride + head * depth;
    const float *keys = queries + width_, *values = keys + width_;
    if (scratch.keys.rows() != tokens || scratch.keys.dims() != depth || scratch.type != attention_type_) {
      scratch.keys = Panels(tokens, depth, attention_type_);
      scratch.values = Panels(depth, tokens, attention_type_);
      scratch.type = attention_type_;
    }
    for (std::int64_t panel = 0; panel < scratch.keys.panels(); ++panel)
      scratch.keys.fill(panel, keys, stride);
    for (std::int64_t panel = 0; panel < scratch.values.panels(); ++panel)
      scratch.values.fill(panel, {.floats = values, .stride = stride, .is_transposed = true});
    const std::int64_t most = rows_that_stay_in_cache(scratch.values);
    for (std::int64_t first = 0; first < tokens; first += most) {
      const std::int64_t rows = std::min(most, tokens - first);
      float* scores = scratch.scores.room_for(rows * tokens);
      scratch.queries.load({queries + first * stride, rows, stride}, scratch.keys);
      multiply(scratch.queries, scratch.keys, {0, tokens}, {}, {scores, tokens});
      softmax_rows(scores, rows, tokens, tokens);
      scratch.shares.load({scores, rows}, scratch.values);
      multiply(scratch.shares, scratch.values, {0, depth}, {},
               {stream.attended + (sequence * tokens + first) * width_ + head * depth, width_});
    }
  }

  // Only the first token of every sequence asks.
  void run_last(const Stream& stream, Buffers& buffers, const ReadToken& token) const {
    const Block& block = blocks_.back();
    const std::int64_t batch = stream.batch, tokens = stream.tokens;
    float* before = token.before_last_block.mutable_data_ptr<float>();
    float* x = token.after_last_block.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < batch; ++i)
      std::memcpy(before + i * width_, stream.x + i * tokens * width_, width_ * sizeof(float));
    std::memcpy(x, before, batch * width_ * sizeof(float));
    float* normed = buffers.token.room_for(2 * batch * width_);
    float* attended = normed + batch * width_;
    block.ln_1(before, batch, normed);
    const auto positions = [&](std::int64_t sequence, float* rows) {
      block.ln_1(stream.x + sequence * tokens * width_, tokens, rows);
    };
    block.first.attend(normed, batch, tokens, positions, attended);
    multiply_on_pool({attended, batch}, block.out.weight, block.out.epilogue(Epilogue::Kind::add),
                     {x, width_});
    add_mlp(block, x, batch, buffers);
  }

  std::vector<Block> blocks_;
  std::int64_t width_, heads_;
  ProductType attention_type_;
  mutable ScratchStore<Buffers> store_;
};

} // namespace

std::shared_ptr<const PackedTransformer::Form> cpu_form(const Transformer& transformer, InferenceType type) {
  return std::make_shared<CpuTransformer>(transformer, type);
}

} // namespace vlreid
