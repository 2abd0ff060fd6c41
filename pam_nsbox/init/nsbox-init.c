/* nsbox-init: PID 1 of a box.
 *
 * It keeps the box's namespaces alive, holds the sessions' leases, and when the last one is gone ends the
 * box, politely first. Everything else was done before it was executed (box/inside.c): it is born with all
 * signals blocked, without environment or terminal, with the descriptors of lease.h and no others.
 *
 * It is linked statically against musl and allocates nothing, for its private memory is paid for every login.
 */
#define _GNU_SOURCE
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
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

/* What a descriptor that is waited for stands for; in the upper half of its epoll data, the lower being its number. A lease
 * has the number of its descriptor, so that nothing about it is stored here: memory stays the same with any number.
 */
enum waited { WAITED_SIGNALS = 1, WAITED_LISTEN, WAITED_CLIENT, WAITED_LEASE, WAITED_PROCESS };

#define WAITED_DATA(what, fd) ((uint64_t)(what) << 32 | (uint32_t)(fd))

#define MAX_SHELLS	      32

struct box {
	struct box_record record;
	int process;	     /* lingering: pidfd of some process that is alive, or -1 */
	bool is_pid_1;	     /* the box has a PID namespace: all its processes can be counted and signalled */
	bool has_log;	     /* INIT_FD_LOG is there */
	bool has_proc;	     /* INIT_FD_PROC is there */
	bool stop_requested; /* an administrator ended it: no session may join any more */
	bool stop_now;	     /* without waiting for anybody */
	enum box_state state;
	int64_t stopping_since; /* monotonic milliseconds */
	bool shells_hung_up;	/* SIGHUP has followed, for those who ignored SIGTERM */
	bool hung_up;		/* and for everybody */
	int shells[MAX_SHELLS]; /* these, by number */
	uint32_t n_shells;
	int64_t log_period;   /* when the current LOG_PERIOD_MS began, monotonic milliseconds */
	int64_t log_patience; /* what is left of LOG_WAIT_MS in it */
	uint32_t n_leases;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool wait_for(int fd, enum waited what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAITED_DATA(what, fd)};

