/* RLIMIT_FSIZE is for what a user's programs write. A caller that runs under a user's limits (su) has it, too, and is ended by SIGXFSZ
 * where this project writes something of its own. Both functions make system calls only, and keep errno.
 */
#ifndef NSBOX_FILE_SIZE_H
#define NSBOX_FILE_SIZE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

struct file_size {
	bool is_limited; /* and what follows is to be put back */
	struct rlimit before;
	sigset_t signals;
};

/* Until file_size_restore() files can be written, as far as the process may raise its limit; what cannot be is an error, EFBIG, and no
 * signal.
 */
void file_size_lift(struct file_size *size);
void file_size_restore(const struct file_size *size);

#endif
