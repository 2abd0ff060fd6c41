/* The host's procfs elsewhere than at /proc: a step of inside.c's table. */
#ifndef NSBOX_PROCFS_H
#define NSBOX_PROCFS_H

struct inside;

/* Detaches every procfs that lies outside of /proc, such as a chroot's, also where something is mounted over it: each
 * shows the processes of the host's PID namespace, and through their root links the host's files.
 */
int procfs_detach_others(struct inside *inside);

/* A descriptor that tells whether anything was mounted since, in the mount namespace of the calling process, if the host's procfs
 * lies nowhere but at /proc now; -1 otherwise.
 */
int procfs_watch(void);

/* Asks the watch, before any descriptor is closed; a step of inside.c's table. */
int procfs_ask(struct inside *inside);

#endif
