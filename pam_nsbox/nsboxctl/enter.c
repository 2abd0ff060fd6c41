/* enter: a command in a live box. */
#include "../box/box.h"
#include "../box/kernel.h"
#include "../namespaces.h"
#include "boxes.h"
#include "commands.h"
#include "terminal.h"
#include "user.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#define CGROUP2_MAGIC 0x63677270 /* linux/magic.h */

struct visit {
	struct live_box box;
	struct user user;
	char **command;
	int self;   /* pidfd of the box's nsbox-init */
	int cgroup; /* its cgroup.procs, or -1: nothing to join */
	struct rlimit limits[RLIM_NLIMITS];
	struct terminal terminal;
	sigset_t signals; /* the mask before */
};

/* --- what is gathered outside --- */

/* The lease keeps the box from ending while somebody is in it. It is this process's, and ends with it. The log tells who came as
 * it does of logins.
 */
static int take_lease(struct visit *visit, const char *user)
{
	struct lease_request request = {.operation = LEASE_JOIN, .digest = visit->box.record.digest};
	cleanup_fd int me = sys_pidfd_open(getpid());
	cleanup_fd int connection = -1;
	struct lease_reply reply = {.head = {.error = 0}};
	int result;

	box_describe(visit->box.record.policy, user, "nsboxctl", NULL, ttyname(STDIN_FILENO), request.who,
		sizeof(request.who));
	result = me < 0 ? me : live_ask(visit->box.pid, &request, me, &connection, &visit->self);
	if (result >= 0)
		result = live_receive(connection, &reply);
	if (result >= 0 && reply.head.error != 0)
		result = -reply.head.error;
	if (result >= 0 && strcmp(reply.record.id, visit->box.record.id) != 0)
		result = -ESRCH;
	if (result == -ESHUTDOWN)
		complain("box %s is being stopped; nobody may enter it any more", visit->box.record.id);
	else if (result < 0)
		complain("box %s gives no lease: %s; nsboxctl list shows whether it is still live",
			visit->box.record.id, strerror(-result));
	return result < 0 ? result : 0;
}

/* Those in which the box's nsbox-init and this process differ: more than the box's own, if it lies in another
 * box. */
static int namespaces_between(pid_t pid)
{
	int mask = 0;

	for (size_t i = 0; i < n_namespace_kinds; i++) {
		char path[64];
		struct stat mine, its;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_kinds[i].proc);
		if (stat(path, &mine) < 0)
			return -errno;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, namespace_kinds[i].proc);
		if (stat(path, &its) < 0)
			return -errno;
		if (mine.st_ino != its.st_ino)
			mask |= namespace_kinds[i].flag;
	}
	return mask;
}

/* The line "0::/path" of cgroups(7) version 2. */
static bool read_cgroup(const char *process, char *buf, size_t size)
{
	char path[64];
	FILE *file;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%s/cgroup", process);
	file = fopen(path, "re");
	while (file && !found && fgets(buf, (int)size, file))
		found = strncmp(buf, "0::", 3) == 0;
	if (file)
		fclose(file);
	buf[strcspn(buf, "\n")] = '\0';
	if (found)
		memmove(buf, buf + 3, strlen(buf + 3) + 1);
	return found;
}

/* What the box's processes may use of the machine is accounted, and limited, where its first login's session
 * is. */
static void find_cgroup(struct visit *visit)
{
	static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char its[4096], mine[4096], process[16], path[8300];
	struct statfs fs;

	visit->cgroup = -1;
	snprintf(process, sizeof(process), "%d", (int)visit->box.pid);
	if (!read_cgroup(process, its, sizeof(its)) || !read_cgroup("self", mine, sizeof(mine))) {
		complain("note: the box's cgroup is not joined, for there is no cgroup of version 2");
		return;
	}
	if (strcmp(its, mine) == 0)
		return;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts) && visit->cgroup < 0; i++) {
		if (statfs(mounts[i], &fs) < 0 || fs.f_type != CGROUP2_MAGIC)
			continue;
		snprintf(path, sizeof(path), "%s%s/cgroup.procs", mounts[i], its);
		visit->cgroup = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (visit->cgroup < 0)
		complain("note: the box's cgroup, %s, is not joined: %s", its, strerror(errno));
}

/* The box's maker told its limits. A box that an older module made has those of its nsbox-init. */
static void read_limits(struct visit *visit)
{
	const struct box_record *record = &visit->box.record;

	for (unsigned int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit *limit = &visit->limits[i];

		if (i < record->n_limits && i < BOX_LIMITS)
			*limit = (struct rlimit){
				.rlim_cur = record->limits[i].soft, .rlim_max = record->limits[i].hard};
		else if (prlimit(visit->box.pid, (enum __rlimit_resource)i, NULL, limit) < 0)
			getrlimit((enum __rlimit_resource)i, limit);
	}
}

/* --- inside --- */

