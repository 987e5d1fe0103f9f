// The options that a YAML file and trailing KEY VALUE pairs set, as typed structs: every key of CLIP-ReID's
// one-stage and two-stage files and of FT's, with the reference's default. Each struct lists its fields once,
// in visit(): key, field, and what there is to say about it; reading, printing, checking and documenting all
// walk that list (field.h). Members have our names, keys those of the references. Plain values, freely copied
// between threads.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

// What is known about a field beside its key and type.
struct About {
  std::string_view help;
  double minimum = -std::numeric_limits<double>::infinity(); // of every number in it
  double maximum = std::numeric_limits<double>::infinity();
  std::string_view choices = {};   // allowed texts, separated by '|'; empty: any
  std::string_view no_effect = {}; // why the key is accepted and then not used
};

struct ModelOptions {
  std::string name = "resnet50";
  std::string prompt = "auto";
  std::string pretrain_path;
  std::array<std::int64_t, 2> stride = {16, 16}; // vertical, horizontal
  bool sie_camera = false;
  bool sie_view = false;
  double sie_factor = 3.0;
  bool use_lora = false;
  std::int64_t deep_prompts = 2;
  std::string deep_prompts_path;
  std::string frozen_path;
  double id_loss_weight = 1.0;
  double triplet_loss_weight = 1.0;
  double text_loss_weight = 1.0;
  std::string metric_loss = "triplet";
  bool soft_margin = false;
  std::string label_smoothing = "on";
  std::string center_loss = "no";
  std::string device = "cuda";
  std::string device_id = "0";
  std::int64_t last_stride = 1;
  std::string pretrain_choice = "imagenet";
  std::string neck = "bnneck";
  std::string id_loss = "softmax";
  bool distributed = false;
  bool cosine_layer = false;
  double drop_path = 0.1;
  double dropout = 0.0;
  double attention_dropout = 0.0;
  std::string transformer_type = "None";

  bool smooths_labels() const { return label_smoothing == "on"; }
  bool uses_center_loss() const { return center_loss == "yes"; }

  template <class V>
  void visit(V& v) {
    v("NAME", name, {"architecture as OpenAI names it: ViT-B-16, ViT-L-14, RN50, ..."});
    v("PROMPT", prompt,
      {"method to train ('vlreid list methods' prints them); auto: ted when a key of FT is given, clipreid "
       "when a SOLVER.STAGE1 or STAGE2 key is, none (baseline) when a one-stage SOLVER key is, else what the "
       "weights hold (our key)"});
    v("PRETRAIN_PATH", pretrain_path, {"CLIP weights to start from"});
    v("STRIDE_SIZE", stride,
      {.help = "stride of the patches; 12 gives overlapping ones (OLP)", .minimum = 1, .maximum = 64});
    v("SIE_CAMERA", sie_camera, {"add a learned embedding of the camera to the class token"});
    v("SIE_VIEW", sie_view, {"add a learned embedding of the view to the class token"});
    v("SIE_COE", sie_factor, {.help = "factor of that embedding"});
    v("USE_LORA", use_lora, {"train LoRA matrices instead of the encoder's own weights (FT)"});
    v("VPT_CTX", deep_prompts,
      {.help = "learned tokens of each block in both encoders (ivlp, promptsrc; our key)",
       .minimum = 1,
       .maximum = 10});
    v("VPT_PATH", deep_prompts_path,
      {"weights whose learned tokens (names with VPT) they start from; empty: random (our key)"});
    v("FROZEN_PATH", frozen_path,
      {"CLIP weights of promptsrc's frozen encoder; empty: those that training starts from (our key)"});
    v("ID_LOSS_WEIGHT", id_loss_weight, {.help = "weight of each identity cross-entropy", .minimum = 0});
    v("TRIPLET_LOSS_WEIGHT", triplet_loss_weight, {.help = "weight of each triplet loss", .minimum = 0});
    v("I2T_LOSS_WEIGHT", text_loss_weight,
      {.help = "weight of the image-to-text cross-entropy", .minimum = 0});
    v("METRIC_LOSS_TYPE", metric_loss, {.help = "metric loss", .choices = "triplet|triplet_center|center"});
    v("NO_MARGIN", soft_margin, {"triplet loss with a soft margin instead of SOLVER.MARGIN"});
    // COMPAT: the references compare with 'on', so 'yes' would mean off; refused rather than misread.
    v("IF_LABELSMOOTH", label_smoothing, {.help = "label smoothing 0.1", .choices = "on|off|no"});
    v("IF_WITH_CENTER", center_loss,
      {.help = "add a center loss (never read by the references)", .choices = "yes|no|on|off"});
    v("DEVICE", device, {.help = "device", .no_effect = "--device chooses it"});
    v("DEVICE_ID", device_id, {.help = "number of the GPU", .no_effect = "--device chooses it"});
    v("LAST_STRIDE", last_stride,
      {.help = "stride of the last ResNet stage", .no_effect = "always 1, as in the references"});
    v("PRETRAIN_CHOICE", pretrain_choice,
      {.help = "kind of the start weights", .no_effect = "read from the weights"});
    v("NECK", neck, {.help = "neck", .no_effect = "always BNNeck, as in the references"});
    v("ID_LOSS_TYPE", id_loss,
      {.help = "identity loss", .no_effect = "always softmax, as in the references"});
    v("DIST_TRAIN", distributed, {.help = "several GPUs", .no_effect = "follows from WORLD_SIZE"});
    v("COS_LAYER", cosine_layer, {.help = "cosine classifier", .no_effect = "not in the references' models"});
    v("DROP_PATH", drop_path, {.help = "stochastic depth", .no_effect = "CLIP's encoders have none"});
    v("DROP_OUT", dropout, {.help = "dropout", .no_effect = "CLIP's encoders have none"});
    v("ATT_DROP_RATE", attention_dropout,
      {.help = "dropout in the attention", .no_effect = "CLIP's encoders have none"});
    v("TRANSFORMER_TYPE", transformer_type, {.help = "kind of transformer", .no_effect = "NAME says it"});
  }
};

