/* Writes down, in one order, what the broker's process does to its journal's file and what it says
 * and hears on its sockets; lets the n-th write or sync of that file fail on demand.
 *
 * Preloaded (LD_PRELOAD) into every process of a run, it does nothing except in the broker's.  It
 * changes no call but the one that is told to fail.  The log's records are read by log.py: `struct
 * head` and the kinds must agree with it.
 *
 *   SHIM_LOG    a folder: one log a broker, named by the clock so that they sort
 *   SHIM_FAULT  write|sync : n : errno : once|lasting   (a lasting one ends when SHIM_ROOM exists)
 *   SHIM_MARK   this file is made when the fault strikes; one that is once strikes once a run
 *   SHIM_ROOM   see SHIM_FAULT
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPENED = 1, WRITING, WRITTEN, SYNCING, SYNCED, TRUNCATED, RENAMED, FOLDER_SYNCED, ACCEPTED,
       CLOSED, RECEIVED, SENDING, SENT, MAP_SYNCED };
enum { FILES = 4096, DATA = 1, SOCKET = 2, DIRECT = 1 /* O_DSYNC: synced when it returns */ };

struct head {
    uint32_t kind;
    int32_t fd;
    int64_t offset;
    int64_t result;
    uint64_t at_ns;
    uint32_t flags;
    uint32_t length;
};

static int log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char what[FILES]; /* of each descriptor: DATA, SOCKET or nothing of ours */
static unsigned char direct[FILES];
static struct { char call[8]; long at; int number; int lasting; const char *mark, *room; } fault;
static long calls[2]; /* writes, syncs */

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static ssize_t real_writev(int fd, const struct iovec *v, int n) {
    REAL(writev);
    return real(fd, v, n);
}

static int is(int fd, int kind) { return log_fd >= 0 && fd >= 0 && fd < FILES && what[fd] == kind; }

static void put(int kind, int fd, int64_t offset, int64_t result, const struct iovec *v, int n) {
    int kept = errno;
    struct timespec now;
    struct iovec all[n + 1];
    struct head head = {kind, fd, offset, result, 0, 0, 0};
    size_t size = sizeof head;
    clock_gettime(CLOCK_MONOTONIC, &now);
    head.at_ns = now.tv_sec * 1000000000ull + now.tv_nsec;
    head.flags = fd >= 0 && fd < FILES && direct[fd] ? DIRECT : 0;
    for (int i = 0; i < n; i++) {
        all[i + 1] = v[i];
        head.length += v[i].iov_len;
    }
    size += head.length;
    all[0].iov_base = &head;
    all[0].iov_len = sizeof head;
    pthread_mutex_lock(&lock);
    if (real_writev(log_fd, all, n + 1) != (ssize_t)size) {
        static const char said[] = "the log of the journal's writes cannot be written\n";
        if (write(2, said, sizeof said - 1) < 0) { /* nothing more can be done */ }
        abort();
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
}

static void put1(int kind, int fd, int64_t offset, int64_t result, const void *data, size_t n) {
    struct iovec v = {(void *)data, n};
    put(kind, fd, offset, result, &v, 1);
}

static int is_broker(void) {
    static char line[1 << 16];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0) close(fd);
    for (ssize_t at = 0; at < size; at += strlen(line + at) + 1)
        if (!strcmp(line + at, "scoop_ft.broker")) return 1;
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("SHIM_LOG"), *wanted = getenv("SHIM_FAULT");
    char path[4096], how[16] = "";
    struct timespec now;
    if (!folder || !is_broker()) return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(path, sizeof path, "%s/%012ld.%09ld.%d", folder, (long)now.tv_sec, now.tv_nsec, getpid());
    log_fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) {
        perror(path);
        abort();
    }
    if (wanted) {
        if (sscanf(wanted, "%7[a-z]:%ld:%d:%15[a-z]", fault.call, &fault.at, &fault.number, how) != 4)
            abort();
        fault.lasting = !strcmp(how, "lasting");
        fault.mark = getenv("SHIM_MARK");
        fault.room = getenv("SHIM_ROOM");
    }
}

