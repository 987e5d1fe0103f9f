// A disk that runs full, to be loaded in front of a program with LD_PRELOAD: from its Nth write on,
// everything that needs room below one folder fails with ENOSPC. A write that fails first is cut short, as
// file systems do it. Environment:
//
//     FULL_DISK_FOLDER  absolute path; standard output and error, and all files elsewhere, go on working
//     FULL_DISK_AT      the first write that fails, from 1; 0: none
//     FULL_DISK_KILLS   when set, the program is killed there instead
//     FULL_DISK_COUNT   file for the number of writes that the program made
//
// A write is a call of write, writev, pwrite, fwrite, fflush, fsync, fdatasync, or open for a file that is
// not there yet.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio_ext.h>
#include <string>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

std::atomic<long> writes{0};

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool is_below(const char* path) {
  static const char* folder = std::getenv("FULL_DISK_FOLDER");
  if (folder == nullptr) return false;
  const std::size_t length = std::strlen(folder);
  return std::strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

enum class Room { enough, some, none };

Room count_write() {
  static const char* text = std::getenv("FULL_DISK_AT");
  static const long first = text == nullptr ? 0 : std::atol(text);
  const long number = ++writes;
  if (first == 0 || number < first) return Room::enough;
  if (std::getenv("FULL_DISK_KILLS") != nullptr) raise(SIGKILL);
  errno = ENOSPC;
  return number == first ? Room::some : Room::none;
}

Room room_for(int descriptor) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = readlink(link.c_str(), path, sizeof path - 1);
  if (length <= 0) return Room::enough;
  path[length] = '\0';
  return is_below(path) ? count_write() : Room::enough;
}

// How much of a write is done; nothing: it fails.
std::size_t part(int descriptor, std::size_t size) {
  const Room room = room_for(descriptor);
  return room == Room::enough ? size : room == Room::some ? size / 2 : 0;
}

bool creates_without_room(const char* path, int flags) {
  if ((flags & O_CREAT) == 0 || access(path, F_OK) == 0) return false;
  std::string whole = path;
  char folder[PATH_MAX];
  if (path[0] != '/' && getcwd(folder, sizeof folder) != nullptr) whole = std::string(folder) + "/" + path;
  return is_below(whole.c_str()) && count_write() != Room::enough;
}

[[gnu::destructor]] void report() {
  const char* path = std::getenv("FULL_DISK_COUNT");
  if (path == nullptr) return;
  const std::string text = std::to_string(writes.load());
  const auto file = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  syscall(SYS_write, file, text.data(), text.size());
  syscall(SYS_close, file);
}

} // namespace

extern "C" {

// vlreid leaves by it, without destructors.
[[noreturn]] void _Exit(int code) {
  report();
  syscall(SYS_exit_group, code);
  __builtin_unreachable();
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  const size_t allowed = part(descriptor, size);
  if (allowed == 0 && size != 0) return -1;
  return next<decltype(::write)>("write")(descriptor, bytes, allowed);
}

ssize_t writev(int descriptor, const iovec* parts, int count) {
  if (room_for(descriptor) != Room::enough) return -1;
  return next<decltype(::writev)>("writev")(descriptor, parts, count);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  const size_t allowed = part(descriptor, size);
  if (allowed == 0 && size != 0) return -1;
  return next<decltype(::pwrite)>("pwrite")(descriptor, bytes, allowed, offset);
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off64_t offset) {
  return pwrite(descriptor, bytes, size, offset);
}

size_t fwrite(const void* bytes, size_t size, size_t count, FILE* stream) {
  if (room_for(fileno(stream)) != Room::enough) return 0;
  return next<decltype(::fwrite)>("fwrite")(bytes, size, count, stream);
}

int fflush(FILE* stream) {
  if (stream != nullptr && room_for(fileno(stream)) != Room::enough) {
    __fpurge(stream); // so that it is not written after all when the program ends
    errno = ENOSPC;
    return EOF;
  }
  return next<decltype(::fflush)>("fflush")(stream);
}

int fsync(int descriptor) {
  if (room_for(descriptor) != Room::enough) return -1;
  return next<decltype(::fsync)>("fsync")(descriptor);
}

int fdatasync(int descriptor) {
  if (room_for(descriptor) != Room::enough) return -1;
  return next<decltype(::fdatasync)>("fdatasync")(descriptor);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  if (creates_without_room(path, flags)) return -1;
  return next<int(const char*, int, ...)>("open")(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  if (creates_without_room(path, flags)) return -1;
  return next<int(const char*, int, ...)>("open64")(path, flags, mode);
}
}
