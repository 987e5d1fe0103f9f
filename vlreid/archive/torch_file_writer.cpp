#include "vlreid/archive/writers.h"

#include "vlreid/base/error.h"

#include <array>
#include <limits>
#include <string_view>
#include <utility>

namespace vlreid {
namespace {

constexpr std::string_view kRoot = "archive"; // the name of the folder inside; torch.load accepts any

std::string_view storage_class(Dtype dtype) {
  // In the order of the enumerators.
  constexpr std::array<std::string_view, 10> kClasses{
      "DoubleStorage", "FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage",
      "IntStorage",    "ShortStorage", "CharStorage", "ByteStorage",     "BoolStorage"};
  return kClasses.at(static_cast<std::size_t>(dtype));
}

// The few opcodes of protocol 2 that a state dict needs; nothing is memoised, which costs some bytes and
// keeps it plain.
class PickleWriter {
public:
  PickleWriter() { out_ = "\x80\x02"; }

  void global(std::string_view module, std::string_view name) {
    out_.append("c").append(module).append("\n").append(name).append("\n");
  }

  void text(std::string_view value) {
    out_ += 'X';
    little(value.size(), 4);
    out_ += value;
  }

  void integer(std::uint64_t value) {
    const bool fits = value <= static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
    out_ += fits ? std::string_view("J") : std::string_view("\x8a\x08");
    little(value, fits ? 4 : 8);
  }

  void integers(const std::vector<std::int64_t>& values) {
    mark();
    for (const std::int64_t value : values)
      integer(static_cast<std::uint64_t>(value));
    tuple();
  }

  void empty_ordered_dict() {
    global("collections", "OrderedDict");
    out_ += ")R";
  }

  void mark() { out_ += '('; }
  void tuple() { out_ += 't'; }
  void persistent() { out_ += 'Q'; }
  void call() { out_ += 'R'; }
  void no() { out_ += '\x89'; }
  void set_items() { out_ += 'u'; }

  std::string finish() { return std::move(out_) + "."; }

private:
  void little(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i)
      out_ += static_cast<char>(value >> (8 * i));
  }

  std::string out_;
};

std::vector<std::int64_t> row_major_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * std::max<std::int64_t>(shape[i], 1);
  return strides;
}

// _rebuild_tensor_v2(storage, offset, sides, strides, requires_grad, backward_hooks)
void put_tensor(PickleWriter& out, const TensorPlan& tensor, std::size_t key) {
  out.text(tensor.name);
  out.global("torch._utils", "_rebuild_tensor_v2");
  out.mark();
  out.mark();
  out.text("storage");
  out.global("torch", storage_class(tensor.dtype));
  out.text(std::to_string(key));
  out.text("cpu");
  out.integer(tensor.size_bytes() / size_of(tensor.dtype));
  out.tuple();
  out.persistent();
  out.integer(0);
  out.integers(tensor.shape);
  out.integers(row_major_strides(tensor.shape));
  out.no();
  out.empty_ordered_dict();
  out.tuple();
  out.call();
}

std::string pickle_of(const std::vector<TensorPlan>& tensors) {
  PickleWriter out;
  out.empty_ordered_dict();
  out.mark();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    put_tensor(out, tensors[i], i);
  out.set_items();
  return out.finish();
}

std::string member(std::string_view name) {
  return std::string(kRoot) + "/" + std::string(name);
}

} // namespace

TorchFileWriter::TorchFileWriter(const std::filesystem::path& path, std::vector<TensorPlan> tensors)
    : file_(path), zip_(file_), tensors_(std::move(tensors)) {
  zip_.add(member("data.pkl"), pickle_of(tensors_));
  zip_.add(member("byteorder"), "little");
}

void TorchFileWriter::add(std::span<const std::byte> bytes) {
  VLREID_ASSERT(current_ < tensors_.size() && bytes.size() == tensors_[current_].size_bytes());
  zip_.add(member("data/" + std::to_string(current_)), bytes);
  ++current_;
}

void TorchFileWriter::commit() {
  VLREID_ASSERT(current_ == tensors_.size());
  zip_.add(member("version"), "3\n"); // of the zip form of torch.save
  zip_.finish();
  file_.commit();
}

} // namespace vlreid