// FT's adapter; its keys stand at the top of the file, in lower case. Only used when MODEL.USE_LORA is on.
struct LoraOptions {
  std::string encoder = "vision";
  std::string position = "all";
  std::vector<std::string> projections = {"q", "k", "v"};
  std::int64_t rank = 2;
  double alpha = 1;
  double dropout = 0.25;
  std::string backbone = "ViT-B/16";
  bool eval_only = false;

  template <class V>
  void visit(V& v) {
    v("encoder", encoder, {.help = "LoRA: which encoder", .choices = "vision|text|both"});
    v("position", position,
      {.help = "LoRA: which blocks", .choices = "all|top|top1|top2|top3|bottom|mid|up|half-up|half-bottom"});
    v("params", projections, {.help = "LoRA: which projections", .choices = "q|k|v|o|mlp"});
    v("r", rank, {.help = "LoRA: rank", .minimum = 1, .maximum = 4096});
    v("alpha", alpha, {.help = "LoRA: scale is alpha / sqrt(r)", .minimum = 0});
    v("dropout_rate", dropout, {.help = "LoRA: dropout of its input", .minimum = 0, .maximum = 1});
    v("backbone", backbone,
      {.help = "LoRA: table of block lists", .no_effect = "follows from the number of blocks"});
    v("eval_only", eval_only, {.help = "LoRA: no training", .no_effect = "the verb says it"});
  }
};

struct InputOptions {
  std::array<std::int64_t, 2> train_size = {384, 128}; // height, width
  std::array<std::int64_t, 2> test_size = {384, 128};
  std::array<std::int64_t, 2> merged_size = {0, 0}; // 0: as the first set
  double flip_probability = 0.5;
  double erasing_probability = 0.5;
  std::array<double, 3> pixel_mean = {0.485, 0.456, 0.406}; // red, green, blue, of values in [0, 1]
  std::array<double, 3> pixel_std = {0.229, 0.224, 0.225};
  std::int64_t padding = 10;

  const std::array<std::int64_t, 2>& second_size() const {
    return merged_size[0] > 0 ? merged_size : train_size;
  }

  template <class V>
  void visit(V& v) {
    v("SIZE_TRAIN", train_size,
      {.help = "height and width of training images", .minimum = 1, .maximum = 4096});
    v("SIZE_TEST", test_size, {.help = "height and width of test images", .minimum = 1, .maximum = 4096});
    v("SIZE_MERGED", merged_size,
      {.help = "height and width of training images of the set in DATASETS.MERGED when sets take turns; "
               "[0, 0]: SIZE_TRAIN (our key)",
       .minimum = 0,
       .maximum = 4096});
    v("PROB", flip_probability, {.help = "probability of a horizontal flip", .minimum = 0, .maximum = 1});
    v("RE_PROB", erasing_probability, {.help = "probability of random erasing", .minimum = 0, .maximum = 1});
    v("PIXEL_MEAN", pixel_mean, {"subtracted from pixels in [0, 1]"});
    v("PIXEL_STD", pixel_std, {.help = "then divided by", .minimum = 1e-6});
    v("PADDING", padding,
      {.help = "zeros around the image before the random crop", .minimum = 0, .maximum = 1024});
  }
};

