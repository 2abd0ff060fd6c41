/* Fuzzes nsbox-init with everything that can reach it, in any order: messages of root's and of others', with descriptors
 * and without, signals, ends of processes inside and outside, and time. The input is a sequence of them.
 *
 * It is the program itself, included, on a kernel that is played here: descriptors, epoll(7), processes and the clock.
 * The real one takes a millisecond an input for sockets alone; this one also knows what the program may never do, such as
 * lose a descriptor. tests/attacks/leases.t asks the real one.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../../pam_nsbox/init/lease.h"

/* --- the kernel --- */

/* It is not what is to be covered. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

enum kind {
	KIND_NONE,
	KIND_OTHER,
	KIND_SIGNALS,
	KIND_LISTEN,
	KIND_CLIENT,
	KIND_LEASE,
	KIND_PROCESS,
	KIND_STATUS
};

/* An open file description. Who else has it keeps it alive, and its epoll entry, when nsbox-init has closed it. */
struct file {
	enum kind kind;
	int n_descriptors;
	bool is_held; /* by somebody outside, too */
	bool is_ready;
	bool is_socket;
	bool sends_socket;
	bool has_hung_up;    /* a client who does not hear the answer */
	uint8_t uid;	     /* of a client */
	int n_sent;	     /* descriptors in his message */
	const uint8_t *data; /* his message, or what is to be read */
	size_t size;
	int process; /* that a pidfd is of */
};

struct watch {
	int fd;
	int file; /* 0: none */
	uint64_t data;
};

#define MAX_FILES     256
#define MAX_FDS	      20
#define MAX_WATCHES   24
#define MAX_PENDING   8
#define MAX_PROCESSES 6
#define FIRST_PID     2

static struct file files[MAX_FILES]; /* the first stands for nothing */
static int n_files;
static int fds[MAX_FDS]; /* of nsbox-init, each an index of files */
static int fd_limit;
static struct watch watches[MAX_WATCHES];
static int pending[MAX_PENDING], n_pending; /* connections that wait for accept(2) */
static struct signalfd_siginfo queue[MAX_PENDING];
static int n_queued;
static bool is_alive[MAX_PROCESSES]; /* the box's processes */
static bool is_listed;		     /* the directory has been read to its end */
static int64_t clock_ms;
static uint8_t choice; /* which of several events comes first */
static jmp_buf out;

static int new_file(enum kind kind)
{
	if (n_files == MAX_FILES)
		longjmp(out, 1);
	files[n_files] = (struct file){.kind = kind};
	return n_files++;
}

static int install(int file)
{
	for (int fd = 0; fd < fd_limit; fd++)
		if (fds[fd] == 0) {
			fds[fd] = file;
			files[file].n_descriptors++;
			return fd;
		}
	errno = EMFILE;
	return -1;
}

static struct file *file_of(int fd)
{
	FUZZ_ASSERT(fd >= 0 && fd < MAX_FDS && fds[fd] != 0);
	return &files[fds[fd]];
}

static int fake_close(int fd)
{
	struct file *file = file_of(fd);

	if (--file->n_descriptors == 0 && !file->is_held)
		for (int i = 0; i < MAX_WATCHES; i++)
			if (watches[i].file == fds[fd])
				watches[i].file = 0;
	fds[fd] = 0;
	return 0;
}

static int fake_dup2(int fd, int number)
{
	struct file *file = file_of(fd);

	if (fds[number] != 0)
		fake_close(number);
	fds[number] = fds[fd];
	file->n_descriptors++;
	return number;
}

static int fake_epoll_ctl(int waiting, int operation, int fd, struct epoll_event *event)
{
	struct watch *found = NULL, *unused = NULL;

	FUZZ_ASSERT(waiting == INIT_FD_WAITING);
	if (fd < 0 || fd >= MAX_FDS || fds[fd] == 0) {
		errno = EBADF;
		return -1;
	}
	for (int i = 0; i < MAX_WATCHES; i++)
		if (watches[i].file == 0)
			unused = &watches[i];
		else if (watches[i].file == fds[fd] && watches[i].fd == fd)
			found = &watches[i];
	if (operation == EPOLL_CTL_ADD && !found && unused) {
		*unused = (struct watch){fd, fds[fd], event->data.u64};
		return 0;
	}
	if (operation == EPOLL_CTL_MOD && found) {
		found->data = event->data.u64;
		return 0;
	}
	if (operation == EPOLL_CTL_DEL && found) {
		found->file = 0;
		return 0;
	}
	errno = found ? EEXIST : ENOENT;
	return -1;
}

