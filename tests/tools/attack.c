/* Tries to reach something from where it runs, and exits with 0 if that worked, 1 if it did not, having said why.
 *
 *	attack signal PID [NUMBER]	kill(2), with signal 0 without NUMBER
 *	attack count			prints how many processes answer to a number up to 65536
 *	attack trace PID		ptrace(2)
 *	attack descriptor PID FD	pidfd_getfd(2)
 *	attack uncover PATH		umount2(2)
 *	attack connect NAME		to a socket; one that begins with "@" is abstract
 *	attack type PATH		puts a character into the input of a terminal
 *	attack device PATH		makes a node for the device of /dev/null there, and writes to it
 *	attack module			loads a kernel module that is none: ENOEXEC, if it were not for that
 *	attack victim NAME		is what the others reach: listens at NAME, lets itself be traced, holds descriptor 9
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static socklen_t name_socket(const char *name, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strncpy(address->sun_path, name, sizeof(address->sun_path) - 1);
	if (name[0] != '@')
		return sizeof(*address);
	address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
}

static int attack_signal(char **argv)
{
	return kill(atoi(argv[0]), argv[1] ? atoi(argv[1]) : 0);
}

static int attack_count(char **argv)
{
	int found = 0;

	(void)argv;
	for (int pid = 1; pid <= 65536; pid++)
		if (kill(pid, 0) == 0 || errno != ESRCH)
			found++;
	printf("%d\n", found);
	return 0;
}

static int attack_trace(char **argv)
{
	return (int)ptrace(PTRACE_SEIZE, atoi(argv[0]), NULL, NULL);
}

static int attack_descriptor(char **argv)
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(argv[0]), 0);

	return pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, argv[1] ? atoi(argv[1]) : 0, 0);
}

static int attack_uncover(char **argv)
{
	return umount2(argv[0], MNT_DETACH);
}

static int attack_connect(char **argv)
{
	struct sockaddr_un address;
	socklen_t size = name_socket(argv[0], &address);

	return connect(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr *)&address, size);
}

static int attack_type(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_NOCTTY);

	return fd < 0 ? -1 : ioctl(fd, TIOCSTI, "x");
}

static int attack_device(char **argv)
{
	int fd = mknod(argv[0], S_IFCHR | 0666, makedev(1, 3)) < 0 ? -1 : open(argv[0], O_WRONLY);

	return fd < 0 ? -1 : (int)write(fd, "x", 1);
}

static int attack_module(char **argv)
{
	int result = (int)syscall(SYS_init_module, "no module", 9, "");

	(void)argv;
	return result < 0 && errno == ENOEXEC ? 0 : result;
}

static int be_victim(char **argv)
{
	struct sockaddr_un address;
	socklen_t size = name_socket(argv[0], &address);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (bind(fd, (const struct sockaddr *)&address, size) < 0 || listen(fd, 100) < 0 || dup2(fd, 9) < 0)
		return -1;
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

static const struct {
	const char *name;
	int n_arguments; /* that it must have */
	int (*run)(char **argv);
} attacks[] = {
	{"signal", 1, attack_signal},
	{"count", 0, attack_count},
	{"trace", 1, attack_trace},
	{"descriptor", 2, attack_descriptor},
	{"uncover", 1, attack_uncover},
	{"connect", 1, attack_connect},
	{"type", 1, attack_type},
	{"device", 1, attack_device},
	{"module", 0, attack_module},
	{"victim", 1, be_victim},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(attacks) / sizeof(*attacks); i++) {
		if (strcmp(argv[1], attacks[i].name) != 0 || argc - 2 < attacks[i].n_arguments)
			continue;
		if (attacks[i].run(argv + 2) >= 0)
			return 0;
		fprintf(stderr, "attack: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	fprintf(stderr, "usage: attack WHAT [ARGUMENT...]\n");
	return 2;
}
