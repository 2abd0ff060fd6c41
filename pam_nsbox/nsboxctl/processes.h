/* The processes of a box, seen from outside. */
#ifndef NSBOX_PROCESSES_H
#define NSBOX_PROCESSES_H

#include <sys/stat.h>
#include <sys/types.h>

struct process {
	pid_t pid, parent; /* as seen from here */
	pid_t inside;	   /* its number in its own PID namespace */
	uid_t uid;	   /* real */
	char state;	   /* as in proc_pid_stat(5); '?': it is gone */
	char name[64];	   /* cleaned (box_clean_text()) */
};

/* What /proc says of the process. */
void process_read(pid_t pid, struct process *process);

/* The inode number of a namespace of the process, "mnt" for example; 0: it has none (any more). */
ino_t process_namespace(pid_t pid, const char *kind);

/* Calls visit for every process in the PID namespace of that nsbox-init and in those below it (boxes may lie in boxes), for
 * itself and for zombies too.
 */
void processes_each(pid_t init, void (*visit)(const struct process *process, void *data), void *data);

/* Writes what keeps a box whose nsbox-init has ended or was asked to, and what to do: part of a sentence, or an empty text where
 * nothing is found.
 */
void processes_tell_what_keeps(pid_t init, char *buf, size_t size);

#endif
