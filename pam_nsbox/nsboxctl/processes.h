/* The processes of a box, seen from outside. */
#ifndef NSBOX_PROCESSES_H
#define NSBOX_PROCESSES_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct process {
	pid_t pid, parent, tracer; /* as seen from here; 0: there is none to be seen */
	pid_t inside;		   /* its number in its own PID namespace */
	uid_t uid;		   /* real */
	bool has_ended;		   /* it has no descriptors any more; it may wait for others */
	char state;		   /* as in proc_pid_stat(5); '?': it is gone */
	char name[64];		   /* cleaned (box_clean_text()) */
};

/* What /proc says of the process. */
void process_read(pid_t pid, struct process *process);

/* The inode number of a namespace of the process, "mnt" for example; 0: it has none (any more). */
ino_t process_namespace(pid_t pid, const char *kind);

/* Calls visit for every process in the PID namespace of that nsbox-init and in those below it (boxes may lie in boxes), for
 * itself and for zombies too.
 */
void processes_each(pid_t init, void (*visit)(const struct process *process, void *data), void *data);

/* Returns whether that nsbox-init has ended and is still there; writes then, as a part of a sentence, what keeps it, and what to
 * do.
 */
bool processes_tell_what_keeps(pid_t init, char *buf, size_t size);

#endif
