#include "sysfs.h"
#include "inside.h"
#include "kernel.h"
#include "mounts.h"

#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define NEW_SYSFS "sys" /* in the file system of the box's own, while it is filled */

/* 1, 0 or a negative errno; a negative fd is handed on, as the error that it is. */
static int is_sysfs(int fd)
{
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return fd < 0 ? fd : -errno;
	return fs.f_type == SYSFS_MAGIC;
}

/* A procfs that shows this process. */
static int own_procfs(const struct inside *inside)
{
	return inside->is_placed[INIT_FD_PROC] ? INIT_FD_PROC : -1;
}

/* The old sysfs and the new one, while what is mounted on the one is moved to the other. */
struct two_sysfs {
	struct inside *inside;
	int from, to;
};

static int open_in(int dir, const char *path)
{
	const struct nsbox_open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = NSBOX_RESOLVE_BENEATH | NSBOX_RESOLVE_NO_SYMLINKS,
	};

	return sys_openat2(dir, path, &how);
}

/* What a user namespace's mounts came with is locked, and cannot be moved; a copy of it is not. */
static int move_or_copy(int from, int to)
{
	const unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
	int result = sys_move_mount(from, "", to, "", flags);
	cleanup_fd int copy = -1;

	if (result != -EINVAL)
		return result;
	copy = sys_open_tree(from, "", OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	return copy < 0 ? copy : sys_move_mount(copy, "", to, "", flags);
}

static bool is_direct(const struct mount_entry *entry, const void *data)
{
	(void)data;
	return entry->is_direct;
}

/* Moved, not copied: with all that is mounted on it, and as the host's slave that it is. What has gone along with a mount
 * above it is looked for in vain; what was hidden by a mount on the same folder finds that one there, and stays behind.
 */
static int carry_over(const struct mount_entry *entry, void *data)
{
	const struct two_sysfs *sysfs = data;
	const char *path = entry->path + strlen("/sys/");
	cleanup_fd int from = -1, to = -1;
	int result;

	from = open_in(sysfs->from, path);
	result = is_sysfs(from);
	if (result == -ENOENT || result == 1)
		return 0;
	to = result < 0 ? result : open_in(sysfs->to, path);
	result = is_sysfs(to);
	if (result == -ENOENT || result == 0)
		return 0;
	result = result < 0 ? result : move_or_copy(from, to);
	return result < 0 ? inside_fail(sysfs->inside, entry->path, result) : 0;
}

static int make_sysfs(bool read_only)
{
	cleanup_fd int fs = sys_fsopen("sysfs");
	int result = fs < 0 ? fs : sys_fsconfig(fs, NSBOX_FSCONFIG_CREATE, NULL, NULL, 0);

	if (result < 0)
		return result;
	return sys_fsmount(fs, NSBOX_MOUNT_ATTR_NOSUID | NSBOX_MOUNT_ATTR_NODEV | NSBOX_MOUNT_ATTR_NOEXEC |
				       (read_only ? NSBOX_MOUNT_ATTR_RDONLY : 0U));
}

static int fill(struct inside *inside, int old)
{
	struct statfs fs;
	bool is_read_only = fstatfs(old, &fs) == 0 && (fs.f_flags & MS_RDONLY);
	cleanup_fd int made = make_sysfs(is_read_only);
	struct two_sysfs sysfs = {.inside = inside, .from = old, .to = made};
	const struct mount_search search = {
		.below = "/sys",
		.asks = MOUNT_PARENT,
		.needs = MOUNT_PATH,
		.wants = is_direct,
		.visit = carry_over,
		.data = &sysfs,
	};
	int result = made;

	if (made >= 0)
		result = mkdirat(INIT_FD_STORE, NEW_SYSFS, 0700) < 0 ? -errno : 0;
	if (result == 0)
		result = sys_move_mount(made, "", INIT_FD_STORE, NEW_SYSFS, MOVE_MOUNT_F_EMPTY_PATH);
	return result < 0 ? result : mounts_search(own_procfs(inside), &search);
}

/* sysfs shows the devices of the network namespace of whoever mounts it. The new one is filled while it is nobody's yet,
 * from the table of mounts as the host had it.
 */
int sysfs_replace(struct inside *inside)
{
	const int both = CLONE_NEWNS | CLONE_NEWNET;
	cleanup_fd int old = -1;
	int result;

	if ((inside->policy->namespaces & both) != both)
		return 0;
	old = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (old < 0)
		return errno == ENOENT ? 0 : inside_fail(inside, "/sys", -errno);
	result = fill(inside, old);
	if (result == 0)
		result = inside_move_type_aside(inside, "/sys", SYSFS_MAGIC);
	if (result == 0)
		result = sys_move_mount(INIT_FD_STORE, NEW_SYSFS, AT_FDCWD, "/sys", 0);
	return result < 0 && !inside->failure.subject[0] ? inside_fail(inside, "/sys", result) : result;
}

/* --- cgroup --- */

/* Copies the file system's options but those that are a mount's, or that only the first cgroup namespace may set. */
static bool copy_options(const char *options, char *buf, size_t size)
{
	size_t used = 0;

	while (*options) {
		size_t length = strcspn(options, ",");
		bool skip =
			(length == 2 && (strncmp(options, "rw", 2) == 0 || strncmp(options, "ro", 2) == 0)) ||
			strncmp(options, "release_agent=", strlen("release_agent=")) == 0;

		if (!skip) {
			if (used + length + 2 > size)
				return false;
			if (used > 0)
				buf[used++] = ',';
			memcpy(buf + used, options, length);
			used += length;
		}
		options += length + (options[length] == ',');
	}
	buf[used] = '\0';
	return true;
}

/* A mount made in a cgroup namespace shows that namespace's root at its top; one that was made outside shows more. */
static bool shows_more(const struct mount_entry *entry, const void *data)
{
	(void)data;
	return (entry->magic == CGROUP_SUPER_MAGIC || entry->magic == CGROUP2_SUPER_MAGIC) &&
	       strcmp(entry->root, "/") != 0;
}

static int replace_cgroup(const struct mount_entry *entry, void *data)
{
	struct inside *inside = data;
	bool is_v2 = strcmp(entry->type, "cgroup2") == 0;
	char options[256];
	struct statfs fs;
	unsigned long flags;
	int result;

	if (!copy_options(entry->options, options, sizeof(options)))
		return inside_fail(inside, entry->path, -E2BIG);
	if (statfs(entry->path, &fs) < 0)
		return inside_fail(inside, entry->path, -errno);
	flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | ((unsigned long)fs.f_flags & MS_RDONLY);
	result = inside_move_aside(inside, entry->path);
	if (result == 0 && mount("cgroup", entry->path, entry->type, flags, is_v2 ? NULL : options) < 0)
		result = -errno;
	return result < 0 ? inside_fail(inside, entry->path, result) : 0;
}

int sysfs_replace_cgroups(struct inside *inside)
{
	const int both = CLONE_NEWNS | CLONE_NEWCGROUP;
	const struct mount_search search = {
		.below = "/sys",
		.asks = MOUNT_MAGIC | MOUNT_ROOT,
		.needs = MOUNT_PATH | MOUNT_TYPE | MOUNT_OPTIONS,
		.wants = shows_more,
		.visit = replace_cgroup,
		.data = inside,
	};

	if ((inside->policy->namespaces & both) != both)
		return 0;
	return mounts_search(own_procfs(inside), &search);
}
