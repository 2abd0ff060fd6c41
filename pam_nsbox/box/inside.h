/* The set-up of a new box, done by its first process before that becomes nsbox-init.
 *
 * It runs between clone and execve in the memory of the caller, which waits in poll(2) meanwhile: like the
 * child of vfork(2) it may make system calls and use its own stack, and nothing else. No malloc, no stdio, no
 * NSS, no syslog. (errno is the caller's too; poll(2) with all signals blocked does not write it.)
 *
 * All that a box must have is made here, also its first lease and its place in the register: when nsbox-init runs, the box is
 * ready.
 */
#ifndef NSBOX_INSIDE_H
#define NSBOX_INSIDE_H

#include "box.h"
#include "paths.h"

struct inside;

/* One row a step. Undoing is the kernel's work: all that a step changes belongs to the new namespaces or to
 * this process, so that it goes away with them; the table says how, for the reader and for the tests.
 */
struct inside_step {
	const char *name;
	int (*run)(struct inside *inside); /* 0 or a negative errno */
	const char *does;
	const char *undone_by;
};

extern const struct inside_step inside_steps[];
extern const size_t n_inside_steps;

/* Prepared by the caller, which also reads the outcome. */
struct inside {
	const struct box_request *request;
	const struct policy *policy;
	int record;	  /* INIT_FD_RECORD to be */
	int procfs_watch; /* from procfs_watch(), or -1 */
	int lease;	  /* pidfd of the caller, INIT_FD_LEASE to be */
	int64_t box_key;  /* as in live_register() */
	int64_t scope_key;
	const char *directory; /* the caller's working directory, absolute, which must exist inside; NULL:
				  need not */
	uid_t real_uid;	       /* of the caller: whose eyes may see that directory where root's may not */
	bool has_hosts;	       /* the box has a hosts file of its own */
	struct paths_plan plan;
	unsigned int pid_max; /* kernel.pid_max of the box, or 0: as it is */
	pid_t parent;	      /* the caller's PID as its child sees it */

	/* The steps' own. */
	bool has_no_other_procfs; /* the host's procfs is nowhere but at /proc */
	int n_hidden;		  /* places where it is said to be, too, and was not found */
	bool is_placed[INIT_FDS];
	int n_old; /* mounts moved aside */
	int init_fd;

	/* The outcome, if no execve(2) happened. */
	bool is_led; /* paths of the plan lead by symbolic links: another plan is to be made */
	struct box_failure failure;
};

/* Runs the steps; the last one is execve(2) of nsbox-init. Returns only on failure, with inside->failure set.
 */
void inside_run(struct inside *inside);

/* Moves everything that is mounted on path out of reach, to be detached by nsbox-init; a path that is no mount point is left
 * alone. From the step "store" on.
 */
int inside_move_aside(struct inside *inside, const char *path);

/* The same for file systems of that type (statfs(2)), none of which may be left at path; -EBUSY otherwise. */
int inside_move_type_aside(struct inside *inside, const char *path, unsigned int type);

/* Notes what a step was working on when it failed, then returns error, so that a step can end with it. */
int inside_fail(struct inside *inside, const char *subject, int error);

#endif
