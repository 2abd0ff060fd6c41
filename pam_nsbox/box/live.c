#include "live.h"
#include "kernel.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>

/* Of the 63 bits of an offset scopes have the lower half and boxes the upper one. */
#define BOX_KEYS  (INT64_C(1) << 62)
#define LAST_KEY  INT64_MAX

#define MAX_TRIES 5

int live_open(void)
{
	cleanup_fd int dir = -1;
	struct stat st;

	dir = open(LIVE_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT) {
		if (mkdir(LIVE_DIRECTORY, 0700) < 0 && errno != EEXIST)
			return -errno;
		dir = open(LIVE_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (dir < 0 || fstat(dir, &st) < 0)
		return -errno;
	if (st.st_uid != 0 || (st.st_mode & 077) != 0)
		return -EPERM;
	return take_fd(&dir);
}

/* FNV-1a: names are an administrator's, nobody gains by a collision, and a box that is found says who it is.
 */
static uint64_t hash(uint64_t seed, const char *text)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return value;
}

int64_t live_box_key(const char *id)
{
	return (int64_t)(hash(0, id) % (uint64_t)(LAST_KEY - BOX_KEYS)) + BOX_KEYS;
}

int64_t live_scope_key(enum scope scope, const char *name, const struct live_place *place)
{
	char prefix[80];

	snprintf(prefix, sizeof(prefix), "%d %llu %llu %d %u ", (int)scope, (unsigned long long)place->mount,
		(unsigned long long)place->pid, place->without_pid, place->uid);
	return (int64_t)(hash(hash(0, prefix), name) % (uint64_t)BOX_KEYS);
}

static struct flock byte_lock(short type, int64_t start)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = 1};
}

int live_find(int dir, int64_t scope_key)
{
	struct flock lock = byte_lock(F_WRLCK, scope_key); /* conflicts with everybody's read lock */

	if (fcntl(dir, F_GETLK, &lock) < 0)
		return -errno;
	if (lock.l_type == F_UNLCK)
		return -ENOENT;
	return lock.l_pid > 0 ? lock.l_pid : -EXDEV;
}

/* A read lock does not keep another reader away, so the look and the lock are made one by flock(2). It is
 * held for three system calls; nobody who holds it can be made to wait by a user.
 */
static int claim(int dir, int64_t scope_key)
{
	struct flock scope = byte_lock(F_RDLCK, scope_key);
	int result = 0;

	if (flock(dir, LOCK_EX) < 0)
		return -errno;
	if (live_find(dir, scope_key) != -ENOENT)
		result = -EEXIST;
	else if (fcntl(dir, F_SETLK, &scope) < 0)
		result = -errno;
	flock(dir, LOCK_UN);
	return result;
}

int live_register(int dir, int64_t scope_key, int own, int64_t box_key)
{
	struct flock box = byte_lock(F_RDLCK, box_key);
	int result = scope_key < 0 ? 0 : claim(dir, scope_key);

	if (result < 0)
		return result;
	return fcntl(own, F_SETLK, &box) < 0 ? -errno : 0;
}

/* Reads the beginning of a file of /proc/pid. -ENOENT: it is not there (any more). */
static int read_about(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	cleanup_fd int fd = -1;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (length < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	buf[length] = '\0';
	return 0;
}

/* Whether it is called so, and root's by its real user: no user's that is any other program. What the caller is not shown (hidepid
 * in proc(5), a security module) is none.
 */
static int is_called_init(pid_t pid, char *status, size_t size)
{
	int result = read_about(pid, "comm", status, size);

	if (result == 0 && strcmp(status, INIT_NAME "\n") != 0)
		return 0;
	if (result == 0)
		result = read_about(pid, "status", status, size);
	if (result == 0)
		return strstr(status, "\nUid:\t0\t") != NULL;
	return result == -EACCES || result == -EPERM ? 0 : result;
}

/* A process that ends gives its descriptors back first. PID 1 of a namespace then waits for all others there to be reaped
 * (zap_pid_ns_processes() in kernel/pid_namespace.c), by parents that may stand outside.
 */
static bool waits_for_others(const char *status)
{
	const char *numbers = strstr(status, "\nNSpid:"), *end = numbers ? strchr(numbers + 1, '\n') : NULL;

	return strstr(status, "\nFDSize:\t0\n") && !strstr(status, "\nState:\tZ") && end &&
	       strncmp(end - 2, "\t1", 2) == 0;
}

/* Whether INIT_FD_REGISTRY of the process is the register, and none that anybody may have (O_PATH): root has opened it. The process
 * may be a user's that only looks like a box's, and the descriptor anything of his. So the kernel is asked first, by
 * readlink(2), whether the caller may look; what statx(2) says when it fails can be the word of a user's file system, and is not
 * believed; and fdinfo, of which each kind of file says what it likes, is not read of any other (epoll waits for its lock there).
 */
static int has_register(pid_t pid, int dir)
{
	char text[4096], path[64];
	unsigned int flags = O_PATH;
	const char *line;
	struct stat own;
	struct statx its;
	int result;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, INIT_FD_REGISTRY);
	if (readlink(path, text, sizeof(text)) < 0) {
		/* also of a process that ended since its descriptor was found (proc_fd_access_allowed() in fs/proc/base.c) */
		if (errno == EACCES)
			errno = kill(pid, 0) < 0 && errno == ESRCH ? ENOENT : EPERM;
		return -errno;
	}
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &its) < 0 || fstat(dir, &own) < 0 ||
		its.stx_ino != own.st_ino || makedev(its.stx_dev_major, its.stx_dev_minor) != own.st_dev)
		return 0;
	snprintf(path, sizeof(path), "fdinfo/%d", INIT_FD_REGISTRY);
	result = read_about(pid, path, text, sizeof(text));
	if (result < 0)
		return result;
	line = strstr(text, "flags:");
	return line && sscanf(line, "flags: %o", &flags) == 1 && !(flags & O_PATH);
}

