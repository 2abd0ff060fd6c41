/* Symbolic links on the way of a path. They are followed only where nobody but root can have placed them: in folders of root's that
 * nobody else may write. All functions make system calls only.
 */
#ifndef NSBOX_LINKS_H
#define NSBOX_LINKS_H

#include <stdbool.h>

/* Opens an absolute path as O_PATH, with more flags for openat(2). -ELOOP: there is a link on the way that is not followed. */
int links_open(const char *path, int flags);

/* Where an absolute path leads, in to, of PATH_MAX bytes: without links as far as it is there, and as it stands from what is
 * not there, behind a link that is not followed, and below every path of which ends() says so. Returns 0, or a negative errno.
 */
int links_lead(
	const char *path, bool (*ends)(const char *path, const void *data), const void *data, char *to);

#endif