static bool is_ready(const struct file *file)
{
	switch (file->kind) {
	case KIND_SIGNALS: return n_queued > 0;
	case KIND_LISTEN: return n_pending > 0;
	case KIND_CLIENT: return file->is_ready || file->has_hung_up;
	case KIND_PROCESS: return !is_alive[file->process];
	default: return file->is_ready;
	}
}

static int fake_epoll_wait(int waiting, struct epoll_event *event, int n, int timeout)
{
	FUZZ_ASSERT(waiting == INIT_FD_WAITING && n == 1);
	(void)timeout;
	for (int i = 0; i < MAX_WATCHES; i++) {
		const struct watch *watch = &watches[(i + choice) % MAX_WATCHES];

		if (watch->file != 0 && is_ready(&files[watch->file])) {
			*event = (struct epoll_event){.events = EPOLLIN, .data.u64 = watch->data};
			return 1;
		}
	}
	return 0;
}

static int fake_accept4(int fd)
{
	int accepted;

	FUZZ_ASSERT(file_of(fd)->kind == KIND_LISTEN);
	if (n_pending == 0) {
		errno = EAGAIN;
		return -1;
	}
	accepted = install(pending[0]);
	if (accepted >= 0)
		memmove(pending, pending + 1, (size_t)--n_pending * sizeof(*pending));
	return accepted;
}

static int fake_getsockopt(int fd, int level, int option, void *value, const socklen_t *size)
{
	const struct ucred peer = {.pid = 1};

	(void)size;
	FUZZ_ASSERT(level == SOL_SOCKET);
	if (option == SO_TYPE) {
		errno = ENOTSOCK;
		return fd >= 0 && fd < MAX_FDS && files[fds[fd]].is_socket ? 0 : -1;
	}
	memcpy(value, &peer, sizeof(peer));
	((struct ucred *)value)->uid = file_of(fd)->uid;
	return 0;
}

/* unix(7) and the kernel's scm_detach_fds(): as many descriptors as there is room for are installed, and those that are
 * not are told of by MSG_CTRUNC.
 */
