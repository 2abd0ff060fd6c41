/* The floor: the bare system calls that make the same box as pam_nsbox does under its default policy, as fast as we know
 * how to order them. The same namespaces, a tmpfs of the box's own with the hosts file and /dev/shm bound out of it,
 * message queues, a new procfs after the host's has been taken away, the host name, an exec'd PID 1 that no wait() of
 * the caller's sees and that outlives the caller, none of the caller's descriptors left in it, and the caller inside.
 * With private_tmp, /tmp and /var/tmp too.
 *
 * What it does not do, and what therefore is not in its time:
 *   - PAM, the configuration, NSS, the log; it knows in advance who gets what, and where everything lies
 *   - a way back: descriptors of the caller's namespaces are opened once, in floor_prepare()
 *   - leases: no socket, no registration, nobody who watches the caller; its PID 1 only pauses
 *   - checks: paths are taken by name, symbolic links and all; no search for a procfs at other places than /proc; no
 *     look whether root and directory are the same inside
 *   - signals: not blocked; nothing is undone when a step fails; the maker's death is not noticed
 */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define STORE	   "/run/nsbox"
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID)
#define FLAGS	   (MS_NOSUID | MS_NODEV)

static int fail(struct floor *floor, const char *step)
{
	floor->step = step;
	floor->failed = errno;
	return 1;
}

/* Runs as PID 1 of the box, in the caller's memory, until execve. */
static int holder(void *data)
{
	struct floor *floor = data;
	char *const arguments[] = {(char[]){"floor-init"}, NULL}, *const environment[] = {NULL};
	int hosts;

	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fail(floor, "propagation");
	if (mount("floor", STORE, "tmpfs", FLAGS, "mode=0700,size=10%,nr_inodes=400k") < 0 ||
		chdir(STORE) < 0)
		return fail(floor, "store");
	hosts = open("hosts", O_WRONLY | O_CREAT, 0644);
	if (hosts < 0 || write(hosts, floor->hosts, floor->hosts_size) < 0 || mkdir("shm", 01777) < 0 ||
		mkdir("old", 0700) < 0)
		return fail(floor, "store's content");
	/* A detached mount can be given up only after a grace period of RCU, so PID 1 does that, later. */
	if (syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "old", 0) < 0)
		return fail(floor, "the host's procfs");
	if (mount("hosts", "/etc/hosts", NULL, MS_BIND, NULL) < 0 ||
		mount("shm", "/dev/shm", NULL, MS_BIND, NULL) < 0)
		return fail(floor, "binds");
	if (mount("mqueue", "/dev/mqueue", "mqueue", FLAGS, NULL) < 0 && errno != ENOENT)
		return fail(floor, "mqueue");
	if (floor->private_tmp && (mkdir("tmp", 01777) < 0 || mkdir("var-tmp", 01777) < 0 ||
					  mount("tmp", "/tmp", NULL, MS_BIND, NULL) < 0 ||
					  mount("var-tmp", "/var/tmp", NULL, MS_BIND, NULL) < 0))
		return fail(floor, "tmp");
	if (mount(STORE, "/proc", NULL, MS_MOVE, NULL) < 0 ||
		mount("proc", "/proc", "proc", FLAGS | MS_NOEXEC, NULL) < 0)
		return fail(floor, "procfs");
	if (sethostname("floor", 5) < 0)
		return fail(floor, "hostname");
	setsid();
	if (floor->init != 3)
		dup2(floor->init, 3);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	syscall(SYS_close_range, 4, ~0U, 0);
	syscall(SYS_close_range, 0, 2, 0);
	syscall(SYS_execveat, 3, "", arguments, environment, AT_EMPTY_PATH);
	return fail(floor, "exec");
}

/* Ends, so that PID 1 belongs to the host's init; shares the caller's descriptors, so that the pidfd is in its hands. */
static int intermediate(void *data)
{
	struct floor *floor = data;

	if (clone(holder, floor->stacks[1] + sizeof(floor->stacks[1]),
		    CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | NAMESPACES, floor, &floor->box) < 0)
		fail(floor, "clone");
	return 0;
}

int floor_open(struct floor *floor)
{
	pid_t child;

	floor->step = NULL;
	child = clone(intermediate, floor->stacks[0] + sizeof(floor->stacks[0]),
		CLONE_VM | CLONE_FILES | CLONE_VFORK, floor);
	if (child < 0)
		fail(floor, "clone");
	else
		waitpid(child, NULL, __WALL);
	if (!floor->step && setns(floor->box, NAMESPACES) < 0)
		fail(floor, "setns");
	if (!floor->step)
		return 0;
	fprintf(stderr, "floor: %s: %s\n", floor->step, strerror(floor->failed));
	return -1;
}

int floor_close(struct floor *floor)
{
	static const int kinds[] = {CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID};

	for (int i = 0; i < 4; i++)
		if (setns(floor->way_back[i], kinds[i]) < 0)
			return perror("floor: setns"), -1;
	if (syscall(SYS_pidfd_send_signal, floor->box, SIGKILL, NULL, 0) < 0)
		return perror("floor: kill"), -1;
	return 0;
}

int floor_prepare(struct floor *floor, const char *init, bool private_tmp)
{
	static const char *const names[] = {"mnt", "uts", "ipc", "pid_for_children"};
	char path[64];
	int fd;
	long size;

	floor->private_tmp = private_tmp;
	floor->init = open(init, O_PATH | O_CLOEXEC);
	if (floor->init < 0)
		return perror(init), -1;
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		floor->way_back[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (floor->way_back[i] < 0)
			return perror(path), -1;
	}
	fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? -1 : read(fd, floor->hosts, sizeof(floor->hosts));
	if (size < 0)
		return perror("/etc/hosts"), -1;
	close(fd);
	floor->hosts_size = (unsigned long)size;
	mkdir(STORE, 0700);
	memset(floor->stacks, 1, sizeof(floor->stacks));
	return 0;
}
