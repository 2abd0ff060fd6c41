/* Looking through the mount table without allocating. */
#ifndef NSBOX_MOUNTS_H
#define NSBOX_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What there is to know about a mount; the values are those of statmount(2). */
enum {
	MOUNT_MAGIC = 0x1,
	MOUNT_PARENT = 0x2,
	MOUNT_ROOT = 0x8,
	MOUNT_PATH = 0x10,
	MOUNT_TYPE = 0x20,
	MOUNT_OPTIONS = 0x80,
};

struct mount_entry {
	const char *path;    /* where it is mounted, as the process sees it */
	const char *root;    /* which folder of the file system that is, as the process sees it */
	const char *type;    /* of the file system */
	const char *options; /* of the file system, as it was mounted */
	uint32_t magic;	     /* of the file system (statfs(2)): for procfs and cgroups; 0 may be any other */
	uint64_t parent;     /* mounts_each(): the number in the table of the mount that it lies on */
	bool is_direct;	     /* mounts_search(): it lies on the folder's mount, not on another in between */
};

/* Calls visit for every mount of the calling process's mount namespace that its root directory can reach, in
 * the order of the kernel's table, until it returns non-zero; returns what it returned, or a negative errno.
 * proc is a descriptor of a procfs that shows the process, or -1 for /proc. Mounts made or removed by visit
 * may be shown or missed.
 */
int mounts_each(int proc, int (*visit)(const struct mount_entry *entry, void *data), void *data);

/* The same for a few of the mounts. With Linux 6.8 no more is found out about each than is asked for (statmount(2)), which
 * costs a fifth of reading mountinfo where it is little.
 */
struct mount_search {
	const char *below;  /* a folder: the mounts below it; NULL: all, and is_direct says nothing */
	unsigned int asks;  /* what wants() goes by */
	unsigned int needs; /* what visit() is told of those that are wanted */
	bool (*wants)(const struct mount_entry *entry, const void *data);
	int (*visit)(const struct mount_entry *entry, void *data);
	void *data;
};
/* What visit() has seen it may be shown again, where Linux has lost one of the mounts that it had listed. */
int mounts_search(int proc, const struct mount_search *search);

/* The same, for procfs mounts alone, with path only. */
int mounts_each_procfs(int proc, int (*visit)(const struct mount_entry *entry, void *data), void *data);

/* Whether that mount (STATX_MNT_ID_UNIQUE) is attached in the mount namespace of the calling process, within reach of its root. Linux
 * 6.8; before, and where it cannot be asked, false.
 */
bool mounts_has(uint64_t mount_id);

/* One line of mountinfo(5), without its newline, is taken apart in place. Returns false if it is not one. */
bool mounts_parse_line(char *line, struct mount_entry *entry);

#endif
