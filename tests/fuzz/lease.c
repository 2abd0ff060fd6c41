/* Fuzzes nsbox-init with everything that can reach it: messages on connections, with descriptors and without, signals,
 * and ends of processes. The input is a sequence of them.
 *
 * It is the program itself, included; only where it would end the process this one goes on with the next input. The
 * descriptors that it is born with are moved out of the way of this program's own.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <setjmp.h>

#include "../../pam_nsbox/init/lease.h"

#define FIRST_FD	   100
#define INIT_FD_CONNECTION (FIRST_FD + INIT_FD_CONNECTION)
#define INIT_FD_LISTEN	   (FIRST_FD + INIT_FD_LISTEN)
#define INIT_FD_REGISTRY   (FIRST_FD + INIT_FD_REGISTRY)
#define INIT_FD_SELF	   (FIRST_FD + INIT_FD_SELF)
#define INIT_FD_STORE	   (FIRST_FD + INIT_FD_STORE)
#define INIT_FD_PROC	   (FIRST_FD + INIT_FD_PROC)
#define INIT_FD_LOG	   (FIRST_FD + INIT_FD_LOG)

static jmp_buf out;

static _Noreturn void leave(int status)
{
	longjmp(out, status + 1);
}

/* A real nsbox-init signals every process that it can see, and tells the system log. This one must not. */
static int no_kill(int pid, int number)
{
	(void)pid, (void)number;
	return -1;
}

static long no_sendto(
	int fd, const void *data, size_t size, int flags, const void *address, unsigned int length)
{
	(void)fd, (void)data, (void)flags, (void)address, (void)length;
	return (long)size;
}

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define main   nsbox_init_main
#define _exit  leave
#define kill   no_kill
#define sendto no_sendto
int nsbox_init_main(void);
#include "../../pam_nsbox/init/nsbox-init.c"
#undef main
#undef _exit

#define MAX_LEASES 16

static int first_own;	       /* descriptors from here on, but for those at FIRST_FD, are one input's */
static int signals;	       /* what is written here arrives as from a signalfd */
static int leases[MAX_LEASES]; /* they become readable, as a pidfd does, when their process ends */
static int n_leases;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd;

	(void)argc, (void)argv, (void)nsbox_init_main;
	while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) < 10)
		;
	for (int number = FIRST_FD; number < FIRST_FD + INIT_FDS; number++)
		dup2(fd, number);
	first_own = fd;
	return 0;
}

static void begin(struct box *box)
{
	const struct sockaddr_un none = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ends[2];

	memset(box, 0, sizeof(*box));
	box->state = BOX_LIVE;
	box->process = -1;
	box->waiting = epoll_create1(EPOLL_CLOEXEC);
	FUZZ_ASSERT(bind(listener, (const struct sockaddr *)&none, sizeof(sa_family_t)) == 0);
	FUZZ_ASSERT(listen(listener, 50) == 0);
	dup2(listener, INIT_FD_LISTEN);
	close(listener);
	FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	box->signals = ends[0];
	signals = ends[1];
	n_leases = 0;
	wait_for(box, box->signals, WAITED_SIGNALS);
	wait_for(box, INIT_FD_LISTEN, WAITED_LISTEN);
}

static void finish(void)
{
	syscall(SYS_close_range, first_own, FIRST_FD - 1, 0);
	syscall(SYS_close_range, FIRST_FD + INIT_FDS, ~0U, 0);
}

/* Sends bytes, with up to three descriptors. */
static void send_message(int connection, const uint8_t *data, size_t size, int n_descriptors)
{
	union {
		char buffer[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr header;
	} control = {.header = {.cmsg_len = CMSG_LEN((size_t)n_descriptors * sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS}};
	struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	for (int i = 0; i < n_descriptors; i++) {
		int lease = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (n_leases < MAX_LEASES) {
			close(lease);
			lease = (int)syscall(SYS_eventfd2, 0, O_CLOEXEC | O_NONBLOCK);
			leases[n_leases++] = lease;
		}
		memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof(int), &lease, sizeof(lease));
	}
	if (n_descriptors > 0) {
		message.msg_control = control.buffer;
		message.msg_controllen = CMSG_SPACE((size_t)n_descriptors * sizeof(int));
	}
	sendmsg(connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int connect_to_box(void)
{
	struct sockaddr_un address;
	socklen_t size = sizeof(address);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	getsockname(INIT_FD_LISTEN, (struct sockaddr *)&address, &size);
	if (connect(fd, (const struct sockaddr *)&address, size) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void send_signal(uint8_t number, uint8_t lease, uint8_t kind)
{
	const struct signalfd_siginfo info = {
		.ssi_signo = number % 4 == 0   ? SIGTERM
			     : number % 4 == 1 ? SIGQUIT
					       : LEASE_SIGNAL_LEAVE,
		.ssi_code = kind & 1 ? SI_USER : SI_QUEUE,
		.ssi_pid = kind & 2 ? 1 : 0,
		.ssi_int = kind & 4 ? -lease : lease,
	};

	send(signals, &info, sizeof(info), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What main() does for ever. */
static void go_on(struct box *box, int n_events)
{
	for (int i = 0; i < n_events; i++) {
		struct epoll_event event;

		settle(box);
		FUZZ_ASSERT(box->n_leases <= MAX_LEASES + 1);
		if (epoll_wait(box->waiting, &event, 1, 0) != 1)
			return;
		handle(box, (enum waited)(event.data.u64 >> 32), (int)(uint32_t)event.data.u64);
	}
}

static void play(struct box *box, const uint8_t *data, size_t size)
{
	int connections[8], n_connections = 0;

	for (size_t at = 0; at + 3 < size && n_connections < 8;) {
		uint8_t what = data[at], first = data[at + 1], second = data[at + 2];
		size_t length = data[at + 3];

		at += 4;
		if (length > size - at)
			length = size - at;
		switch (what % 6) {
		case 0:
		case 1:
			connections[n_connections] = connect_to_box();
			if (connections[n_connections] < 0)
				return;
			send_message(connections[n_connections++], data + at, length, first % 4);
			at += length;
			break;
		case 2: send_signal(first, second, (uint8_t)length); break;
		case 3:
			if (n_leases > 0) {
				const uint64_t one = 1;

				(void)!write(leases[first % n_leases], &one, sizeof(one));
			}
			break;
		case 4:
			if (n_connections > 0)
				shutdown(connections[first % n_connections], SHUT_RDWR);
			break;
		case 5: box->record.linger = first & 1; break;
		}
		if (what & 0x40)
			go_on(box, 3);
	}
	go_on(box, 60);
}

/* The maker's own message comes first, over the connection that nsbox-init is born with. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct box box;
	int ends[2];

	begin(&box);
	if (setjmp(out) == 0 && size > 1) {
		size_t length = data[0] < size - 1 ? data[0] : size - 1;

		FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
		dup2(ends[1], INIT_FD_CONNECTION);
		wait_for(&box, INIT_FD_CONNECTION, WAITED_CLIENT);
		send_message(ends[0], data + 1, length, 1);
		serve(&box, INIT_FD_CONNECTION);
		keep_number();
		play(&box, data + 1 + length, size - 1 - length);
	}
	finish();
	return 0;
}
