/* What the name service (NSS) says of a user, and whether it can be believed.
 *
 * A directory that is down must never look like a user without groups. getpwnam_r tells an error from an
 * unknown name well enough, since a name that nobody knows is refused anyhow; getgrouplist does not, see
 * directory.h.
 */
#ifndef NSBOX_POLICY_NAMES_H
#define NSBOX_POLICY_NAMES_H

#include "policy.h"
#include "text.h"

struct groups {
	char **names; /* in the order of strcmp, each once; owned */
	size_t n_names;
};

/* Looks a user up. 0, -ENOENT if there is no such user, or another -errno; why is set for both. */
int names_account(const char *user, struct account *account, struct sentence *why);
void names_free_account(struct account *account);

/* The names of all groups of the user; a number that no group has is left out. 0, or -errno and why if any
 * service that NSS asks could not answer.
 */
int names_groups(const struct account *account, struct groups *groups, struct sentence *why);
void names_free_groups(struct groups *groups);

/* The name of one group, in new memory. 0, -ENOENT if there is none, or -errno; why is set for both. */
int names_group(gid_t gid, char **name, struct sentence *why);

#endif
