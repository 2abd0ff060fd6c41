/* The host's procfs elsewhere than at /proc: a step of inside.c's table. */
#ifndef NSBOX_PROCFS_H
#define NSBOX_PROCFS_H

struct inside;

/* Detaches every procfs that lies outside of /proc, such as a chroot's, also where something is mounted over it: each
 * shows the processes of the host's PID namespace, and through their root links the host's files.
 */
int procfs_detach_others(struct inside *inside);

#endif
