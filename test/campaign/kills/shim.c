/*
 * Strikes a process in its n-th change of the files below a directory, as the C library sees it (LD_PRELOAD):
 *   SHIM_DIRECTORY  the directory; other files are left alone
 *   SHIM_AT         n, from 1; without it the changes are only counted
 *   SHIM_MODE       before, within (half of a write) or after: the process is killed there; error: the change fails with SHIM_ERRNO
 *   SHIM_COUNT      a file that is given the number of changes when the process ends by itself
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { BEFORE, WITHIN, AFTER, ERROR };

static char directory[4096];
static size_t directory_length;
static long strike_at = -1;
static enum mode mode = BEFORE;
static int error_number = EIO;
static atomic_long changes;

/* Descriptors of files below the directory. */
static _Atomic unsigned char watched[65536];

__attribute__((constructor)) static void begin(void) {
  const char *text;
  if ((text = getenv("SHIM_DIRECTORY"))) {
    snprintf(directory, sizeof directory, "%s", text);
    directory_length = strlen(directory);
  }
  if ((text = getenv("SHIM_AT"))) strike_at = atol(text);
  if ((text = getenv("SHIM_ERRNO"))) error_number = atoi(text);
  if ((text = getenv("SHIM_MODE")))
    mode = !strcmp(text, "within") ? WITHIN : !strcmp(text, "after") ? AFTER : !strcmp(text, "error") ? ERROR : BEFORE;
}

__attribute__((destructor)) static void end(void) {
  const char *file = getenv("SHIM_COUNT");
  if (!file) return;
  int fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  char text[32];
  int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&changes));
  syscall(SYS_write, fd, text, length);
  syscall(SYS_close, fd);
}

static int is_below(const char *path) {
  return path && directory_length && !strncmp(path, directory, directory_length) && path[directory_length] == '/';
}

static int is_watched(int fd) { return fd >= 0 && fd < 65536 && atomic_load(&watched[fd]); }

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

/* Counts a change, and whether it is the one. */
static int is_struck(void) { return atomic_fetch_add(&changes, 1) + 1 == strike_at; }

/* A change that is done whole or not at all. */
#define CHANGE(concerned, call)                  \
  do {                                           \
    if (!(concerned) || !is_struck()) return call; \
    if (mode == ERROR) {                         \
      errno = error_number;                      \
      return -1;                                 \
    }                                            \
    if (mode != AFTER) die();                    \
    call;                                        \
    die();                                       \
    return -1;                                   \
  } while (0)

static int open_there(int at, const char *path, int flags, mode_t permissions) {
  int below = is_below(path);
  struct stat status;
  int makes = below && (((flags & O_CREAT) && stat(path, &status) != 0) || (flags & O_TRUNC));
  int struck = makes && is_struck();
  if (struck && mode == ERROR) {
    errno = error_number;
    return -1;
  }
  if (struck && mode != AFTER) die();
  int fd = syscall(SYS_openat, at, path, flags, permissions);
  if (struck) die();
  if (fd >= 0 && fd < 65536) atomic_store(&watched[fd], below);
  return fd;
}

#define PERMISSIONS                            \
  mode_t permissions = 0;                      \
  if (flags & (O_CREAT | O_TMPFILE)) {         \
    va_list rest;                              \
    va_start(rest, flags);                     \
    permissions = va_arg(rest, mode_t);        \
    va_end(rest);                              \
  }

int open(const char *path, int flags, ...) { PERMISSIONS return open_there(AT_FDCWD, path, flags, permissions); }
int open64(const char *path, int flags, ...) { PERMISSIONS return open_there(AT_FDCWD, path, flags, permissions); }
int openat(int at, const char *path, int flags, ...) { PERMISSIONS return open_there(at, path, flags, permissions); }
int openat64(int at, const char *path, int flags, ...) { PERMISSIONS return open_there(at, path, flags, permissions); }

/* A write may be half done. Without a place it goes where the file is. */
static ssize_t put(int fd, const void *bytes, size_t count, off_t at, int placed) {
#define PUT(n) (placed ? syscall(SYS_pwrite64, fd, bytes, n, at) : syscall(SYS_write, fd, bytes, n))
  if (!is_watched(fd) || !is_struck()) return PUT(count);
  if (mode == ERROR) {
    errno = error_number;
    return -1;
  }
  if (mode == WITHIN) PUT(count / 2);
  if (mode == AFTER) PUT(count);
  die();
  return -1;
}

ssize_t write(int fd, const void *bytes, size_t count) { return put(fd, bytes, count, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return put(fd, bytes, count, at, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) { return put(fd, bytes, count, at, 1); }

/* Of several pieces the first is written: a short write, which its caller goes on with. */
ssize_t writev(int fd, const struct iovec *pieces, int count) {
  if (!is_watched(fd) || count == 0) return syscall(SYS_writev, fd, pieces, count);
  return put(fd, pieces[0].iov_base, pieces[0].iov_len, 0, 0);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) {
  if (!is_watched(fd) || count == 0) return syscall(SYS_pwritev, fd, pieces, count, (long)at, 0L);
  return put(fd, pieces[0].iov_base, pieces[0].iov_len, at, 1);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t at) { return pwritev(fd, pieces, count, at); }

int fsync(int fd) { CHANGE(is_watched(fd), syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { CHANGE(is_watched(fd), syscall(SYS_fdatasync, fd)); }
int rename(const char *from, const char *to) { CHANGE(is_below(to), syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to)); }
int link(const char *from, const char *to) { CHANGE(is_below(to), syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0)); }
int unlink(const char *path) { CHANGE(is_below(path), syscall(SYS_unlinkat, AT_FDCWD, path, 0)); }
int rmdir(const char *path) { CHANGE(is_below(path), syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR)); }
int mkdir(const char *path, mode_t permissions) { CHANGE(is_below(path), syscall(SYS_mkdirat, AT_FDCWD, path, permissions)); }
int ftruncate(int fd, off_t length) { CHANGE(is_watched(fd), syscall(SYS_ftruncate, fd, length)); }
int ftruncate64(int fd, off_t length) { CHANGE(is_watched(fd), syscall(SYS_ftruncate, fd, length)); }
