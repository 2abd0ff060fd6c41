/* The network of a box, in the new process of it: steps of inside.c's table. */
#ifndef NSBOX_NETWORK_H
#define NSBOX_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

struct inside;

/* Joins the network namespace that the policy names, if it names one. -EINVAL: what lies there is something else. */
int network_join(struct inside *inside);

/* Sets the loopback device of a network namespace of the box's own up. */
int network_loopback(struct inside *inside);

/* The folder of files that replace those in /etc in the network namespace at path, as for ip-netns(8): "/etc/netns/" and
 * the namespace's name. Returns false if path is none of ip-netns(8)'s.
 */
bool network_etc(const char *path, char *buf, size_t size);

#endif
