/* A terminal of a box's own, behind the one that the administrator sits at.
 *
 * The command gets a pseudo-terminal of the box's devpts as its controlling terminal, and never a descriptor
 * of the outer one: whoever reads commands there could be made to read what a process of the box typed
 * (TIOCSTI). Where standard input is no terminal there is none of the box's, and output goes to the outer one by
 * descriptors that cannot be read.
 */
#ifndef NSBOX_TERMINAL_H
#define NSBOX_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

struct terminal {
	int master, slave;     /* or -1 */
	struct termios before; /* of the outer terminal */
	bool is_raw;	       /* the outer terminal was changed */
};

/* Opens a pseudo-terminal on the calling process's view, of the size of the terminal on standard input, and
 * gives it to the user. 0 or a negative errno.
 */
int terminal_open(struct terminal *terminal, uid_t owner);

/* Opens standard output and error, where they are terminals, anew for writing alone; needs /proc. 0 or a negative errno. */
int terminal_only_write(void);

/* In the child: a new session, with the pseudo-terminal as its controlling terminal, and in the place of each
 * standard descriptor that is a terminal. Without a pseudo-terminal (master -1) a new session alone. 0 or a
 * negative errno.
 */
int terminal_become(struct terminal *terminal);

/* In the parent: carries bytes, window sizes and signals between the outer terminal and the child until the
 * child has ended and all that it wrote is shown; then the outer terminal is as before. Returns what
 * waitpid(2) said. signals is the mask that terminal_block_signals() set.
 */
int terminal_proxy(struct terminal *terminal, pid_t child);

/* Blocks the signals that terminal_proxy() waits for; before the fork. The child restores *before. */
void terminal_block_signals(sigset_t *before);

/* Gives the outer terminal back and closes the pseudo-terminal. */
void terminal_close(struct terminal *terminal);

#endif
