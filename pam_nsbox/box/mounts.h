/* Looking through the mount table without allocating. */
#ifndef NSBOX_MOUNTS_H
#define NSBOX_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

struct mount_entry {
	const char *path;    /* where it is mounted, as the process sees it */
	const char *root;    /* which folder of the file system that is, as the process sees it */
	const char *type;    /* of the file system */
	const char *options; /* of the file system, as it was mounted */
	bool is_proc;	     /* it is a procfs */
};

/* Calls visit for every mount of the calling process's mount namespace that its root directory can reach, in
 * the order of the kernel's table, until it returns non-zero; returns what it returned, or a negative errno.
 * proc is a descriptor of a procfs that shows the process, or -1 for /proc. Mounts made or removed by visit
 * may be shown or missed.
 */
int mounts_each(int proc, int (*visit)(const struct mount_entry *entry, void *data), void *data);

/* The same, for procfs mounts alone, with path and is_proc only. With Linux 6.8 it asks for one mount's type
 * at a time (statmount(2)), which costs a fifth of reading mountinfo.
 */
int mounts_each_procfs(int proc, int (*visit)(const struct mount_entry *entry, void *data), void *data);

/* One line of mountinfo(5), without its newline, is taken apart in place. Returns false if it is not one. */
bool mounts_parse_line(char *line, struct mount_entry *entry);

#endif
