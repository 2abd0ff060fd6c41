/* Becoming a user, for a command that is run in a box. */
#ifndef NSBOX_USER_H
#define NSBOX_USER_H

#include <stddef.h>
#include <sys/types.h>

struct user {
	char *name, *home, *shell;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int n_groups;
};

/* Asks NSS, on the view of the calling process: before that enters a box. Complains and returns a negative
 * errno if there is no such user. user_free() in any case.
 */
int user_look_up(const char *name, struct user *user);
void user_free(struct user *user);

/* Makes the calling process the user, as su(1) with "-" does: credentials, environment, directory. Then runs
 * command (NULL, or empty: the login shell), found on the user's PATH. Does not return: where something fails
 * it complains and exits, with 127 if there is no such command, 126 if it cannot be executed. To be called in
 * a child only.
 */
_Noreturn void user_exec(const struct user *user, const char *box_id, char **command);

/* The exit status that stands for what waitpid(2) said. */
int user_exit_status(int status);

#endif
