/* The file-system policy of a box: what lies at which path, and whether it can be written or executed.
 *
 * The rules have no order. They become one tree of nodes, in which a deeper path wins over a shallower one,
 * as in systemd.exec(5). The tree is planned in the caller, where memory can be allocated, and carried out in
 * the new box, where it cannot. Every path is resolved once, to a descriptor; symbolic links are followed
 * only where nobody but root could have placed them.
 *
 * Which path is the deeper one is known of paths without links. Whether there are any is looked at in the new box, too: a file system
 * that hangs is to hang nobody else. Where there are, that box is given up, and another one planned by where the paths lead.
 */
#ifndef NSBOX_PATHS_H
#define NSBOX_PATHS_H

#include "../policy/policy.h"

#include <limits.h>

/* Names in the file system of the box's own (INIT_FD_STORE). */
#define STORE_HOSTS   "hosts"
#define STORE_SHM     "shm"
#define STORE_TMP     "tmp"
#define STORE_VAR_TMP "var-tmp"

enum path_content {
	CONTENT_SAME,	 /* what lies there anyway, with other attributes */
	CONTENT_BIND,	 /* another place of the host */
	CONTENT_STORE,	 /* a folder or file of the box's own */
	CONTENT_TMPFS,	 /* a new tmpfs */
	CONTENT_MQUEUE,	 /* the message queues of the box's IPC namespace */
	CONTENT_OVERLAY, /* what lies there anyway, with changes that vanish */
	CONTENT_NOTHING, /* inaccessible */
};

struct path_node {
	const char *path;
	enum path_content content;
	const char *
		source; /* CONTENT_BIND: a path; CONTENT_STORE: a name; CONTENT_OVERLAY: a path, or NULL for its own */
	const char *options; /* CONTENT_TMPFS, or NULL */
	bool recursive;	     /* CONTENT_BIND */
	bool optional;	     /* left out where path or source does not exist */
	bool own;	     /* not a rule's: left out where path does not exist */
	bool is_original; /* CONTENT_OVERLAY: of the tree as it was, not of what the nodes above make of it */
	bool read_only, no_exec; /* as they take effect, the nodes above taken into account */
	int above; /* index of the nearest node above whose content is not CONTENT_SAME, or -1 */
	int mount; /* while it is carried out: a descriptor of its mount, or -1 */
};

/* A path of the policy's, and where it leads. */
struct paths_look {
	const char *path;
	bool replaces; /* the box has something else there, below which no link of the host's counts */
	char to[PATH_MAX];
};

struct paths_link {
	char *from, *to;
};

struct paths_links {
	struct paths_link *of;
	size_t n;
};

struct paths_plan {
	struct path_node *nodes; /* parents before children */
	size_t n_nodes;
	struct paths_look *looks; /* for paths_look() */
	size_t n_looks;
	char **strings; /* that the nodes refer to, beside the policy's */
	size_t n_strings;
	char *user_tmp; /* PrivateTmp=user: the folder that keeps the user's tmp and var-tmp, or NULL */
	char *user_var_tmp;
};

/* Where PrivateTmp=user keeps its folders: root's, 0700, one a user inside. */
#define USER_TMP_DIRECTORY "/var/lib/nsbox/tmp"

/* Makes the plan for policy, whose strings it borrows, and those of links. with_hosts: the box has a hosts file of its own. links: where
 * some paths lead; where there are none, paths_look() is to look for them. Returns 0 or a negative errno; free it with
 * paths_plan_free() in any case.
 */
int paths_plan_make(const struct policy *policy, const struct account *account, bool with_hosts,
	const struct paths_links *links, struct paths_plan *plan);
void paths_plan_free(struct paths_plan *plan);

/* Looks where the paths lead, in the tree as it is. Makes system calls only. Returns 1 if another plan is to be made, 0 if this one
 * is good, or a negative errno with *subject set to the path that it was about.
 */
int paths_look(struct paths_plan *plan, const char **subject);

/* What was found out, for that other plan. links is 0 before. Returns 0 or -ENOMEM; free it in any case. */
int paths_links_take(struct paths_links *links, const struct paths_plan *plan);
void paths_links_free(struct paths_links *links);

/* Carries the plan out in the calling process's mount namespace. store: the file system of the box's own,
 * mounted anywhere. proc: a procfs of the calling process. Makes system calls only. Returns 0, or a negative
 * errno with *subject set to the path that it was about.
 */
int paths_apply(struct paths_plan *plan, int store, int proc, const char **subject);

/* The options of a tmpfs with a mode and the limits that it has where the policy says nothing. */
#define PATHS_TMPFS_OPTIONS_SIZE 64
void paths_tmpfs_options(const char *mode, char *buf, size_t size);

/* Makes a file system that is mounted nowhere, and returns a descriptor of its mount. options, more_options: "key=value,...", or
 * NULL. attributes: NSBOX_MOUNT_ATTR_*. Makes system calls only.
 */
int paths_make_file_system(
	const char *type, const char *options, const char *more_options, unsigned int attributes);

/* Opens an absolute path as O_PATH. Symbolic links are followed while every folder on the way is root's and
 * not writable by anybody else, and refused (-ELOOP) from then on. flags: more flags for openat(2). Makes
 * system calls only.
 */
int paths_open(const char *path, int flags);

/* Makes the folders that PrivateTmp=user needs, on the host. */
int paths_make_user_tmp(const struct paths_plan *plan);

#endif
