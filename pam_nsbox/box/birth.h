/* The birth of a box: its first process, the holder, which makes everything in the box and becomes nsbox-init. */
#ifndef NSBOX_BIRTH_H
#define NSBOX_BIRTH_H

#include "inside.h"

#include <signal.h>
#include <sys/types.h>

/* Two stacks, for the intermediate process and for the holder. The latter was seen to use 15 KiB, with all keys set: buffers
 * for paths and for the table of mounts.
 */
#define STACK_SIZE	  (48 * 1024)
#define INTERMEDIATE_SIZE (4 * 1024)

/* The making of a holder. It is over when the intermediate process has ended: nsbox-init was executed then, or its holder has
 * ended without.
 */
struct birth {
	struct inside inside;
	bool is_hanging; /* a system call of the holder's may still write to this memory, so it cannot be freed */
	volatile bool has_left; /* the holder has left this memory: it ended, or was executed */
	pid_t intermediate;	/* 0: none, or waited for */
	int holder; /* its pidfd, which the kernel puts among the caller's descriptors when the intermediate process
			    clones it; -1: not cloned */
	sigset_t signals; /* the caller's mask before */
	int dumpable;	  /* the caller's, which a change of the holder's credentials takes from their common
			     memory */
	/* The holder's, and above it the intermediate process's. */
	char stacks[STACK_SIZE + INTERMEDIATE_SIZE] __attribute__((aligned(16)));
};

/* Makes the holder, with birth->inside filled in and all else 0, and waits until it has become nsbox-init or ended; *self becomes
 * a pidfd of it. Returns 0, or a negative errno with birth->inside.failure set. Who was killed on the way is found when
 * nsbox-init is waited for. All signals are blocked until birth_end(), which follows in any case.
 */
int birth_give(struct birth *birth, int *self);
void birth_end(struct birth *birth);

#endif
