#include "procfs.h"
#include "inside.h"
#include "kernel.h"
#include "mounts.h"

#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PROC_SUPER_MAGIC 0x9fa0 /* linux/magic.h */

#define COVER		 "cover-" /* and a digit, in the file system of the box's own: what lies over a procfs */
#define MAX_COVERS	 10

/* Detaches what lies on top at path if it is a procfs: looked at and detached by one descriptor. Returns 1 if it was. */
static int detach_top(const char *path)
{
	struct statfs fs;
	cleanup_fd int fd = paths_open(path, 0);

	if (fd >= 0 && fstatfs(fd, &fs) < 0)
		return -errno;
	if (fd < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return 0;
	if (fchdir(fd) == 0) {
		int result = umount2(".", MNT_DETACH) < 0 ? -errno : 1;

		return fchdir(INIT_FD_STORE) < 0 ? -errno : result;
	}
	/* A file of procfs, bound on another file. */
	return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 1;
}

/* Lifts what is mounted on folder until a procfs lies on top at path and is detached, then puts all of it back. Returns 1
 * if one was found.
 */
static int lift(const char *folder, const char *path)
{
	char name[] = COVER "0";
	char *digit = &name[sizeof(name) - 2];
	int found = 0, n = 0;

	while (found == 0 && n < MAX_COVERS) {
		*digit = (char)('0' + n);
		if (mkdirat(INIT_FD_STORE, name, 0700) < 0 && errno != EEXIST)
			return -errno;
		if (sys_move_mount(AT_FDCWD, folder, INIT_FD_STORE, name, 0) < 0)
			break; /* no mount, or none that can be moved */
		n++;
		found = detach_top(path);
	}
	while (n-- > 0) {
		int result;

		*digit = (char)('0' + n);
		result = sys_move_mount(INIT_FD_STORE, name, AT_FDCWD, folder, 0);
		if (result < 0)
			return result;
	}
	return found;
}

static bool is_elsewhere(const struct mount_entry *entry)
{
	return strncmp(entry->path, "/proc", 5) != 0 || (entry->path[5] != '\0' && entry->path[5] != '/');
}

static int detach(const struct mount_entry *entry, void *data)
{
	struct inside *inside = data;
	char folder[PATH_MAX];
	int result;

	if (!is_elsewhere(entry))
		return 0; /* the new one, or an old one moved aside */
	result = detach_top(entry->path);
	if (result == 0 && strlen(entry->path) < sizeof(folder)) {
		/* Something is mounted over it, or over a folder above it. */
		strcpy(folder, entry->path);
		while (result == 0 && folder[0]) {
			result = lift(folder, entry->path);
			*strrchr(folder, '/') = '\0';
		}
	}
	return result < 0 ? inside_fail(inside, entry->path, result) : 0;
}

int procfs_detach_others(struct inside *inside)
{
	const int both = CLONE_NEWNS | CLONE_NEWPID;

	if ((inside->policy->namespaces & both) != both || inside->has_no_other_procfs)
		return 0;
	return mounts_each_procfs(INIT_FD_PROC, detach, inside);
}

static int find(const struct mount_entry *entry, void *data)
{
	(void)data;
	return is_elsewhere(entry);
}

/* mountinfo tells by poll(2) whether anything was mounted in its mount namespace since it was opened
 * (proc_pid_mountinfo(5)).
 */
int procfs_watch(void)
{
	cleanup_fd int watch = raise_fd(open("/proc/thread-self/mountinfo", O_RDONLY | O_CLOEXEC));

	return watch >= 0 && mounts_each_procfs(-1, find, NULL) == 0 ? take_fd(&watch) : -1;
}

/* The mount namespace has been copied: if nothing had been mounted by now, the copy holds what was looked at. */
int procfs_ask(struct inside *inside)
{
	struct pollfd change = {.fd = inside->procfs_watch, .events = POLLPRI};

	inside->has_no_other_procfs = change.fd >= 0 && poll(&change, 1, 0) == 0;
	return 0;
}
