/* Reading configuration files so that nothing but root's own text gets in.
 *
 * A file is opened below its folder's descriptor, never followed through a symbolic link, never waited for
 * (a FIFO), looked at through its descriptor, and read into memory once: what happens to it afterwards does
 * not matter. A file that changes while it is read is read again.
 */
#ifndef NSBOX_POLICY_FILES_H
#define NSBOX_POLICY_FILES_H

#include "text.h"

#define CONFIG_FILE_MAX ((size_t)8 << 20) /* bytes; ten thousand policies take two million */

struct file {
	char *path; /* for messages */
	char *text; /* not terminated; NULL if it could not be read */
	size_t size;
};

/* Opens a folder. Where trusted is wanted it must belong to root and be writable by nobody else. parent may
 * be AT_FDCWD; path is how messages name it. A descriptor, or -errno and why (-ENOENT without).
 */
int files_open_folder(int parent, const char *name, bool follow, bool trusted, struct sentence *why);

/* Reads a file below folder into file->text and file->size. 0, or -errno and why (-ENOENT without). */
int files_read(int folder, const char *name, bool trusted, struct file *file, struct sentence *why);

/* The names in the folder that end in ".conf" and do not begin with ".", in the order of their bytes; owned,
 * as is the array. 0 or -errno.
 */
int files_list(int folder, char ***names, size_t *n_names);

#endif