struct DatasetSelection {
  std::string name = "market1501";
  std::string root = "../data";
  std::string merged, test;
  bool alternates = false;

  template <class V>
  void visit(V& v) {
    v("NAMES", name, {"dataset ('vlreid list datasets' prints them); one name"});
    v("ROOT_DIR", root, {"folder that holds it"});
    v("MERGED", merged,
      {"second dataset whose training images are added, as identities of their own (our key)"});
    v("ALTERNATE", alternates,
      {"batches of the set in NAMES and of the one in MERGED take turns instead of being mixed (our key)"});
    v("TEST", test, {"dataset to score on while training; empty: the one in NAMES (our key)"});
  }
};

struct DataloaderOptions {
  std::int64_t workers = 8;
  std::string sampler = "softmax";
  std::int64_t images_per_identity = 16;

  template <class V>
  void visit(V& v) {
    v("NUM_WORKERS", workers, {.help = "decoding threads", .minimum = 0, .maximum = 1024});
    v("SAMPLER", sampler, {.help = "order of training images", .choices = "softmax|softmax_triplet|triplet"});
    v("NUM_INSTANCE", images_per_identity,
      {.help = "images of one identity in a batch", .minimum = 1, .maximum = 4096});
  }
};

// What stage 1 (learning the words) has, and every stage shares.
struct StageOptions {
  std::int64_t batch_size = 64;
  std::string optimizer = "Adam";
  std::int64_t max_epochs = 100;
  double learning_rate = 3e-4;
  double momentum = 0.9;
  double weight_decay = 0.0005;
  double bias_weight_decay = 0.0005;
  double warmup_factor = 0.01;
  std::int64_t warmup_epochs = 5;
  double warmup_start_rate = 0.01;
  double minimum_rate = 0.000016;
  std::int64_t warmup_iterations = 500;
  std::string warmup_method = "linear";
  std::int64_t checkpoint_period = 10;
  std::int64_t log_period = 100;
  std::int64_t eval_period = 10;
  double cosine_margin = 0.5;
  double cosine_scale = 30;

  template <class V>
  void visit(V& v) {
    v("IMS_PER_BATCH", batch_size, {.help = "images per batch", .minimum = 1, .maximum = 1 << 20});
    v("OPTIMIZER_NAME", optimizer, {.help = "optimiser", .choices = "Adam|AdamW|SGD"});
    v("MAX_EPOCHS", max_epochs, {.help = "epochs", .minimum = 0, .maximum = 1e6});
    v("BASE_LR", learning_rate, {.help = "learning rate", .minimum = 0, .maximum = 1e3});
    v("MOMENTUM", momentum, {.help = "momentum of SGD", .minimum = 0, .maximum = 1});
    v("WEIGHT_DECAY", weight_decay, {.help = "weight decay", .minimum = 0, .maximum = 1e3});
    v("WEIGHT_DECAY_BIAS", bias_weight_decay,
      {.help = "weight decay of biases", .minimum = 0, .maximum = 1e3});
    v("WARMUP_FACTOR", warmup_factor,
      {.help = "first factor of a multi-step warm-up", .minimum = 0, .maximum = 1});
    v("WARMUP_EPOCHS", warmup_epochs, {.help = "warm-up epochs of the cosine", .minimum = 0, .maximum = 1e6});
    v("WARMUP_LR_INIT", warmup_start_rate,
      {.help = "first rate of the cosine's warm-up", .minimum = 0, .maximum = 1e3});
    v("LR_MIN", minimum_rate, {.help = "last rate of the cosine", .minimum = 0, .maximum = 1e3});
    v("WARMUP_ITERS", warmup_iterations,
      {.help = "warm-up epochs of the multi-step schedule", .minimum = 0, .maximum = 1e6});
    v("WARMUP_METHOD", warmup_method, {.help = "warm-up", .choices = "linear|constant"});
    v("CHECKPOINT_PERIOD", checkpoint_period, {.help = "epochs between checkpoints", .minimum = 1});
    v("LOG_PERIOD", log_period, {.help = "iterations between log lines", .minimum = 1});
    v("EVAL_PERIOD", eval_period, {.help = "epochs between evaluations", .minimum = 1});
    v("COSINE_MARGIN", cosine_margin,
      {.help = "margin", .no_effect = "for a loss that the references do not have"});
    v("COSINE_SCALE", cosine_scale,
      {.help = "scale", .no_effect = "for a loss that the references do not have"});
  }
};

