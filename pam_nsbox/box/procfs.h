/* The host's procfs elsewhere than at /proc: a step of inside.c's table. */
#ifndef NSBOX_PROCFS_H
#define NSBOX_PROCFS_H

#include <stdint.h>
#include <sys/stat.h>

struct inside;

/* Detaches every procfs that lies outside of /proc, such as a chroot's, also where something is mounted over it: each
 * shows the processes of the host's PID namespace, and through their root links the host's files.
 */
int procfs_detach_others(struct inside *inside);

/* What was found out ahead of the session: that the host's procfs lies nowhere but at /proc, in the mount namespace in which
 * the calling process was.
 */
struct procfs_ahead {
	int watch; /* a descriptor that tells whether anything was mounted since, or -1: nothing is known */
	struct stat
		watch_is; /* to know it again: the program may have closed all descriptors that it did not know */
};

/* Looks. Give it to the one that follows. */
void procfs_look_ahead(struct procfs_ahead *ahead);

/* The watch, which is the caller's to close then, or -1. */
int procfs_take_watch(struct procfs_ahead *ahead);

/* Asks the watch, before any descriptor is closed; a step of inside.c's table. */
int procfs_ask(struct inside *inside);

#endif
