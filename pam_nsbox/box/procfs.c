#include "procfs.h"
#include "../namespaces.h"
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
#define MAX_PASSES	 5

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

/* A place for what is mounted at path, a folder's for a folder and a file's for a file. */
static int make_place(const char *path, const char *name)
{
	cleanup_fd int dir = paths_open(path, O_DIRECTORY);
	int result;

	if (dir < 0 && dir != -ENOTDIR)
		return dir;
	unlinkat(INIT_FD_STORE, name, dir < 0 ? AT_REMOVEDIR : 0);
	result = dir < 0 ? mknodat(INIT_FD_STORE, name, S_IFREG | 0600, 0)
			 : mkdirat(INIT_FD_STORE, name, 0700);
	return result < 0 && errno != EEXIST ? -errno : 0;
}

static int uncover(char *path, size_t from, int *n_lifted);

/* Lifts what is mounted on the folder that is path up to length, mount by mount, until the procfs is found, and puts all of it back.
 */
static int lift(char *path, size_t length, int *n_lifted)
{
	char name[] = COVER "0";
	char *digit = &name[sizeof(name) - 2];
	const char cut = path[length];
	int result = 0, n = 0;

	while (result == 0 && *n_lifted < MAX_COVERS) {
		*digit = (char)('0' + *n_lifted);
		path[length] = '\0';
		result = make_place(path, name);
		if (result == 0)
			result = sys_move_mount(AT_FDCWD, path, INIT_FD_STORE, name, 0);
		path[length] = cut;
		if (result < 0) { /* no mount, or none that can be moved */
			result = 0;
			break;
		}
		n++;
		++*n_lifted;
		result = uncover(path, length, n_lifted);
	}
	for (; n > 0; n--) {
		int back;

		*digit = (char)('0' + --*n_lifted);
		path[length] = '\0';
		back = sys_move_mount(INIT_FD_STORE, name, AT_FDCWD, path, 0);
		path[length] = cut;
		if (back < 0)
			return back;
	}
	return result;
}

/* Detaches the procfs at path, over which something is mounted, or over a folder above it, or both: from lies in path, and what is
 * up to there has been lifted. Returns 1 if it was found.
 */
static int uncover(char *path, size_t from, int *n_lifted)
{
	int result = detach_top(path);

	while (result == 0 && path[from]) {
		from += 1 + strcspn(path + from + 1, "/");
		result = lift(path, from, n_lifted);
	}
	return result;
}

static bool is_elsewhere(const struct mount_entry *entry)
{
	return strncmp(entry->path, "/proc", 5) != 0 || (entry->path[5] != '\0' && entry->path[5] != '/');
}

static int detach(const struct mount_entry *entry, void *data)
{
	struct inside *inside = data;
	char path[PATH_MAX];
	int result, n_lifted = 0;

	if (!is_elsewhere(entry))
		return 0; /* the new one, or an old one moved aside */
	if (strlen(entry->path) >= sizeof(path))
		return inside_fail(inside, entry->path, -ENAMETOOLONG);
	strcpy(path, entry->path);
	result = uncover(path, 0, &n_lifted);
	if (result == 0)
		inside->n_hidden++;
	return result < 0 ? inside_fail(inside, entry->path, result) : 0;
}

static int find(const struct mount_entry *entry, void *data)
{
	(void)data;
	return is_elsewhere(entry);
}

int procfs_detach_others(struct inside *inside)
{
	const int both = CLONE_NEWNS | CLONE_NEWPID;
	int result = 0;

	if ((inside->policy->namespaces & both) != both || inside->has_no_other_procfs)
		return 0;
	/* What was not found may have been unmounted by the host meanwhile; then it is not in the table any more. */
	for (int pass = 0; result == 0 && (pass == 0 || (inside->n_hidden > 0 && pass < MAX_PASSES));
		pass++) {
		inside->n_hidden = 0;
		result = mounts_each_procfs(INIT_FD_PROC, detach, inside);
	}
	/* In another user namespace than the first some mounts cannot be moved, and nobody inside can move them either. */
	if (result == 0 && inside->n_hidden > 0 && in_first_user_namespace())
		result = inside_fail(inside, "a procfs that is mounted below others", -EBUSY);
	return result;
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