/* The error with which this call has to fail; 0 for none. */
static int fails(int sync) {
    long n = ++calls[sync];
    if (!fault.at || strcmp(fault.call, sync ? "sync" : "write")) return 0;
    if (fault.lasting) {
        if (fault.room && !access(fault.room, F_OK)) return 0;
        if (n < fault.at && access(fault.mark, F_OK)) return 0;
    } else if (n != fault.at || !access(fault.mark, F_OK)) {
        return 0;
    }
    int fd = open(fault.mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    return fault.number;
}

/* ---- the journal's file ----------------------------------------------------------------------- */

static void opened(int fd, const char *path, int flags) {
    static const char name[] = "/data.mdb";
    size_t size = strlen(path), tail = sizeof name - 1;
    struct stat status;
    if (fd < 0 || fd >= FILES || log_fd < 0 || size < tail || strcmp(path + size - tail, name)) return;
    if ((flags & O_ACCMODE) == O_RDONLY || fstat(fd, &status)) return;
    what[fd] = DATA;
    direct[fd] = (flags & O_DSYNC) != 0;
    /* What is in it now: the path's length stands in `offset`, the file follows the path. */
    char *now = malloc(status.st_size + 1);
    int again = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = again < 0 || !now ? -1 : pread(again, now, status.st_size, 0);
    int error = got == status.st_size ? 0 : errno;
    if (again >= 0) close(again);
    struct iovec v[2] = {{(void *)path, size}, {now, error ? 0 : got}};
    put(OPENED, fd, size, -error, v, 2);
    free(now);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        int fd = real(path, flags, mode); \
        opened(fd, path, flags); \
        return fd; \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    REAL(close);
    if (is(fd, DATA) || is(fd, SOCKET)) {
        put(CLOSED, fd, 0, 0, 0, 0);
        what[fd] = direct[fd] = 0;
    }
    return real(fd);
}

#define STORED(fd, offset, v, n, call) \
    do { \
        if (!is(fd, DATA)) return call; \
        off_t at = offset; \
        put(WRITING, fd, at, 0, v, n); \
        int error = fails(0); \
        ssize_t done = error ? -1 : call; \
        if (error) errno = error; \
        put(WRITTEN, fd, at, done < 0 ? -errno : done, 0, 0); \
        return done; \
    } while (0)

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    REAL(pwrite);
    struct iovec v = {(void *)data, size};
    STORED(fd, offset, &v, 1, real(fd, data, size, offset));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    REAL(pwrite64);
    struct iovec v = {(void *)data, size};
    STORED(fd, offset, &v, 1, real(fd, data, size, offset));
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t offset) {
    REAL(pwritev);
    STORED(fd, offset, v, n, real(fd, v, n, offset));
}

ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t offset) {
    REAL(pwritev64);
    STORED(fd, offset, v, n, real(fd, v, n, offset));
}

ssize_t writev(int fd, const struct iovec *v, int n) {
    REAL(writev);
    STORED(fd, lseek(fd, 0, SEEK_CUR), v, n, real(fd, v, n));
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    struct iovec v = {(void *)data, size};
    STORED(fd, lseek(fd, 0, SEEK_CUR), &v, 1, real(fd, data, size));
}

#define SYNC(name) \
    int name(int fd) { \
        REAL(name); \
        if (!is(fd, DATA)) { \
            char link[64], path[4096]; \
            int done = real(fd); \
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd); \
            ssize_t size = log_fd < 0 ? -1 : readlink(link, path, sizeof path); \
            if (size > 0) put1(FOLDER_SYNCED, fd, 0, done < 0 ? -errno : 0, path, size); \
            return done; \
        } \
        put(SYNCING, fd, 0, 0, 0, 0); \
        int error = fails(1), done = error ? -1 : real(fd); \
        if (error) errno = error; \
        put(SYNCED, fd, 0, done < 0 ? -errno : 0, 0, 0); \
        return done; \
    }
SYNC(fsync)
SYNC(fdatasync)

int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    int done = real(fd, size);
    if (is(fd, DATA)) put(TRUNCATED, fd, size, done < 0 ? -errno : 0, 0, 0);
    return done;
}

int msync(void *start, size_t size, int flags) {
    REAL(msync);
    int done = real(start, size, flags);
    if (log_fd >= 0) put(MAP_SYNCED, -1, 0, done < 0 ? -errno : 0, 0, 0);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    struct iovec v[2] = {{(void *)from, strlen(from)}, {(void *)to, strlen(to)}};
    if (log_fd >= 0) put(RENAMED, -1, strlen(from), 0, v, 2);
    return real(from, to);
}

/* ---- the sockets ------------------------------------------------------------------------------ */

static int accepted(int fd) {
    if (log_fd >= 0 && fd >= 0 && fd < FILES) {
        what[fd] = SOCKET;
        put(ACCEPTED, fd, 0, 0, 0, 0);
    }
    return fd;
}

int accept(int fd, struct sockaddr *address, socklen_t *size) {
    REAL(accept);
    return accepted(real(fd, address, size));
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
    REAL(accept4);
    return accepted(real(fd, address, size, flags));
}

ssize_t recv(int fd, void *data, size_t size, int flags) {
    REAL(recv);
    ssize_t got = real(fd, data, size, flags);
    if (got > 0 && is(fd, SOCKET)) put1(RECEIVED, fd, 0, got, data, got);
    return got;
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    REAL(send);
    if (!is(fd, SOCKET)) return real(fd, data, size, flags);
    put1(SENDING, fd, 0, 0, data, size);
    ssize_t done = real(fd, data, size, flags);
    put(SENT, fd, 0, done < 0 ? -errno : done, 0, 0);
    return done;
}
