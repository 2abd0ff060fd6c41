#include "live.h"
#include "kernel.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

/* Offsets are 63 bits wide: boxes in the upper half, so that they can be listed alone, scopes in the lower.
 */
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
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "%d %llu %llu %d ", (int)scope, (unsigned long long)place->mount,
		(unsigned long long)place->pid, place->without_pid);
	return (int64_t)(hash(hash(0, prefix), name) % (uint64_t)BOX_KEYS);
}

static struct flock byte_lock(short type, int64_t start, int64_t length)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

/* Whoever holds a lock on a byte of [start, start + length); *at becomes that byte. As live_find(). */
static int find_in(int dir, int64_t start, int64_t length, int64_t *at)
{
	struct flock lock = byte_lock(F_WRLCK, start, length); /* conflicts with everybody's read lock */

	if (fcntl(dir, F_GETLK, &lock) < 0)
		return -errno;
	if (lock.l_type == F_UNLCK)
		return -ENOENT;
	*at = lock.l_start;
	return lock.l_pid > 0 ? lock.l_pid : -EXDEV;
}

int live_find(int dir, int64_t key)
{
	return find_in(dir, key, 1, &key);
}

/* A read lock does not keep another reader away, so the look and the lock are made one by flock(2). It is
 * held for three system calls; nobody who holds it can be made to wait by a user.
 */
int live_register(int dir, int64_t box_key, int64_t scope_key)
{
	struct flock box = byte_lock(F_RDLCK, box_key, 1), scope = byte_lock(F_RDLCK, scope_key, 1);
	int result = 0;

	if (scope_key < 0)
		return fcntl(dir, F_SETLK, &box) < 0 ? -errno : 0;
	if (flock(dir, LOCK_EX) < 0)
		return -errno;
	if (live_find(dir, scope_key) != -ENOENT)
		result = -EEXIST;
	else if (fcntl(dir, F_SETLK, &scope) < 0 || fcntl(dir, F_SETLK, &box) < 0)
		result = -errno;
	flock(dir, LOCK_UN);
	return result;
}

/* F_GETLK tells of one lock in a range; what lies on either side of it is asked for next. The gaps that are
 * left to look at form a stack: each lock found takes one away and adds two.
 */
int live_each(int dir, int (*visit)(pid_t pid, void *data), void *data)
{
	struct {
		int64_t start, end; /* both included */
	} gaps[64], gap;
	int n_gaps = 1;

	gaps[0].start = BOX_KEYS;
	gaps[0].end = LAST_KEY - 1;
	while (n_gaps > 0) {
		int64_t at = 0;
		int result;

		gap = gaps[--n_gaps];
		result = find_in(dir, gap.start, gap.end - gap.start + 1, &at);
		if (result == -ENOENT)
			continue;
		if (result > 0)
			result = visit(result, data);
		else if (result == -EXDEV)
			result = 0;
		if (result != 0)
			return result;

		/* The smaller gap is looked at first: so 64 are more than 2^62 boxes can need. */
		int64_t below = at - gap.start, above = gap.end - at;
		bool small_is_below = below < above;

		for (int i = 0; i < 2; i++) {
			bool is_below = (i == 0) != small_is_below;

			if ((is_below ? below : above) == 0)
				continue;
			gaps[n_gaps].start = is_below ? gap.start : at + 1;
			gaps[n_gaps++].end = is_below ? at - 1 : gap.end;
		}
	}
	return 0;
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
