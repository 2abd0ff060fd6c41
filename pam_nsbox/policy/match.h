/* Which section decides for a login. */
#ifndef NSBOX_POLICY_MATCH_H
#define NSBOX_POLICY_MATCH_H

#include "config.h"
#include "names.h"

/* One policy that was asked. */
struct trace_step {
	const struct section *section; /* the config's */
	bool decides;
	const char *why; /* a clause, static: "its Users do not fit" */
};

/* One search. Its caller fills in the first three, and traced if the steps are to be kept; all else is zero.
 */
struct match {
	const struct config *config;
	const struct login *login;
	const struct account *account;
	bool traced;
	struct groups groups; /* filled in when a policy asks for groups */
	int groups_known;     /* 1: asked and known; 0: not asked; -errno: they cannot be told, and why */
	struct sentence why;
	struct trace_step *steps; /* in the order of asking; the last one decides if any does */
	size_t n_steps;
};

/* Finds the deciding section: 1, or 0 and NULL if [default] alone does, or -errno, the section that cannot be
 * judged, and match->why. match_free must follow.
 */
int match_find(struct match *match, const struct section **section);
void match_free(struct match *match);

/* Whether the section's Users and Services fit, with groups left open; if not, *why_not is a clause. */
bool match_login(const struct match *match, const struct section *section, const char **why_not);

#endif
