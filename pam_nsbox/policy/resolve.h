/* The decision for one login: for the module through policy.h, and with every step told for `nsboxctl
 * explain` and `nsboxctl try`.
 */
#ifndef NSBOX_POLICY_RESOLVE_H
#define NSBOX_POLICY_RESOLVE_H

#include "match.h"
#include "settings.h"

struct explanation {
	struct match match; /* its steps, and the groups if they were asked for */
	struct settings
		settings; /* text and place of every key, by row; no text at all if it did not come to them */
};

/* policy_resolve on a configuration that is loaded already. config NULL: there was no memory to load it.
 * explanation may be NULL; otherwise it is filled in as far as the decision got, borrows from config, login
 * and resolution, and explanation_free must follow. It is for a program that runs in the C locale, as one that never calls setlocale
 * does; policy_resolve sees to that itself.
 */
void policy_decide(const struct config *config, const struct login *login, struct resolution *resolution,
	struct explanation *explanation);
void explanation_free(struct explanation *explanation);

#endif
