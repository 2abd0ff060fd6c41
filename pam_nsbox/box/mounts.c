#include "mounts.h"
#include "kernel.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* linux/mount.h of Linux 6.8. */
struct mount_id_request {
	uint32_t size;
	uint32_t spare;
	uint64_t mount_id;
	uint64_t param;
};
#define LIST_FROM_ROOT UINT64_MAX
#define MOUNTS_AT_ONCE 128

struct mount_status {
	uint32_t size;
	uint32_t mnt_opts;
	uint64_t mask;
	uint32_t sb_dev_major;
	uint32_t sb_dev_minor;
	uint64_t sb_magic;
	uint32_t sb_flags;
	uint32_t fs_type;
	uint64_t mnt_id;
	uint64_t mnt_parent_id;
	uint32_t mnt_id_old;
	uint32_t mnt_parent_id_old;
	uint64_t mnt_attr;
	uint64_t mnt_propagation;
	uint64_t mnt_peer_group;
	uint64_t mnt_master;
	uint64_t propagate_from;
	uint32_t mnt_root;
	uint32_t mnt_point;
	uint64_t spare2[50];
	char strings[3 * PATH_MAX]; /* a root, a mount point and options */
};

/* The number of the mount on which path lies: one that is never given to another mount (Linux 6.8), for statmount(2), or
 * the one in mountinfo (Linux 5.8). 0: unknown.
 */
static uint64_t mount_of(const char *path, bool is_unique)
{
#ifdef STATX_MNT_ID
	unsigned int kind = is_unique ? STATX_MNT_ID_UNIQUE : STATX_MNT_ID;
	struct statx st;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, kind, &st) == 0 &&
		(st.stx_mask & kind))
		return st.stx_mnt_id;
#else
	(void)path;
	(void)is_unique;
#endif
	return 0;
}

static bool is_in(const struct mount_search *search, const char *path)
{
	size_t length = search->below ? strlen(search->below) : 0;

	return length == 0 || (strncmp(path, search->below, length) == 0 && path[length] == '/');
}

/* --- by statmount(2) --- */

/* ENOSYS: not to be had this way. That is so for options before Linux 6.11, and looks the same where a file system has none; and
 * for a mount that is gone (ENOENT) or out of our root's reach (EPERM), though it was listed a moment ago: the table is
 * sure, for it is read as a whole.
 */
static int ask(uint64_t mount_id, uint64_t mask, struct mount_status *status)
{
	const struct mount_id_request request = {
		.size = sizeof(request), .mount_id = mount_id, .param = mask};
	int result = kernel_call(SYS_statmount, &request, status, sizeof(*status), 0);

	if (result < 0)
		return result == -EPERM || result == -ENOENT ? -ENOSYS : result;
	return (status->mask & mask) == mask ? 0 : -ENOSYS;
}

bool mounts_has(uint64_t mount_id)
{
	struct mount_status status;

	return ask(mount_id, 0, &status) == 0;
}

static const char *string_of(const struct mount_status *status, uint64_t flag, uint32_t offset)
{
	return status->mask & flag ? status->strings + offset : NULL;
}

static struct mount_entry entry_of(const struct mount_status *status, uint64_t top)
{
	return (struct mount_entry){
		.path = string_of(status, MOUNT_PATH, status->mnt_point),
		.root = string_of(status, MOUNT_ROOT, status->mnt_root),
		.type = string_of(status, MOUNT_TYPE, status->fs_type),
		.options = string_of(status, MOUNT_OPTIONS, status->mnt_opts),
		.magic = (uint32_t)status->sb_magic,
		.is_direct = status->mnt_parent_id == top,
	};
}

static int search_one(const struct mount_search *search, uint64_t mount_id, uint64_t top)
{
	struct mount_status status; /* the kernel fills in what it is asked for */
	struct mount_entry entry;
	int result = ask(mount_id, search->asks, &status);

	if (result < 0)
		return result;
	entry = entry_of(&status, top);
	if (!search->wants(&entry, search->data))
		return 0;
	result = ask(mount_id, search->needs, &status);
	if (result < 0)
		return result;
	entry = entry_of(&status, top);
	return is_in(search, entry.path) ? search->visit(&entry, search->data) : 0;
}

