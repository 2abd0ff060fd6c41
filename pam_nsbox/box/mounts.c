#include "mounts.h"
#include "kernel.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PROC_SUPER_MAGIC 0x9fa0

/* linux/mount.h of Linux 6.8. */
struct mount_id_request {
	uint32_t size;
	uint32_t spare;
	uint64_t mount_id;
	uint64_t param;
};
#define LIST_FROM_ROOT	    UINT64_MAX
#define STATMOUNT_SB_BASIC  0x1
#define STATMOUNT_MNT_POINT 0x10

struct mount_status {
	uint32_t size;
	uint32_t spare1;
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
	char strings[PATH_MAX];
};

/* What mask asks of one mount, or a negative errno. ENOENT: gone meanwhile. EPERM: not under our root. */
static int ask(uint64_t mount_id, uint64_t mask, struct mount_status *status)
{
	const struct mount_id_request request = {
		.size = sizeof(request), .mount_id = mount_id, .param = mask};
	int result = kernel_call(SYS_statmount, &request, status, sizeof(*status), 0);

	return result == 0 && (status->mask & mask) != mask ? -ENOENT : result;
}

static int each_procfs_by_statmount(int (*visit)(const struct mount_entry *entry, void *data), void *data)
{
	struct mount_id_request list = {.size = sizeof(list), .mount_id = LIST_FROM_ROOT};
	struct mount_status status; /* the kernel fills in what it is asked for */
	uint64_t ids[128];
	int count;

	while ((count = kernel_call(SYS_listmount, &list, ids, 128, 0)) > 0) {
		for (int i = 0; i < count; i++) {
			struct mount_entry entry = {.is_proc = true};
			int result;

			if (ask(ids[i], STATMOUNT_SB_BASIC, &status) < 0 ||
				status.sb_magic != PROC_SUPER_MAGIC)
				continue;
			if (ask(ids[i], STATMOUNT_MNT_POINT, &status) < 0)
				continue;
			entry.path = status.strings + status.mnt_point;
			result = visit(&entry, data);
			if (result != 0)
				return result;
		}
		list.param = ids[count - 1];
	}
	return count;
}

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
		.is_proc = strcmp(type, "proc") == 0,
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

struct only_procfs {
	int (*visit)(const struct mount_entry *entry, void *data);
	void *data;
};

static int visit_procfs(const struct mount_entry *entry, void *data)
{
	const struct only_procfs *only = data;

	return entry->is_proc ? only->visit(entry, only->data) : 0;
}

int mounts_each_procfs(int proc, int (*visit)(const struct mount_entry *entry, void *data), void *data)
{
	struct only_procfs only = {.visit = visit, .data = data};
	int result = each_procfs_by_statmount(visit, data);

	return result == -ENOSYS ? mounts_each(proc, visit_procfs, &only) : result;
}
