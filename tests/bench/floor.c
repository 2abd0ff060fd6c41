/* The floor: the bare system calls that make the same box as pam_nsbox does under its default policy, as fast as we know
 * how to order them. The same namespaces, a tmpfs of the box's own with the hosts file and /dev/shm bound out of it,
 * message queues, a new procfs after the host's has been taken away, the host name, an exec'd PID 1 that no wait() of
 * the caller's sees and that outlives the caller, none of the caller's descriptors left in it, and the caller inside.
 * With private_tmp, /tmp and /var/tmp too; with everything, all that the policy "everything" of the bench asks for.
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
#include <limits.h>
#include <mntent.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_move_mount
#define SYS_open_tree  428
#define SYS_move_mount 429
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
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

/* A sysfs of the new network namespace, with what is mounted on the old one moved over, and cgroup file systems of the new
 * cgroup namespace in the place of the old ones.
 */
static int replace_sys(struct floor *floor)
{
	char path[PATH_MAX], old[] = "old-cgroup-a";

	if (mkdir("sys", 0700) < 0 || mkdir("old-sys", 0700) < 0 ||
		mount("sysfs", "sys", "sysfs", FLAGS | MS_NOEXEC, NULL) < 0)
		return fail(floor, "sysfs");
	for (int i = 0; i < floor->n_mounts; i++) {
		if (!floor->mounts[i].on_sys)
			continue;
		strcpy(path, floor->mounts[i].path + 1);
		if (syscall(SYS_move_mount, AT_FDCWD, floor->mounts[i].path, AT_FDCWD, path, 0) < 0)
			return fail(floor, "move to the new sysfs");
	}
	if (syscall(SYS_move_mount, AT_FDCWD, "/sys", AT_FDCWD, "old-sys", 0) < 0 ||
		syscall(SYS_move_mount, AT_FDCWD, "sys", AT_FDCWD, "/sys", 0) < 0)
		return fail(floor, "/sys");
	for (int i = 0; i < floor->n_mounts; i++, old[sizeof(old) - 2]++) {
		const struct floor_mount *mounted = &floor->mounts[i];

		if (!mounted->type[0])
			continue;
		if (mkdir(old, 0700) < 0 ||
			syscall(SYS_move_mount, AT_FDCWD, mounted->path, AT_FDCWD, old, 0) < 0 ||
			mount("cgroup", mounted->path, mounted->type, FLAGS | MS_NOEXEC,
				strcmp(mounted->type, "cgroup2") == 0 ? NULL : mounted->options) < 0)
			return fail(floor, mounted->path);
	}
	return 0;
}

static int bind_read_only(const char *source, const char *path)
{
	struct {
		uint64_t set, clear, propagation, userns;
	} attributes = {.set = 1}; /* MOUNT_ATTR_RDONLY */
	int fd = (int)syscall(
		SYS_open_tree, AT_FDCWD, source, 0x80001 | 0x8000); /* clone, close on exec, recursive */

	return fd < 0 || syscall(SYS_mount_setattr, fd, "", 0x1000 | 0x8000, &attributes,
				 sizeof(attributes)) < 0
		       ? -1
		       : (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, path, 4);
}

/* The policy "everything" of run, by hand. */
static int do_everything(struct floor *floor)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (replace_sys(floor) != 0)
		return 1;
	if (bind_read_only("/usr", "/usr") < 0 || bind_read_only("/etc", "/srv") < 0)
		return fail(floor, "read-only");
	if (mkdir("nothing", 0) < 0 || mount("nothing", "/boot", NULL, MS_BIND, NULL) < 0 ||
		mount(NULL, "/boot", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | FLAGS, NULL) < 0)
		return fail(floor, "inaccessible");
	if (mount("tmpfs", "/mnt", "tmpfs", FLAGS, "mode=0755,size=10%,nr_inodes=400k") < 0)
		return fail(floor, "temporary");
	if (mkdir("upper", 0755) < 0 || mkdir("work", 0700) < 0 ||
		mount("overlay", "/opt", "overlay", FLAGS, "lowerdir=/opt,upperdir=upper,workdir=work") < 0)
		return fail(floor, "ephemeral");
	if (mount(NULL, "/var/tmp", NULL, MS_BIND | MS_REMOUNT | MS_NOEXEC | FLAGS, NULL) < 0)
		return fail(floor, "not to be executed");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) < 0)
		return fail(floor, "loopback");
	return 0;
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
	if (floor->everything && do_everything(floor) != 0)
		return 1;
	if (mount(STORE, "/proc", NULL, MS_MOVE, NULL) < 0 ||
		mount("proc", "/proc", "proc", FLAGS | MS_NOEXEC,
			floor->everything ? "hidepid=invisible,subset=pid" : NULL) < 0)
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

