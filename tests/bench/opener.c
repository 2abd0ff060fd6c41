/* One process that opens and closes, over and over: the floor, or a PAM session. The runner tells it when, so that many
 * of them take turns and a drift of the machine hits all alike.
 *
 *	opener [OPTION]... floor INIT			the floor; INIT is floor-init
 *	opener [OPTION]... pam CONFDIR SERVICE USER	a PAM session, with the stack of that service
 *
 *	--private-tmp	the floor's box has its own /tmp and /var/tmp
 *	--everything	the floor's box has all that the policy "everything" of run asks for
 *	--hold MIB	memory of the caller's that is resident
 *	--boxes N	opens N sessions and keeps them all open, each from the host's namespaces
 *	--users		those are sessions of USER0, USER1 and so on
 *	--teardown	waits for the end of each box, which is to be one of the session's own, and measures it
 *	--mark		makes a system call that fails, getpgid(-1), right before and right after each opening, for strace
 *
 * It says "ready". Then each line on standard input that is a number N asks for N rounds. For each a line is written:
 * nanoseconds to open, to close, from then until the box is gone (0 without --teardown), and for the account phase before
 * (0 for the floor). End of file ends it.
 */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static const struct {
	const char *name;
	int flag;
} kinds[] = {{"mnt", CLONE_NEWNS}, {"uts", CLONE_NEWUTS}, {"ipc", CLONE_NEWIPC},
	{"pid_for_children", CLONE_NEWPID}, {"net", CLONE_NEWNET}, {"cgroup", CLONE_NEWCGROUP}};
enum { N_KINDS = sizeof(kinds) / sizeof(*kinds) };

static int way_back[N_KINDS];
static bool is_marked;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "opener: %s: %s\n", what, why);
	exit(1);
}

static int converse(int n, const struct pam_message **messages, struct pam_response **responses, void *data)
{
	(void)data;
	for (int i = 0; i < n; i++)
		fprintf(stderr, "opener: %s\n", messages[i]->msg);
	*responses = calloc((size_t)n, sizeof(**responses));
	return *responses ? PAM_SUCCESS : PAM_BUF_ERR;
}

static pam_handle_t *start(const char *confdir, const char *service, const char *user)
{
	static const struct pam_conv conversation = {.conv = converse};
	pam_handle_t *pamh;
	int result = pam_start_confdir(service, user, &conversation, confdir, &pamh);

	if (result != PAM_SUCCESS)
		die(service, pam_strerror(NULL, result));
	return pamh;
}

static void decide(pam_handle_t *pamh)
{
	int result = pam_acct_mgmt(pamh, 0);

	if (result != PAM_SUCCESS)
		die("acct_mgmt", pam_strerror(pamh, result));
}

static void open_session(pam_handle_t *pamh)
{
	int result = pam_open_session(pamh, 0);

	if (result != PAM_SUCCESS)
		die("open_session", pam_strerror(pamh, result));
}

/* pam_namespace leaves its caller where it is; for the next round it has to be back. */
static void go_back(void)
{
	for (int i = 0; i < N_KINDS; i++)
		if (setns(way_back[i], kinds[i].flag) < 0)
			die("setns", strerror(errno));
}

static void save_way_back(void)
{
	char path[64];

	for (int i = 0; i < N_KINDS; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i].name);
		way_back[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (way_back[i] < 0)
			die(path, strerror(errno));
	}
}

/* A pidfd of the PID 1 of the box that this process is in. A child is a process of that box, and has the same descriptors. */
static int holder_of_this_box(void)
{
	int status;
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);

	if (child == 0)
		_exit((int)syscall(SYS_pidfd_open, 1, 0));
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
		WEXITSTATUS(status) > 127)
		die("pidfd_open", "of a box's process 1");
	return WEXITSTATUS(status);
}

static uint64_t wait_until_gone(int holder)
{
	struct pollfd ended = {.fd = holder, .events = POLLIN};
	uint64_t begin = now();

	if (holder < 0)
		return 0;
	poll(&ended, 1, 10000);
	close(holder);
	return now() - begin;
}

