/* The table of namespaces: one row for each kind that a box can have.
 *
 * Everything that deals in kinds of namespaces (the Namespaces key, clone, setns, the way back, the log)
 * loops over this table, so a kind is added in one place.
 */
#ifndef NSBOX_NAMESPACES_H
#define NSBOX_NAMESPACES_H

#include <stdbool.h>
#include <stddef.h>

struct namespace_kind {
	const char *name;  /* the word of the Namespaces key; systemd and lsns use the same ones */
	const char *proc;  /* its file in /proc/PID/ns that names the namespace children will get */
	int flag;	   /* CLONE_NEW*, for clone(2) and setns(2) */
	int by_default;	   /* part of the built-in policy */
	const char *limit; /* file in /proc/sys/user that limits it: the cause of ENOSPC */
	unsigned int
		pidfd; /* number of ioctl(2) PIDFD_GET_*_NAMESPACE (linux/pidfd.h), for the same namespace as proc */
};

extern const struct namespace_kind namespace_kinds[];
extern const size_t n_namespace_kinds;

/* The CLONE_NEW* flag of the kind with this name (case-insensitive), or 0 if there is none. */
int namespace_flag(const char *name);

/* All default kinds' flags in one mask. */
int namespaces_by_default(void);

/* Writes the names of the kinds in mask, comma-separated, into buf, always terminated; returns buf. */
const char *namespaces_names(int mask, char *buf, size_t size);

/* Whether fd is a descriptor of the machine's own user namespace. */
bool is_first_user_namespace(int fd);

/* Whether the calling thread is in the machine's own user namespace, not in one below; yes where nobody knows. Makes a
 * system call only.
 */
bool in_first_user_namespace(void);

#endif