static int namespaces(const struct floor *floor)
{
	return NAMESPACES | (floor->everything ? CLONE_NEWNET | CLONE_NEWCGROUP : 0);
}

/* Ends, so that PID 1 belongs to the host's init; shares the caller's descriptors, so that the pidfd is in its hands. */
static int intermediate(void *data)
{
	struct floor *floor = data;

	if (clone(holder, floor->stacks[1] + sizeof(floor->stacks[1]),
		    CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | namespaces(floor), floor,
		    &floor->box) < 0)
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
	if (!floor->step && setns(floor->box, namespaces(floor)) < 0)
		fail(floor, "setns");
	if (!floor->step)
		return 0;
	fprintf(stderr, "floor: %s: %s\n", floor->step, strerror(floor->failed));
	return -1;
}

int floor_close(struct floor *floor)
{
	static const int kinds[] = {
		CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};

	for (int i = 0; i < (floor->everything ? 6 : 4); i++)
		if (setns(floor->way_back[i], kinds[i]) < 0)
			return perror("floor: setns"), -1;
	if (syscall(SYS_pidfd_send_signal, floor->box, SIGKILL, NULL, 0) < 0)
		return perror("floor: kill"), -1;
	return 0;
}

/* Whether a mount of a cgroup hierarchy shows more than this process's cgroup: the root of its cgroup namespace. */
static bool shows_more(const struct mntent *entry)
{
	char line[512];
	bool found = false;
	FILE *file = fopen("/proc/self/cgroup", "re");

	/* number:controllers:path */
	while (file && !found && fgets(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':') + 1, *path = strchr(controllers, ':');

		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		found = strcmp(path, "/") != 0 && (controllers[0] ? hasmntopt(entry, controllers) != NULL
								  : strcmp(entry->mnt_type, "cgroup2") == 0);
	}
	if (file)
		fclose(file);
	return found;
}

/* What is mounted below /sys, and where a cgroup file system is among it. */
static int read_mounts(struct floor *floor)
{
	FILE *file = setmntent("/proc/self/mounts", "re");
	const struct mntent *entry;

	while (file && (entry = getmntent(file))) {
		struct floor_mount *mounted = &floor->mounts[floor->n_mounts];
		size_t length = 0;
		bool is_below = false;

		if (strncmp(entry->mnt_dir, "/sys/", 5) != 0)
			continue;
		if (floor->n_mounts == FLOOR_MOUNTS || strlen(entry->mnt_dir) >= sizeof(mounted->path)) {
			fprintf(stderr, "floor: too much is mounted below /sys\n");
			return -1;
		}
		for (int i = 0; i < floor->n_mounts; i++) {
			length = strlen(floor->mounts[i].path);
			is_below = is_below || (strncmp(entry->mnt_dir, floor->mounts[i].path, length) == 0 &&
						       entry->mnt_dir[length] == '/');
		}
		strcpy(mounted->path, entry->mnt_dir);
		mounted->on_sys = !is_below;
		if (strncmp(entry->mnt_type, "cgroup", 6) == 0 && shows_more(entry)) {
			const char *options = entry->mnt_opts;

			strcpy(mounted->type, entry->mnt_type);
			/* What follows the flags of the mount are the options of the file system. */
			if (strncmp(options, "rw,relatime", 11) == 0)
				options += options[11] ? 12 : 11;
			snprintf(mounted->options, sizeof(mounted->options), "%s", options);
		}
		floor->n_mounts++;
	}
	if (file)
		endmntent(file);
	return 0;
}

int floor_prepare(struct floor *floor, const char *init, bool private_tmp, bool everything)
{
	static const char *const names[] = {"mnt", "uts", "ipc", "pid_for_children", "net", "cgroup"};
	char path[64];
	int fd;
	long size;

	floor->private_tmp = private_tmp || everything;
	floor->everything = everything;
	if (everything && read_mounts(floor) < 0)
		return -1;
	floor->init = open(init, O_PATH | O_CLOEXEC);
	if (floor->init < 0)
		return perror(init), -1;
	for (int i = 0; i < 6; i++) {
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