static void report(uint64_t opened, uint64_t closed, uint64_t gone, uint64_t decided)
{
	printf("%llu %llu %llu %llu\n", (unsigned long long)opened, (unsigned long long)closed,
		(unsigned long long)gone, (unsigned long long)decided);
	fflush(stdout);
	usleep(3000); /* what the kernel puts off, it does now and not in somebody else's time */
}

static void mark(void)
{
	if (is_marked)
		syscall(SYS_getpgid, -1);
}

static void run_floor(struct floor *floor)
{
	uint64_t begin = now(), opened, closed;

	mark();
	if (floor_open(floor) < 0)
		exit(1);
	opened = now() - begin;
	mark();
	begin = now();
	if (floor_close(floor) < 0)
		exit(1);
	closed = now() - begin;
	report(opened, closed, wait_until_gone(floor->box), 0);
}

/* Each login has a handle of its own, and the account phase goes before its opening. (A handle that is kept gets slower:
 * pam_modutil_getpwnam(3), which pam_namespace calls, keeps an entry in it each time, and looks for a free name from the first one on.
 * After 250 sessions on one handle pam_namespace took 12 ms.)
 */
static void run_pam(char **argv, bool is_box)
{
	pam_handle_t *pamh = start(argv[1], argv[2], argv[3]);
	uint64_t begin = now(), decided, opened, closed;
	int holder = -1, result;

	decide(pamh);
	decided = now() - begin;
	begin = now();
	mark();
	open_session(pamh);
	opened = now() - begin;
	mark();
	if (is_box)
		holder = holder_of_this_box();
	begin = now();
	result = pam_close_session(pamh, 0);
	closed = now() - begin;
	if (result != PAM_SUCCESS)
		die("close_session", pam_strerror(pamh, result));
	go_back();
	pam_end(pamh, PAM_SUCCESS);
	report(opened, closed, wait_until_gone(holder), decided);
}

/* Many boxes are many descriptors. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void hold(size_t mib)
{
	char *memory =
		mmap(NULL, (mib << 20) + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("--hold", strerror(errno));
	madvise(memory, mib << 20,
		MADV_NOHUGEPAGE); /* a page table's worth a MiB, as in a process with a heap */
	memset(memory, 1, mib << 20);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"private-tmp", no_argument, NULL, 't'},
		{"everything", no_argument, NULL, 'e'},
		{"hold", required_argument, NULL, 'm'},
		{"boxes", required_argument, NULL, 'b'},
		{"users", no_argument, NULL, 'u'},
		{"teardown", no_argument, NULL, 'x'},
		{"mark", no_argument, NULL, 'k'},
		{NULL, 0, NULL, 0},
	};
	static struct floor floor;
	bool private_tmp = false, everything = false, is_box = false, is_pam = false, has_users = false;
	long boxes = 0;
	char line[32];
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (option) {
		case 't': private_tmp = true; break;
		case 'e': everything = true; break;
		case 'm': hold(strtoul(optarg, NULL, 10)); break;
		case 'b': boxes = atol(optarg); break;
		case 'u': has_users = true; break;
		case 'x': is_box = true; break;
		case 'k': is_marked = true; break;
		default: return 2;
		}
	argv += optind;
	argc -= optind;
	raise_limit();
	save_way_back();
	if (argc == 2 && strcmp(argv[0], "floor") == 0) {
		if (floor_prepare(&floor, argv[1], private_tmp, everything) < 0)
			return 1;
	} else if (argc == 4 && strcmp(argv[0], "pam") == 0) {
		is_pam = true;
	} else {
		fprintf(stderr, "opener: see the head of opener.c\n");
		return 2;
	}
	for (long i = 0; i < boxes; i++) {
		pam_handle_t *pamh;
		char user[64];

		snprintf(user, sizeof(user), has_users ? "%s%ld" : "%s", argv[3], i);
		pamh = start(argv[1], argv[2], user);
		decide(pamh);
		open_session(pamh);
		go_back();
	}
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		for (long n = atol(line); n > 0; n--)
			if (is_pam)
				run_pam(argv, is_box);
			else
				run_floor(&floor);
	return 0;
}