static const char *limit_name(int resource)
{
	static const char *const names[RLIM_NLIMITS] = {
		[RLIMIT_AS] = "AS",
		[RLIMIT_CORE] = "CORE",
		[RLIMIT_CPU] = "CPU",
		[RLIMIT_DATA] = "DATA",
		[RLIMIT_FSIZE] = "FSIZE",
		[RLIMIT_LOCKS] = "LOCKS",
		[RLIMIT_MEMLOCK] = "MEMLOCK",
		[RLIMIT_MSGQUEUE] = "MSGQUEUE",
		[RLIMIT_NICE] = "NICE",
		[RLIMIT_NOFILE] = "NOFILE",
		[RLIMIT_NPROC] = "NPROC",
		[RLIMIT_RSS] = "RSS",
		[RLIMIT_RTPRIO] = "RTPRIO",
		[RLIMIT_RTTIME] = "RTTIME",
		[RLIMIT_SIGPENDING] = "SIGPENDING",
		[RLIMIT_STACK] = "STACK",
	};

	return names[resource] ? names[resource] : "?";
}

static void set_limits(const struct visit *visit)
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (setrlimit((enum __rlimit_resource)i, &visit->limits[i]) < 0)
			complain("note: the box's limit RLIMIT_%s is not taken on: %s", limit_name(i),
				strerror(errno));
}

/* Runs in the child, in the box. */
static _Noreturn void become_inmate(struct visit *visit)
{
	const struct box_record *record = &visit->box.record;
	struct policy policy = {
		.bounding_set_given = record->bounding_set_given,
		.bounding_set = record->bounding_set,
		.no_new_privileges = record->no_new_privileges,
	};
	struct box_failure failure;
	int result;

	if (visit->cgroup >= 0 && write(visit->cgroup, "0", 1) < 0)
		complain("note: the box's cgroup is not joined: %s", strerror(errno));
	set_limits(visit);
	result = terminal_become(&visit->terminal);
	if (result < 0) {
		complain("the terminal made in the box cannot be used: %s", strerror(-result));
		_exit(STATUS_FAILED);
	}
	sigprocmask(SIG_SETMASK, &visit->signals, NULL);
	/* Less than the box allows itself would be no look from inside; more must never be had. */
	if (box_confine(&policy, &failure) < 0) {
		complain("the box's capability bounding set or no_new_privs cannot be taken on: %s; nothing "
			 "was run",
			strerror(failure.error));
		_exit(STATUS_FAILED);
	}
	user_exec(&visit->user, record->id, visit->command);
}

static int run(struct visit *visit)
{
	pid_t child;
	int status;

	if (isatty(STDIN_FILENO)) {
		int result = terminal_open(&visit->terminal, visit->user.uid);

		if (result < 0) {
			complain("no terminal can be made in box %s: %s; without one, give it </dev/null",
				visit->box.record.id, strerror(-result));
			return STATUS_FAILED;
		}
	}
	terminal_block_signals(&visit->signals);
	fflush(stdout);
	child = fork();
	if (child < 0) {
		complain("no process can be made in box %s: %s", visit->box.record.id, strerror(errno));
		return STATUS_FAILED;
	}
	if (child == 0)
		become_inmate(visit);
	status = terminal_proxy(&visit->terminal, child);
	return user_exit_status(status);
}

/* All that needs the host's view comes before setns(2); afterwards this process carries bytes and waits. It
 * stays outside of the box's PID namespace, so nobody inside sees it.
 */
static int enter(struct visit *visit, const char *id, const char *user)
{
	int mask, result;

	if (user_look_up(user, &visit->user) < 0 || boxes_find(id, &visit->box) < 0)
		return STATUS_FAILED;
	if (!visit->box.answered) {
		complain("the nsbox-init of box %s, PID %d, does not answer; nobody can enter", id,
			(int)visit->box.pid);
		return STATUS_FAILED;
	}
	if (take_lease(visit, user) < 0)
		return STATUS_FAILED;
	mask = namespaces_between(visit->box.pid);
	find_cgroup(visit);
	read_limits(visit);
	result = isatty(STDIN_FILENO) ? 0 : terminal_only_write();
	if (result < 0) {
		complain("box %s is not entered, for what runs there could read from this terminal: %s; send "
			 "output elsewhere",
			visit->box.record.id, strerror(-result));
		return STATUS_FAILED;
	}
	if (mask < 0 || (mask > 0 && setns(visit->self, mask) < 0)) {
		int error = mask < 0 ? -mask : errno;

		complain("box %s cannot be entered: %s%s", visit->box.record.id, strerror(error),
			error == EPERM ? "; it needs CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_SYS_CHROOT"
				       : "; nsboxctl list shows whether it is still live");
		return STATUS_FAILED;
	}
	return run(visit);
}

int command_enter(int argc, char **argv)
{
	struct visit visit = {.self = -1, .cgroup = -1, .terminal = {.master = -1, .slave = -1}};
	const char *user = "root";
	int letter, status;

	while ((letter = next_option(argc, argv)) != -1)
		switch (letter) {
		case 'u': user = optarg; break;
		default: return STATUS_USAGE;
		}
	if (optind == argc)
		return complain_about_call("which box?");
	visit.command = argv + optind + 1;
	status = is_root() ? enter(&visit, argv[optind], user) : STATUS_FAILED;
	terminal_close(&visit.terminal);
	user_free(&visit.user);
	return status;
}