static int search_by_statmount(const struct mount_search *search)
{
	uint64_t top = search->below ? mount_of(search->below, true) : LIST_FROM_ROOT;
	struct mount_id_request list = {.size = sizeof(list), .mount_id = top};
	uint64_t ids[MOUNTS_AT_ONCE];
	int count = top == 0 ? -ENOSYS : MOUNTS_AT_ONCE;

	while (count == MOUNTS_AT_ONCE) {
		count = kernel_call(SYS_listmount, &list, ids, MOUNTS_AT_ONCE, 0);
		for (int i = 0; i < count; i++) {
			int result = search_one(search, ids[i], top);

			if (result != 0)
				return result;
			list.param = ids[i];
		}
	}
	return count < 0 ? count : 0;
}

/* --- by mountinfo(5) --- */

static char *next_field(char **rest)
{
	return strsep(rest, " ");
}

/* mountinfo writes space, tab, newline and backslash as three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++)
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
			from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	*to = '\0';
}

static uint32_t magic_of(const char *type)
{
	static const struct {
		const char *type;
		uint32_t magic;
	} known[] = {
		{"proc", PROC_SUPER_MAGIC}, {"cgroup", CGROUP_SUPER_MAGIC}, {"cgroup2", CGROUP2_SUPER_MAGIC}};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(type, known[i].type) == 0)
			return known[i].magic;
	return 0;
}

/* id parent major:minor root mount-point options [optional...] - type source super-options */
bool mounts_parse_line(char *line, struct mount_entry *entry)
{
	char *fields[6], *rest = line, *root, *path, *field, *type, *options;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		fields[i] = next_field(&rest);
		if (!fields[i])
			return false;
	}
	root = fields[3];
	path = fields[4];
	do
		field = next_field(&rest);
	while (field && strcmp(field, "-") != 0);
	type = next_field(&rest);
	next_field(&rest);
	options = next_field(&rest);
	if (!options || path[0] != '/')
		return false;
	unescape(root);
	unescape(path);
	*entry = (struct mount_entry){
		.path = path,
		.root = root,
		.type = type,
		.options = options,
		.magic = magic_of(type),
		.parent = strtoull(fields[1], NULL, 10),
	};
	return true;
}

int mounts_each(int proc, int (*visit)(const struct mount_entry *entry, void *data), void *data)
{
	char text[3 * PATH_MAX]; /* a root, a mount point and options */
	size_t used = 0;
	bool too_long = false;
	cleanup_fd int fd = proc < 0 ? open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)
				     : openat(proc, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return -errno;
	while ((size = read(fd, text + used, sizeof(text) - used)) > 0) {
		char *line = text, *end;

		used += (size_t)size;
		while ((end = memchr(line, '\n', used - (size_t)(line - text)))) {
			struct mount_entry entry;
			int result = 0;

			*end = '\0';
			if (!too_long && mounts_parse_line(line, &entry))
				result = visit(&entry, data);
			too_long = false;
			if (result != 0)
				return result;
			line = end + 1;
		}
		used -= (size_t)(line - text);
		memmove(text, line, used);
		if (used == sizeof(text)) {
			too_long = true;
			used = 0;
		}
	}
	return size < 0 ? -errno : 0;
}

struct search_in_table {
	const struct mount_search *search;
	uint64_t top;
};

static int search_entry(const struct mount_entry *entry, void *data)
{
	const struct search_in_table *table = data;
	const struct mount_search *search = table->search;
	struct mount_entry found = *entry;

	found.is_direct = table->top == 0 || entry->parent == table->top;
	return is_in(search, found.path) && search->wants(&found, search->data)
		       ? search->visit(&found, search->data)
		       : 0;
}

int mounts_search(int proc, const struct mount_search *search)
{
	struct search_in_table table = {.search = search};
	int result = search_by_statmount(search);

	if (result != -ENOSYS)
		return result;
	table.top = search->below ? mount_of(search->below, false) : 0;
	return mounts_each(proc, search_entry, &table);
}

static bool is_procfs(const struct mount_entry *entry, const void *data)
{
	(void)data;
	return entry->magic == PROC_SUPER_MAGIC;
}

int mounts_each_procfs(int proc, int (*visit)(const struct mount_entry *entry, void *data), void *data)
{
	const struct mount_search search = {
		.asks = MOUNT_MAGIC,
		.needs = MOUNT_PATH,
		.wants = is_procfs,
		.visit = visit,
		.data = data,
	};

	return mounts_search(proc, &search);
}