static void receive_descriptors(const struct file *client, struct msghdr *message)
{
	int room = (int)((message->msg_controllen - sizeof(struct cmsghdr)) / sizeof(int)), n_installed = 0;
	struct cmsghdr *header = message->msg_control;

	for (; n_installed < client->n_sent && n_installed < room; n_installed++) {
		int lease = new_file(KIND_LEASE), fd;

		files[lease].is_held = true;
		files[lease].is_socket = client->sends_socket;
		fd = install(lease);
		if (fd < 0)
			break;
		memcpy(CMSG_DATA(header) + (size_t)n_installed * sizeof(int), &fd, sizeof(fd));
	}
	if (n_installed < client->n_sent)
		message->msg_flags |= MSG_CTRUNC;
	message->msg_controllen = n_installed > 0 ? CMSG_SPACE((size_t)n_installed * sizeof(int)) : 0;
	if (n_installed > 0) {
		header->cmsg_len = CMSG_LEN((size_t)n_installed * sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
	}
}

static ssize_t fake_recvmsg(int fd, struct msghdr *message)
{
	struct file *client = file_of(fd);
	size_t taken = 0;

	if (!client->is_ready) {
		errno = EAGAIN;
		message->msg_controllen = 0;
		message->msg_flags = 0;
		return client->has_hung_up ? 0 : -1;
	}
	client->is_ready = false;
	message->msg_flags = 0;
	for (size_t i = 0; i < message->msg_iovlen; i++) {
		size_t part = client->size - taken;

		if (part > message->msg_iov[i].iov_len)
			part = message->msg_iov[i].iov_len;
		if (part > 0)
			memcpy(message->msg_iov[i].iov_base, client->data + taken, part);
		taken += part;
	}
	receive_descriptors(client, message);
	return (ssize_t)taken;
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *message)
{
	FUZZ_ASSERT(message->msg_iovlen == 2);
	errno = EPIPE;
	return file_of(fd)->has_hung_up ? -1 : 1;
}

/* /proc/PID/status; who ignores SIGTERM there is an input's choice, and may have ended. */
static int fake_openat(int dir, const char *path)
{
	static const char texts[][40] = {"Name:\tx\nSigIgn:\t0000000000004000\n",
		"Name:\tx\nSigIgn:\t0000000000384000\n", "\nSigIgn:\t000000000000bfff\n", "\nSigIgn:\t0000"};
	int file;

	file_of(dir);
	FUZZ_ASSERT(path[0] >= '0' + FIRST_PID && path[0] < '0' + FIRST_PID + MAX_PROCESSES &&
		    strcmp(path + 1, "/status") == 0);
	errno = ENOENT;
	if (!is_alive[path[0] - '0' - FIRST_PID])
		return -1;
	file = new_file(KIND_STATUS);
	files[file].data = (const uint8_t *)texts[choice & 3];
	files[file].size = strlen(texts[choice & 3]);
	return install(file);
}

static ssize_t read_status(struct file *file, void *data, size_t size)
{
	if (size > file->size)
		size = file->size;
	memcpy(data, file->data, size);
	file->data += size;
	file->size -= size;
	return (ssize_t)size;
}

static ssize_t fake_read(int fd, void *data, size_t size)
{
	if (file_of(fd)->kind == KIND_STATUS)
		return read_status(file_of(fd), data, size);
	FUZZ_ASSERT(file_of(fd)->kind == KIND_SIGNALS && size == sizeof(*queue));
	if (n_queued == 0)
		return -1;
	memcpy(data, queue, size);
	memmove(queue, queue + 1, (size_t)--n_queued * sizeof(*queue));
	return (ssize_t)size;
}

/* A line of the log: one line. */
static ssize_t fake_send(const char *data, size_t size)
{
	FUZZ_ASSERT(size <= 1024 && strncmp(data, "<86>nsbox-init: ", 16) == 0);
	errno = choice & 0x40 ? EAGAIN : ECONNREFUSED;
	return choice & 0x80 ? -1 : (ssize_t)size;
}

static int n_alive(void)
{
	int n = 0;

	for (int i = 0; i < MAX_PROCESSES; i++)
		n += is_alive[i];
	return n;
}

static int fake_kill(int pid, int number)
{
	FUZZ_ASSERT(pid == -1 && number >= 0);
	errno = ESRCH;
	return n_alive() > 0 ? 0 : -1;
}

static long list_processes(char *buffer)
{
	size_t used = 0;

	if (is_listed)
		return 0;
	is_listed = true;
	for (int i = -3; i < MAX_PROCESSES; i++) {
		uint16_t length = 24 + 8;

		if (i >= 0 && !is_alive[i])
			continue;
		memset(buffer + used, 0, length);
		memcpy(buffer + used + 16, &length, sizeof(length));
		if (i < 0)
			strcpy(buffer + used + 19, i == -3 ? ".." : i == -2 ? "1" : "2x");
		else
			buffer[used + 19] = (char)('0' + FIRST_PID + i);
		used += length;
	}
	return (long)used;
}

static long fake_syscall(long number, ...)
{
	va_list arguments;
	int file, pid;

	va_start(arguments, number);
	pid = va_arg(arguments, int) - FIRST_PID;
	if (number == SYS_getdents64) {
		char *buffer = va_arg(arguments, char *);

		va_end(arguments);
		return list_processes(buffer);
	}
	va_end(arguments);
	if (number == SYS_pidfd_send_signal) {
		FUZZ_ASSERT(file_of(pid + FIRST_PID)->kind == KIND_PROCESS);
		return 0;
	}
	FUZZ_ASSERT(number == SYS_pidfd_open && pid >= 0 && pid < MAX_PROCESSES);
	file = new_file(KIND_PROCESS);
	files[file].process = pid;
	return install(file);
}

static int fake_poll(const struct pollfd *poll, int timeout)
{
	if (is_ready(file_of(poll->fd)))
		return 1;
	clock_ms += timeout;
	return 0;
}

static int fake_fcntl(int fd, int command, ...)
{
	file_of(fd);
	FUZZ_ASSERT(command == F_SETLK);
	return 0;
}

static int fake_clock_gettime(struct timespec *now)
{
	*now = (struct timespec){.tv_sec = clock_ms / 1000, .tv_nsec = clock_ms % 1000 * 1000000};
	return 0;
}

static _Noreturn void leave(int status)
{
	FUZZ_ASSERT(status == 0);
	longjmp(out, 1);
}

#pragma clang attribute pop

/* --- the program on it --- */

#define main				nsbox_init_main
#define _exit				leave
#define close				fake_close
#define dup2				fake_dup2
#define epoll_ctl			fake_epoll_ctl
#define epoll_wait			fake_epoll_wait
#define accept4(fd, address, size, how) fake_accept4(fd)
#define getsockopt			fake_getsockopt
#define recvmsg(fd, message, flags)	fake_recvmsg(fd, message)
#define sendmsg(fd, message, flags)	fake_sendmsg(fd, message)
#define read				fake_read
#define openat(dir, path, flags)	fake_openat(dir, path)
#define send(fd, data, size, flags)	fake_send(data, size)
#define socket(domain, type, protocol)	(-1)
#define kill				fake_kill
#define lseek(fd, offset, from)		((void)(is_listed = false))
#define syscall				fake_syscall
#define poll(poll, n, ms)		fake_poll(poll, ms)
#define fcntl				fake_fcntl
#define clock_gettime(clock, now)	fake_clock_gettime(now)
int nsbox_init_main(void);
#undef _GNU_SOURCE
#include "../../pam_nsbox/init/nsbox-init.c"
#undef main

/* --- what happens --- */

static struct box box;

#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
/* Every descriptor is one that it was born with, or stands for something that it knows of. */
static void check(void)
{
	int n_watches[MAX_FDS] = {0};
	uint32_t n_leases = 0;

	for (int i = 0; i < MAX_WATCHES; i++) {
		FUZZ_ASSERT(watches[i].file == 0 || fds[watches[i].fd] == watches[i].file);
		n_watches[watches[i].fd] += watches[i].file != 0;
	}
	for (int fd = 0; fd < MAX_FDS; fd++)
		switch (files[fds[fd]].kind) {
		case KIND_LEASE:
			FUZZ_ASSERT(fd >= INIT_FD_LEASE && n_watches[fd] == 1);
			n_leases++;
			break;
		case KIND_PROCESS: FUZZ_ASSERT(fd == box.process && n_watches[fd] == 1); break;
		case KIND_CLIENT: FUZZ_ASSERT(n_watches[fd] == 1); break;
		default: break;
		}
	FUZZ_ASSERT(n_leases == box.n_leases);
}

#pragma clang attribute pop

static void begin(uint8_t limit, uint8_t how)
{
	n_files = 1;
	memset(fds, 0, sizeof(fds));
	memset(watches, 0, sizeof(watches));
	n_pending = n_queued = 0;
	clock_ms = 1000;
	choice = 0;
	fd_limit = MAX_FDS;
	for (int fd = 0; fd < INIT_FDS; fd++)
		install(new_file(fd == INIT_FD_LISTEN	 ? KIND_LISTEN
				 : fd == INIT_FD_SIGNALS ? KIND_SIGNALS
				 : fd == INIT_FD_LEASE	 ? KIND_LEASE
							 : KIND_OTHER));
	files[fds[INIT_FD_LEASE]].is_held = true;
	fd_limit = INIT_FDS + limit % (MAX_FDS - INIT_FDS + 1);
	for (int i = 0; i < MAX_PROCESSES; i++)
		is_alive[i] = how >> i & 1;

	memset(&box, 0, sizeof(box));
	box.state = BOX_LIVE;
	box.process = -1;
	box.n_leases = 1;
	box.is_pid_1 = how >> 6 & 1;
	box.has_log = true;
	box.has_proc = how >> 7 & 1;
	wait_for(INIT_FD_SIGNALS, WAITED_SIGNALS);
	wait_for(INIT_FD_LISTEN, WAITED_LISTEN);
	wait_for(INIT_FD_LEASE, WAITED_LEASE);
}

static void take_message(int client, const uint8_t *data, size_t size, uint8_t how)
{
	files[client].kind = KIND_CLIENT;
	files[client].data = data;
	files[client].size = size;
	files[client].is_ready = files[client].is_socket = true;
	files[client].n_sent = how & 3;
	files[client].uid = how >> 2 & 1;
	files[client].has_hung_up = how >> 3 & 1;
	files[client].sends_socket = how >> 5 & 1;
}

static void queue_signal(uint8_t number, uint8_t value, uint8_t how)
{
	if (n_queued == MAX_PENDING)
		return;
	queue[n_queued++] = (struct signalfd_siginfo){
		.ssi_signo = number % 8 == 0   ? SIGTERM
			     : number % 8 == 1 ? SIGQUIT
					       : LEASE_SIGNAL_LEAVE,
		.ssi_code = how & 1 ? SI_USER : SI_QUEUE,
		.ssi_pid = how & 2 ? 1 : 0,
		.ssi_int = how & 4 ? -value : value,
	};
}

/* Somebody outside ends, as a pidfd tells, or goes away. */
static void end_other(enum kind kind, uint8_t which)
{
	for (int i = 1; i < n_files; i++)
		if (files[i].kind == kind && which-- == 0) {
			if (kind == KIND_LEASE)
				files[i].is_ready = true;
			else
				files[i].has_hung_up = true;
			return;
		}
}

/* What main() does for ever. */
static void go_on(int n_events)
{
	for (int i = 0; i < n_events; i++) {
		struct epoll_event event;
		int timeout = decide(&box);

		FUZZ_ASSERT(timeout == -1 || timeout > 0 || box.record.timeout_stop_ms == 0);
		if (fake_epoll_wait(INIT_FD_WAITING, &event, 1, timeout) == 1)
			handle(&box, (enum waited)(event.data.u64 >> 32), (int)(uint32_t)event.data.u64);
		else if (timeout > 0)
			clock_ms += timeout;
		else
			break;
	}
	check();
}

static void play(const uint8_t *data, size_t size)
{
	for (size_t at = 0; at + 4 <= size;) {
		uint8_t what = data[at], first = data[at + 1], second = data[at + 2];
		size_t length = data[at + 3];
		int client;

		at += 4;
		if (length > size - at)
			length = size - at;
		switch (what % 8) {
		case 0:
		case 1:
			if (n_pending == MAX_PENDING)
				break;
			client = new_file(KIND_CLIENT);
			take_message(client, data + at, length, first);
			files[client].is_ready = !(first & 0x10);
			pending[n_pending++] = client;
			at += length;
			break;
		case 2: queue_signal(first, second, (uint8_t)length); break;
		case 3: end_other(KIND_LEASE, first); break;
		case 4: end_other(KIND_CLIENT, first); break;
		case 5: is_alive[first % MAX_PROCESSES] = second & 1; break;
		case 6: clock_ms += first; break;
		case 7: choice = first; break;
		}
		if (what & 0x40)
			go_on(1 + (what >> 3 & 3));
	}
	go_on(40);
}

/* It begins with what its maker has left. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lease_request first = {0};
	uint8_t *record = (uint8_t *)&box.record;
	const size_t numbers = offsetof(struct box_record, digest);

	(void)nsbox_init_main;
	if (size < 4)
		return 0;
	if (setjmp(out) == 0) {
		size_t length = data[3] < size - 4 ? data[3] : size - 4;

		begin(data[0], data[1]);
		/* A record begins with strings that say little, and ends with numbers that do. */
		memcpy(record + 1, data + 4, length < 64 ? length : 64);
		if (length > 64)
			memcpy(record + numbers, data + 4 + 64,
				length - 64 < sizeof(box.record) - numbers ? length - 64
									   : sizeof(box.record) - numbers);
		box.record.id[sizeof(box.record.id) - 1] = '\0';
		memset(first.who, 'w', data[2] * (sizeof(first.who) - 1) / UINT8_MAX);
		tell_of_lease(&box, "opened", &first, INIT_FD_LEASE);
		play(data + 4 + length, size - 4 - length);
	}
	return 0;
}