	return epoll_ctl(INIT_FD_WAITING, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* A descriptor that was received is somebody else's too: closing it alone would not end the waiting. */
static void forget(int fd)
{
	epoll_ctl(INIT_FD_WAITING, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

/* --- the log --- */

struct line {
	char text[1024];
	size_t used;
};

static void line_text(struct line *line, const char *text)
{
	size_t length = strnlen(text, sizeof(line->text) - line->used);

	memcpy(line->text + line->used, text, length);
	line->used += length;
}

static void line_number(struct line *line, const char *key, uint64_t number)
{
	char digits[21];
	char *digit = digits + sizeof(digits) - 1;

	*digit = '\0';
	do
		*--digit = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	line_text(line, key);
	line_text(line, digit);
}

static void line_string(struct line *line, const char *key, const char *value)
{
	line_text(line, key);
	line_text(line, "\"");
	line_text(line, value);
	line_text(line, "\"");
}

/* How long the system log is waited for in each LOG_PERIOD_MS, in milliseconds, all messages taken together. Its queue
 * holds as few as 10 of them (net.unix.max_dgram_qlen), which two hundred boxes that end at the same moment fill. A log that
 * hangs, or that is slow, or that some user floods, must not keep others out of a box that they share: who joins waits too.
 */
#define LOG_WAIT_MS   1500
#define LOG_PERIOD_MS 10000

static bool send_to_log(struct box *box, int fd, const struct line *line)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	int64_t began = now_ms(), left;
	bool is_sent;

	if (began - box->log_period >= LOG_PERIOD_MS) {
		box->log_period = began;
		box->log_patience = LOG_WAIT_MS;
	}
	/* Somebody else may take the room that was seen. */
	for (;;) {
		is_sent = send(fd, line->text, line->used, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
		left = box->log_patience - (now_ms() - began);
		if (is_sent || errno != EAGAIN || left <= 0)
			break;
		poll(&room, 1, (int)left);
	}
	box->log_patience = left;
	return is_sent || errno == EAGAIN; /* there is a log, which is full */
}

static int connect_to_log(void)
{
	static const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&log, sizeof(log)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A connection made at the box's birth outlives a box that hides the log; a system log that was started again since then
 * listens anew at its place.
 */
static void line_send(struct box *box, const struct line *line)
{
	int fd;

	if (box->has_log && send_to_log(box, INIT_FD_LOG, line))
		return;
	fd = connect_to_log();
	if (fd < 0)
		return;
	send_to_log(box, fd, line);
	close(fd);
}

/* While there is the privilege to reach a log that is root's alone. */
static void keep_log(struct box *box)
{
	int fd = box->has_log ? -1 : connect_to_log();

	if (fd < 0)
		return;
	box->has_log = dup2(fd, INIT_FD_LOG) >= 0;
	close(fd);
}

/* Facility authpriv, level info: where the module's own lines go. */
static void line_event(const struct box *box, struct line *line, const char *event)
{
	line->used = 0;
	line_text(line, "<86>nsbox-init: ");
	line_text(line, event);
	line_string(line, " box=", box->record.id);
}

static void line_begin(const struct box *box, struct line *line, const char *event)
{
	line_event(box, line, event);
	line_string(line, " user=", box->record.user);
	line_string(line, " policy=", box->record.policy);
}

/* --- the processes of the box --- */

/* Calls visit with number and pidfd of every live process but nsbox-init until it returns false. A zombie does not
 * count: one whose parent stands outside the box may stay for as long as that parent likes. Returns false if there was no
 * descriptor, or no memory, for one that may be alive.
 */
static bool each_process(const struct box *box, bool (*visit)(int pid, int pidfd, void *data), void *data)
{
	bool has_seen_all = true;
	char entries[1024] __attribute__((aligned(8)));
	bool go_on = true;
	long size;

	if (!box->has_proc)
		return true;
	lseek(INIT_FD_PROC, 0, SEEK_SET);
	while (go_on && (size = syscall(SYS_getdents64, INIT_FD_PROC, entries, sizeof(entries))) > 0) {
		for (long at = 0; go_on && at < size;) {
			/* struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name */
			const char *name = entries + at + 19;
			uint16_t length;
			int pid = 0;

			memcpy(&length, entries + at + 16, sizeof(length));
			at += length;
			while (*name >= '0' && *name <= '9')
				pid = pid * 10 + (*name++ - '0');
			if (*name != '\0' || pid <= 1)
				continue;

			int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
			struct pollfd ended = {.fd = pidfd, .events = POLLIN};

			if (pidfd < 0) {
				has_seen_all = has_seen_all && errno == ESRCH;
				continue;
			}
			if (poll(&ended, 1, 0) == 0)
				go_on = visit(pid, pidfd, data);
			else
				close(pidfd);
		}
	}
	return has_seen_all;
}

static bool keep_first(int pid, int pidfd, void *data)
{
	(void)pid;
	*(int *)data = pidfd;
	return false;
}

static bool count(int pid, int pidfd, void *data)
{
	(void)pid;
	++*(uint32_t *)data;
	close(pidfd);
	return true;
}

static uint32_t count_processes(const struct box *box)
{
	uint32_t processes = 0;

	each_process(box, count, &processes);
	return processes;
}

#define UNKNOWN	   (-2)
#define UNKNOWN_MS 1000 /* until it is looked again */

/* A pidfd of any live process of the box, -1 if there is none, or UNKNOWN. kill(2) with -1 fails with ESRCH when no
 * other process, not even a zombie, is left: the common case, without reading /proc.
 */
static int any_process(const struct box *box)
{
	int pidfd = -1;

	if (!box->is_pid_1 || (kill(-1, 0) < 0 && errno == ESRCH))
		return -1;
	return !each_process(box, keep_first, &pidfd) && pidfd < 0 ? UNKNOWN : pidfd;
}

/* --- the end of the box --- */

static void watch_process(struct box *box, int pidfd)
{
	if (box->process >= 0)
		forget(box->process);
	box->process = pidfd;
	if (pidfd >= 0)
		wait_for(pidfd, WAITED_PROCESS);
}

static _Noreturn void end(struct box *box)
{
	struct line line;

	line_begin(box, &line, "stopped");
	line_number(
		&line, " after_ms=", box->stopping_since ? (uint64_t)(now_ms() - box->stopping_since) : 0);
	line_number(&line, " ended_by_force=", count_processes(box));
	line_send(box, &line);
	_exit(0); /* the kernel kills what is left in the PID namespace */
}

/* How long processes have to act on SIGTERM before those that ignored it before get SIGHUP, in milliseconds; everybody that is
 * left gets it when half of TimeoutStopSec is over: to one that saves what it has, on SIGTERM, it would be the end.
 */
#define HANGUP_MS 100

/* A process that was stopped acts on nothing before SIGCONT. */
static void ask_to_end(int signal)
{
	kill(-1, signal);
	kill(-1, SIGCONT);
}

/* Whether the process ignores SIGTERM: by SigIgn in /proc/PID/status, a mask of 16 hexadecimal digits. */
static bool ignores_sigterm(int pid)
{
	static const char field[] = "\nSigIgn:\t";
	const size_t length = sizeof(field) - 1, at = length + 12; /* the digit of the signals 13 to 16 */
	struct line path = {.used = 0};
	char bytes[256], digit = '0';
	size_t matched = 0;
	ssize_t size;
	int fd;

	line_number(&path, "", (uint64_t)pid);
	line_text(&path, "/status");
	path.text[path.used] = '\0';
	fd = openat(INIT_FD_PROC, path.text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (matched <= at && (size = read(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < size && matched <= at; i++) {
			digit = bytes[i];
			if (matched >= length || digit == field[matched])
				matched++;
			else
				matched = digit == field[0];
		}
	close(fd);
	return matched > at && ((digit <= '9' ? digit - '0' : digit - 'a' + 10) & 1 << (SIGTERM - 13));
}

static bool note_shell(int pid, int pidfd, void *data)
{
	struct box *box = data;

	if (ignores_sigterm(pid))
		box->shells[box->n_shells++] = pid;
	close(pidfd);
	return box->n_shells < MAX_SHELLS;
}

static void hang_up_shells(const struct box *box)
{
	for (uint32_t i = 0; i < box->n_shells; i++) {
		int pidfd = (int)syscall(SYS_pidfd_open, box->shells[i], 0);

		if (pidfd < 0)
			continue;
		if (ignores_sigterm(box->shells[i])) {
			syscall(SYS_pidfd_send_signal, pidfd, SIGHUP, NULL, 0);
			syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
		}
		close(pidfd);
	}
}

/* Asks every process to end: first with SIGTERM, which interactive shells ignore, then these with SIGHUP, on which they save
 * their history, and at last everybody with that. Who ignores SIGTERM only since it came is busy with it. sshd ends on the first,
 * which closes its shell's terminal, so that the kernel sends the shell a SIGHUP already. A shell that gets several signals while
 * it acts on one may lose its history (measured: bash, 2 of 80 times with all of them sent at once).
 */
static void begin_stopping(struct box *box)
{
	box->state = BOX_STOPPING;
	box->stopping_since = now_ms();
	box->shells_hung_up = box->hung_up = false;
	watch_process(box, -1);
	box->n_shells = 0;
	if (!box->is_pid_1 || kill(-1, 0) < 0) /* -1 would mean the host's processes; or there are none */
		return;
	each_process(box, note_shell, box);
	ask_to_end(SIGTERM);
}

/* Decides what follows when the leases or the processes have changed. Returns the milliseconds until the box
 * must be looked at again, or -1 if only an event can change anything: a box at rest never wakes up.
 */
static int settle(struct box *box)
{
	if (box->stop_now && box->is_pid_1)
		end(box);
	if (box->state != BOX_STOPPING) {
		/* What cannot be signalled cannot be stopped: then the box is there until its sessions have
		 * left. */
		if (box->n_leases > 0 && (!box->stop_requested || !box->is_pid_1)) {
			box->state = BOX_LIVE;
			watch_process(box, -1);
			return -1;
		}
		if (box->record.linger && !box->stop_requested) {
			struct line line;
			int pidfd = any_process(box);

			if (pidfd == UNKNOWN)
				return UNKNOWN_MS;
			if (pidfd < 0)
				end(box);
			watch_process(box, pidfd); /* when it is gone, look for another */
			if (box->state != BOX_LINGERING) {
				box->state = BOX_LINGERING;
				line_begin(box, &line, "lingering");
				line_number(&line, " processes=", count_processes(box));
				line_send(box, &line);
			}
			return -1;
		}
		begin_stopping(box);
	}

	int64_t stopping_for = now_ms() - box->stopping_since;
	int pidfd = any_process(box);

	if (pidfd == -1 || stopping_for >= box->record.timeout_stop_ms)
		end(box);
	if (pidfd >= 0)
		close(pidfd);
	if (!box->hung_up && 2 * stopping_for >= box->record.timeout_stop_ms) {
		box->shells_hung_up = box->hung_up = true;
		ask_to_end(SIGHUP);
	} else if (!box->shells_hung_up && stopping_for >= HANGUP_MS) {
		box->shells_hung_up = true;
		hang_up_shells(box);
	}

	int64_t left = box->record.timeout_stop_ms - stopping_for;
	int64_t tick = stopping_for < 2 ? 1 : stopping_for < 100 ? stopping_for / 2 : 50;

	return (int)(tick < left ? tick : left);
}

/* --- leases --- */

static void tell_of_lease(struct box *box, const char *event, const struct lease_request *request, int lease)
{
	struct line line;

	line_event(box, &line, event);
	line_text(&line, " ");
	line_text(&line, request->who);
	line_string(&line, " hostname=", box->record.hostname);
	line_number(&line, " lease=", (uint64_t)lease);
	line_number(&line, " leases=", box->n_leases);
	if (request->digest != box->record.digest)
		line_string(&line,
			" note=", "this box was made under another policy, or the policy has changed since");
	line_send(box, &line);
}

static void drop_lease(struct box *box, int lease, const char *why)
{
	struct line line;

	box->n_leases--;
	forget(lease);
	line_begin(box, &line, "left");
	line_number(&line, " lease=", (uint64_t)lease);
	line_string(&line, " why=", why);
	line_number(&line, " leases=", box->n_leases);
	line_send(box, &line);
}

/* A descriptor came with a message, and there was no number left for it. */
#define NO_ROOM (-2)

/* In the place of an operation: the client has not spoken. */
#define NOT_YET UINT32_MAX

/* Clients' connections are sockets, and leases are not: so they are told apart. */
static bool is_socket(int fd)
{
	int type;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/* Returns 0 or a positive errno. A box that is ending because its last session left is kept for the new one;
 * one that was told to stop is not.
 */
static int add_lease(struct box *box, int pidfd)
{
	if (pidfd == NO_ROOM)
		return EMFILE;
	if (pidfd < 0 || is_socket(pidfd))
		return EINVAL;
	if (box->stop_requested)
		return ESHUTDOWN;
	if (!wait_for(pidfd, WAITED_LEASE))
		return errno;
	box->n_leases++;
	box->state = BOX_LIVE;
	box->stopping_since = 0;
	return 0;
}

/* A message's only descriptor. */
union descriptor {
	char buffer[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

/* Reads one request and the descriptor that came with it, if any. Returns the operation, NOT_YET, or 0 if it is not one. */
static uint32_t receive(int fd, struct lease_request *request, int *pidfd)
{
	struct iovec part = {.iov_base = request, .iov_len = sizeof(*request)};
	union descriptor descriptor;
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = descriptor.buffer,
		/* Not all of the buffer: what aligns it has room for a second descriptor, which would stay open. */
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	/* A message of no bytes may bring a descriptor, too. */
	const struct cmsghdr *header = size >= 0 ? CMSG_FIRSTHDR(&message) : NULL;

	*pidfd = -1;
	if (size < 0 && errno == EAGAIN)
		return NOT_YET;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
		header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(pidfd, CMSG_DATA(header), sizeof(int));
	else if (size >= 0 && (message.msg_flags & MSG_CTRUNC))
		*pidfd = NO_ROOM;
	if (size < (ssize_t)offsetof(struct lease_request, digest))
		return 0;
	request->who[sizeof(request->who) - 1] = '\0';
	for (char *byte = request->who; *byte; byte++)
		if ((unsigned char)*byte < ' ' || *byte == 0x7f)
			*byte = '?';
	return request->operation == NOT_YET ? 0 : request->operation;
}

/* Returns false if nobody listens. */
static bool reply(struct box *box, int fd, struct lease_reply_head *answer)
{
	struct iovec parts[] = {
		{.iov_base = answer, .iov_len = sizeof(*answer)},
		{.iov_base = &box->record, .iov_len = sizeof(box->record)},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* Returns false if there is nothing to do for that client yet. */
static bool serve(struct box *box, int client)
{
	struct lease_reply_head answer = {0};
	struct lease_request request = {0}; /* an older module may say less */
	int pidfd;
	uint32_t operation = receive(client, &request, &pidfd);
	bool joined = false;

	if (operation == NOT_YET)
		return false;
	if (operation == LEASE_JOIN) {
		answer.error = add_lease(box, pidfd);
		joined = answer.error == 0;
		answer.lease = joined ? (uint32_t)pidfd : 0;
	} else if (operation == LEASE_STATUS) {
		answer.processes = count_processes(box);
	} else {
		answer.error = EOPNOTSUPP;
	}
	answer.leases = box->n_leases;
	answer.state = box->state;
	/* A session that went away before it heard of its lease has no process in the box. */
	if (operation != 0 && !reply(box, client, &answer) && joined)
		drop_lease(box, pidfd, "gone");
	else if (joined)
		tell_of_lease(box, "joined", &request, pidfd);
	if (!joined && pidfd >= 0)
		close(pidfd);
	forget(client);
	return true;
}

/* Numbers that have no use (any more) stay taken, so that no lease has one below INIT_FD_LEASE. By what may be closed again: to
 * close a copy of a descriptor that has locks would end these.
 */
static void keep_number(int number)
{
	dup2(INIT_FD_SIGNALS, number);
}

/* Only root can reach the socket; ask the kernel all the same. */
static int accept_root(void)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(INIT_FD_LISTEN, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0)
		return fd;
	close(fd);
	return -EPERM;
}

/* A client who finds no number free is served on one that is kept, at once, so that he learns of it and the socket does not
 * stay ready for ever. Returns false if nobody came.
 */
static bool accept_client(struct box *box)
{
	int fd = accept_root();

	if (fd == -EMFILE) {
		struct pollfd request = {.events = POLLIN};

		close(INIT_FD_RECORD);
		request.fd = fd = accept_root();
		if (fd >= 0) {
			poll(&request, 1, 50);
			if (!serve(box, fd))
				close(fd);
		}
		keep_number(INIT_FD_RECORD);
	} else if (fd >= 0 && !serve(box, fd) && !wait_for(fd, WAITED_CLIENT)) {
		close(fd); /* who has spoken already, as most have, need not be waited for */
	}
	return fd >= 0;
}

/* As settle(), but whoever waits at the door takes over what the last session has left. */
static int decide(struct box *box)
{
	struct pollfd door = {.fd = INIT_FD_LISTEN, .events = POLLIN};

	while (box->n_leases == 0 && poll(&door, 1, 0) == 1 && accept_client(box))
		;
	return settle(box);
}

/* An administrator's stop gives the scope free at once, so that the next login makes a new box. */
static void request_stop(struct box *box, bool at_once)
{
	struct flock scope = {
		.l_type = F_UNLCK,
		.l_whence = SEEK_SET,
		.l_start = box->record.scope_key,
		.l_len = 1,
	};

	if (!box->stop_requested && box->record.scope_key >= 0)
		fcntl(INIT_FD_REGISTRY, F_SETLK, &scope);
	box->stop_requested = true;
	box->stop_now = box->stop_now || at_once;
}

/* Whether fd is a lease: asked of the kernel, which refuses to change what is not waited for. */
static bool is_lease(const struct box *box, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAITED_DATA(WAITED_LEASE, fd)};

	return fd >= INIT_FD_LEASE && fd != box->process && !is_socket(fd) &&
	       epoll_ctl(INIT_FD_WAITING, EPOLL_CTL_MOD, fd, &event) == 0;
}

static void handle_signal(struct box *box, const struct signalfd_siginfo *info)
{
	/* A sender inside the box has a number here; boxes are stopped, and sessions closed, from outside. */
	if (box->is_pid_1 && info->ssi_pid != 0)
		return;
	if (info->ssi_signo == SIGTERM || info->ssi_signo == SIGQUIT) {
		if (info->ssi_code !=
			SI_USER) /* with any other one the sender fills in who he is, sigqueue(3) */
			return;
		request_stop(box, info->ssi_signo == SIGQUIT);
		return;
	}
	if (info->ssi_code != SI_QUEUE)
		return;
	if (is_lease(box, info->ssi_int))
		drop_lease(box, info->ssi_int, "closed");
}

static void read_signals(struct box *box)
{
	struct signalfd_siginfo info;

	while (read(INIT_FD_SIGNALS, &info, sizeof(info)) == (ssize_t)sizeof(info))
		handle_signal(box, &info);
}

/* Whoever gave his lease back before he exited is heard first: otherwise his signal would come when the number is
 * another session's already.
 */
static void end_lease(struct box *box, int lease)
{
	read_signals(box);
	if (is_lease(box, lease))
		drop_lease(box, lease, "exited");
}

/* --- */

/* The host's procfs and others that the set-up moved out of everybody's sight. The kernel waits for all CPUs before it
 * lets a mount go, so this is done when nobody waits any longer. Should it fail, the box must not live.
 */
static void detach_old_mounts(struct box *box)
{
	char name[] = LEASE_OLD_MOUNT "0";

	for (; name[sizeof(name) - 2] <= LEASE_OLD_MOUNT_LAST; name[sizeof(name) - 2]++)
		if (umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) {
			if (errno != EINVAL && errno != ENOENT)
				end(box);
			return;
		}
}

/* The first that the kernel would kill for want of memory is whoever has asked for it by oom_score_adj, which is inherited:
 * a user may ask for it and call su into a box that others share. And sshd's listener shall be the last, not its boxes.
 */
static void shed_oom_score(const struct box *box)
{
	int fd = box->has_proc ? openat(INIT_FD_PROC, "self/oom_score_adj", O_RDWR | O_CLOEXEC)
			       : open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char score[2];

	if (fd < 0)
		return;
	if (read(fd, score, sizeof(score)) != 2 || score[0] != '0')
		write(fd, "0", 1);
	close(fd);
}

/* Whoever enters the box later gets the limits that its maker had. */
static void keep_limits(struct box_record *record)
{
	for (record->n_limits = 0; record->n_limits < BOX_LIMITS; record->n_limits++)
		if (syscall(SYS_prlimit64, 0, record->n_limits, NULL, &record->limits[record->n_limits]) < 0)
			break;
}

/* A setuid caller runs in its user's limits and at his priority, and so did this process until now: a box that he shares
 * with others shall not end by them, or starve. What the machine does not allow stays as it is.
 *
 * SCHED_BATCH is neither SCHED_IDLE, which the user may have asked for, nor a real-time policy of the caller's; and a batch
 * process that wakes up does not take the processor from others (sched(7)): from the login that has just asked it for a lease
 * and has other things to do meanwhile.
 */
static void shed_limits(void)
{
	static const struct {
		int resource;
		uint64_t wanted;
	} limits[] = {
		{RLIMIT_CPU, UINT64_MAX}, {RLIMIT_AS, UINT64_MAX}, {RLIMIT_DATA, UINT64_MAX},
		{RLIMIT_STACK, 8 << 20}, {RLIMIT_NOFILE, 512 << 10}, /* a lease is a descriptor */
		{RLIMIT_SIGPENDING, 32 << 10},			     /* it is given back by a queued signal */
	};

	static const int no_priority = 0; /* struct sched_param */

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		uint64_t limit[2] = {0, 0}; /* soft, hard */

		if (syscall(SYS_prlimit64, 0, limits[i].resource, NULL, limit) < 0 ||
			limit[0] >= limits[i].wanted)
			continue;
		limit[0] = limits[i].wanted;
		if (limit[1] < limit[0])
			limit[1] = limit[0];
		if (syscall(SYS_prlimit64, 0, limits[i].resource, limit, NULL) == 0)
			continue;
		syscall(SYS_prlimit64, 0, limits[i].resource, NULL, limit);
		limit[0] = limit[1] < limits[i].wanted ? limit[1] : limits[i].wanted;
		syscall(SYS_prlimit64, 0, limits[i].resource, limit, NULL);
	}
	if (getpriority(PRIO_PROCESS, 0) > 0)
		setpriority(PRIO_PROCESS, 0, 0);
	syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &no_priority);
}

/* Once: what is kept is what the maker had. */
static void renew_limits(struct box_record *record)
{
	if (record->n_limits > 0)
		return;
	keep_limits(record);
	shed_limits();
}

#define STACK_LEAST (64 << 10) /* bytes; it uses less than 8 KiB */

/* The kernel begins a stack at a random place of its first page. One that may not grow can suffice until the box is ready, and
 * no longer.
 */
static bool may_grow(void)
{
	uint64_t limit[2]; /* soft, hard */

	return syscall(SYS_prlimit64, 0, RLIMIT_STACK, NULL, limit) == 0 && limit[0] >= STACK_LEAST;
}

/* It needs to signal other users' processes, and nothing else. */
static void drop_privileges(void)
{
	struct {
		uint32_t version;
		int pid;
	} header = {.version = 0x20080522}; /* _LINUX_CAPABILITY_VERSION_3 */
	struct {
		uint32_t effective, permitted, inheritable;
	} data[2] = {{.effective = 1 << 5, .permitted = 1 << 5}}; /* CAP_KILL */

	/* It may not have even that one: a box in a box whose policy has taken it away. */
	if (syscall(SYS_capset, &header, data) < 0) {
		data[0].effective = data[0].permitted = 0;
		syscall(SYS_capset, &header, data);
	}
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void handle(struct box *box, enum waited what, int fd)
{
	switch (what) {
	case WAITED_SIGNALS: read_signals(box); break;
	case WAITED_LISTEN: accept_client(box); break;
	case WAITED_CLIENT: serve(box, fd); break;
	case WAITED_LEASE: end_lease(box, fd); break;
	case WAITED_PROCESS: watch_process(box, -1); break;
	}
}

/* --- the beginning --- */

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* What the maker of the box has left, but for the request of the first lease. */
static bool read_record(struct box *box)
{
	box->is_pid_1 = getpid() == 1;
	box->has_log = is_open(INIT_FD_LOG);
	box->has_proc = is_open(INIT_FD_PROC);
	return is_open(INIT_FD_LEASE) &&
	       read(INIT_FD_RECORD, &box->record, sizeof(box->record)) == (ssize_t)sizeof(box->record);
}

/* What is made gets the lowest number that is free: its own. */
static bool begin_to_wait(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, LEASE_SIGNAL_LEAVE);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK) == INIT_FD_SIGNALS &&
	       epoll_create1(EPOLL_CLOEXEC) == INIT_FD_WAITING && wait_for(INIT_FD_SIGNALS, WAITED_SIGNALS) &&
	       wait_for(INIT_FD_LISTEN, WAITED_LISTEN) && wait_for(INIT_FD_LEASE, WAITED_LEASE);
}

static void keep_missing(const struct box *box)
{
	if (!box->has_log)
		keep_number(INIT_FD_LOG);
	if (!box->has_proc)
		keep_number(INIT_FD_PROC);
}

/* The maker of the box sees the pipe empty and its other end closed: from here on the first session is in the box. */
static bool be_ready(struct lease_request *first)
{
	bool is_read = read(INIT_FD_RECORD, first, sizeof(*first)) == (ssize_t)sizeof(*first);

	keep_number(INIT_FD_RECORD);
	return is_read;
}

static void shed(struct box *box)
{
	detach_old_mounts(box);
	renew_limits(&box->record);
	shed_oom_score(box);
	keep_log(box);
	drop_privileges();
}

int main(void)
{
	/* Static: it shares a page with the C library's data, and saves one of the stack. */
	static struct box box = {
		.state = BOX_LIVE, .process = -1, .n_leases = 1, .log_patience = LOG_WAIT_MS};
	struct lease_request first;

	if (!read_record(&box))
		return 2; /* not started by the module */
	prctl(PR_SET_NAME, INIT_NAME);
	if (!begin_to_wait())
		return 1;
	keep_missing(&box);
	/* It would end by this when somebody is in the box already. */
	if (!may_grow()) {
		renew_limits(&box.record);
		if (!may_grow())
			return 1;
	}
	/* Nobody waits for what it sheds, unless root in the box has less than this process and might take hold of it before. */
	if (box.record.bounding_set_given)
		shed(&box);
	if (!be_ready(&first))
		return 1;
	if (!box.record.bounding_set_given)
		shed(&box);
	tell_of_lease(&box, "opened", &first, INIT_FD_LEASE);

	for (;;) {
		struct epoll_event event;
		int timeout = decide(&box);

		if (epoll_wait(INIT_FD_WAITING, &event, 1, timeout) == 1)
			handle(&box, (enum waited)(event.data.u64 >> 32), (int)(uint32_t)event.data.u64);
	}
}