// Stage 2 (tuning the image encoder), and the only stage of a one-stage run.
struct TuningOptions : StageOptions {
  double bias_rate_factor = 1;
  std::vector<std::int64_t> steps = {40, 70};
  double gamma = 0.1;
  bool large_classifier_rate = false;
  double center_learning_rate = 0.5;
  double center_loss_weight = 0.0005;

  template <class V>
  void visit(V& v) {
    StageOptions::visit(v);
    v("BIAS_LR_FACTOR", bias_rate_factor,
      {.help = "factor of the learning rate of biases", .minimum = 0, .maximum = 1e3});
    v("STEPS", steps,
      {.help = "epochs from which the rate is multiplied by GAMMA once more", .minimum = 0, .maximum = 1e6});
    v("GAMMA", gamma, {.help = "factor at each of STEPS", .minimum = 0, .maximum = 1});
    v("LARGE_FC_LR", large_classifier_rate, {"twice the rate for classifiers"});
    v("CENTER_LR", center_learning_rate, {.help = "learning rate of the centers (SGD)", .minimum = 0});
    v("CENTER_LOSS_WEIGHT", center_loss_weight, {.help = "weight of the center loss", .minimum = 0});
  }
};

struct SolverOptions {
  std::int64_t seed = 1234;
  double margin = 0.3;
  TuningOptions single; // one-stage files: SOLVER.BASE_LR, ...
  StageOptions stage1;  // two-stage files: SOLVER.STAGE1.BASE_LR, ...
  TuningOptions stage2;

  template <class V>
  void visit(V& v) {
    v("SEED", seed, {.help = "seed of everything random", .minimum = 0});
    v("MARGIN", margin, {.help = "margin of the triplet loss", .minimum = 0});
    single.visit(v);
    v.section("STAGE1", stage1);
    v.section("STAGE2", stage2);
  }
};

// Contrastive pre-training on images and captions (our keys); its solver is SOLVER itself.
struct PretrainOptions {
  std::string captions, images;
  std::string split = "train", eval_split = "test";
  std::string positives = "identity";
  std::string sizes;

  template <class V>
  void visit(V& v) {
    v("CAPTIONS", captions, {"list of images and captions"});
    v("IMAGES", images, {"folder that its paths begin in; empty: beside the list"});
    v("SPLIT", split, {.help = "part of the list to train on", .choices = "train|val|test|all"});
    v("EVAL_SPLIT", eval_split,
      {.help = "part that is scored every EVAL_PERIOD", .choices = "train|val|test|all|none"});
    v("POSITIVES", positives,
      {.help = "what an image's sentence belongs to: all images of its identity, or this image alone",
       .choices = "identity|image"});
    v("SIZES", sizes, {"YAML file of the sizes of a CLIP from scratch; empty: start from weights"});
  }
};

struct TestOptions {
  std::int64_t batch_size = 128;
  std::string weight;
  std::string neck_feature = "after";
  std::string feature_norm = "yes";
  bool rerank = false;
  std::string distance_file = "dist_mat.npy";
  bool eval = false;

  // COMPAT: the references test the string itself, so every text but the empty one means yes ('no' included).
  bool normalise_features() const { return !feature_norm.empty(); }
  // concat(feature, proj) as it leaves the encoder, or each through its BNNeck.
  bool uses_neck() const { return neck_feature == "after"; }

  template <class V>
  void visit(V& v) {
    v("IMS_PER_BATCH", batch_size, {.help = "images per batch", .minimum = 1, .maximum = 1 << 20});
    v("WEIGHT", weight, {"weights to test"});
    v("NECK_FEAT", neck_feature, {.help = "embedding before or after the BNNeck", .choices = "before|after"});
    v("FEAT_NORM", feature_norm,
      {"normalise embeddings; as in the references any text but '' means yes, also 'no'"});
    v("RE_RANKING", rerank, {"re-rank with k1 50, k2 15, lambda 0.3 (never read by the references)"});
    v("DIST_MAT", distance_file,
      {.help = "file of the distances", .no_effect = "no distance matrix is made"});
    v("EVAL", eval, {.help = "evaluate", .no_effect = "the verb says it"});
  }
};

} // namespace vlreid
