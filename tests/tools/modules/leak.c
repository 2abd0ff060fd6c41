/* A PAM module for tests: each session leaves behind what its argument says. It stands behind pam_nsbox.so, where a leak
 * of ours would be, and shows that a test would see one.
 *
 *	leak.so WHAT
 *
 *	descriptor, process, mount	when the session closes, outside of the box
 *	memory				16 KiB of the caller's, likewise
 *	namespace			when it opens: a descriptor of the box's mount namespace
 *	hidden				the same, sent to a socket that nobody reads: no /proc shows it
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAM_SM_SESSION
#include <security/pam_modules.h>

static bool leak_process(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		pause();
		_exit(0);
	}
	return pid > 0;
}

static bool leak_mount(void)
{
	return (mkdir("/run/leak", 0700) == 0 || access("/run/leak", F_OK) == 0) &&
	       mount("leak", "/run/leak", "tmpfs", 0, NULL) == 0;
}

static bool leak_memory(void)
{
	char *memory = malloc(16 << 10);

	if (!memory)
		return false;
	memset(memory, 1, 16 << 10);
	__asm__ volatile("" : : "r"(memory) : "memory"); /* the compiler must not see that nobody needs it */
	/* cppcheck-suppress memleak ; it is what this module is for */
	return true;
}

/* While the session is open the caller has no number in the procfs that it sees, but nsbox-init has. */
static int box_namespace(void)
{
	return open("/proc/1/ns/mnt", O_RDONLY);
}

/* A stream that has a reader keeps what was sent to it. Its buffer holds some hundreds of messages. */
static bool hide(int fd)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS}};
	char byte = 0;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer)};
	char path[32];
	int ends[2] = {-1, -1};
	bool sent;

	/* The module is unloaded with each session; the environment stays. */
	if (!getenv("LEAK_SOCKET")) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
			return false;
		snprintf(path, sizeof(path), "%d", ends[0]);
		setenv("LEAK_SOCKET", path, 1);
	}
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	sent = sendmsg(atoi(getenv("LEAK_SOCKET")), &message, MSG_DONTWAIT) == 1;
	close(fd);
	return sent;
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	bool leaked = true;

	(void)pamh, (void)flags;
	if (argc == 1 && strcmp(argv[0], "namespace") == 0)
		leaked = box_namespace() >= 0;
	else if (argc == 1 && strcmp(argv[0], "hidden") == 0)
		leaked = hide(box_namespace());
	return leaked ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	bool leaked = true;

	(void)pamh, (void)flags;
	if (argc == 1 && strcmp(argv[0], "descriptor") == 0)
		leaked = open("/dev/null", O_RDONLY) >= 0;
	else if (argc == 1 && strcmp(argv[0], "process") == 0)
		leaked = leak_process();
	else if (argc == 1 && strcmp(argv[0], "mount") == 0)
		leaked = leak_mount();
	else if (argc == 1 && strcmp(argv[0], "memory") == 0)
		leaked = leak_memory();
	return leaked ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}
