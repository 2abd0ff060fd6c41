/* /sys in a box: steps of inside.c's table. */
#ifndef NSBOX_SYSFS_H
#define NSBOX_SYSFS_H

struct inside;

/* Mounts a sysfs of the box's network namespace on /sys, with everything on it that is mounted on the host's, which is
 * moved aside.
 */
int sysfs_replace(struct inside *inside);

/* Mounts cgroup file systems below /sys anew where their root lies outside of the box's cgroup namespace. */
int sysfs_replace_cgroups(struct inside *inside);

#endif