int64_t live_box_of(int dir, pid_t pid)
{
	char text[4096], path[32];
	const char *line;
	long long key;
	int result = is_called_init(pid, text, sizeof(text));

	if (result > 0 && waits_for_others(text))
		return -EOWNERDEAD;
	if (result > 0)
		result = has_register(pid, dir);
	if (result <= 0)
		return result == 0 ? -ENOENT : result;
	snprintf(path, sizeof(path), "fdinfo/%d", INIT_FD_STORE);
	result = read_about(pid, path, text, sizeof(text));
	if (result < 0)
		return result;
	line = strstr(text, "\nlock:");
	if (!line || sscanf(line, "\nlock: %*d: POSIX ADVISORY READ %*d %*x:%*x:%*u %lld", &key) != 1)
		return -ENOENT;
	return key;
}

int live_each(int dir, int (*visit)(pid_t pid, int64_t box_key, void *data), void *data)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char self[16] = "";
	int result = 0;

	if (!proc)
		return -errno;
	/* Where it is another PID namespace's, its numbers are others' here. */
	if (readlinkat(dirfd(proc), "self", self, sizeof(self) - 1) < 0 || atoi(self) != getpid())
		result = -ESRCH;
	while (result == 0 && (errno = 0, entry = readdir(proc))) {
		int pid = atoi(entry->d_name);
		int64_t key = pid > 0 ? live_box_of(dir, pid) : -ENOENT;

		if (key >= 0 || key == -EOWNERDEAD)
			result = visit(pid, key, data);
		else if (key != -ENOENT)
			result = (int)key;
	}
	if (result == 0)
		result = -errno; /* of readdir(3) */
	closedir(proc);
	return result;
}

int live_connect(pid_t pid, int flags)
{
	const struct timeval timeout = {.tv_sec = LIVE_TIMEOUT_MS / 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t size = sizeof(peer);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/%d/cwd/" LEASE_SOCKET, (int)pid);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* The process that was registered may be gone, and its number some user's, with a socket of that name. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	if (peer.uid != 0 || peer.pid != pid)
		return -ENOENT;
	return take_fd(&fd);
}

int live_send(int connection, const struct lease_request *request, int pidfd)
{
	struct iovec data = {.iov_base = (void *)(uintptr_t)request, .iov_len = sizeof(*request)};
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.align = {.cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS}};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

	if (pidfd >= 0) {
		memcpy(CMSG_DATA(&control.align), &pidfd, sizeof(pidfd));
		message.msg_control = control.buffer;
		message.msg_controllen = sizeof(control.buffer);
	}
	return sendmsg(connection, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A handler of the caller's may interrupt it any number of times. */
int live_wait(int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	struct timespec start, now;
	int64_t left = LIVE_TIMEOUT_MS;
	int result;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while ((result = poll(&readable, 1, (int)left)) < 0 && errno == EINTR) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = LIVE_TIMEOUT_MS - (now.tv_sec - start.tv_sec) * 1000 -
		       (now.tv_nsec - start.tv_nsec) / 1000000;
		if (left < 0)
			left = 0;
	}
	return result < 0 ? -errno : result == 0 ? -ETIMEDOUT : 0;
}

int live_receive(int connection, struct lease_reply *reply)
{
	ssize_t size = -1;

	memset(reply, 0, sizeof(*reply)); /* an older nsbox-init may say less */
	/* An answer that could not be read stays there. It may tell of a lease, which nobody would know of otherwise. */
	for (int i = 0; i < MAX_TRIES && size < 0; i++) {
		int result = live_wait(connection);

		if (result < 0)
			return result;
		size = recv(connection, reply, sizeof(*reply), MSG_DONTWAIT);
	}
	return size > 0 ? 0 : size < 0 ? -errno : -ECONNRESET;
}

/* The pidfd is opened first: who answers afterwards under that number has had it all the time. */
int live_ask(pid_t pid, const struct lease_request *request, int lease_holder, int *connection, int *self)
{
	*self = raise_fd(sys_pidfd_open(pid));
	if (*self >= 0 && *connection < 0)
		*connection = live_connect(pid, 0);
	/* As many wait as may, for a box that does not answer; to look again would be to wait again. */
	if (*connection == -EAGAIN)
		return -ETIMEDOUT;
	return *self < 0 || *connection < 0 || live_send(*connection, request, lease_holder) < 0 ? -ENOENT
												 : 0;
}
