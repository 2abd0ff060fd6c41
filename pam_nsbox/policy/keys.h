/* The table of configuration keys: one row each.
 *
 * The parser, the messages of `nsboxctl check`, `explain`, completion and the table in nsbox.conf(5) all
 * come from these rows, so a key cannot be half there. Names and values follow systemd.exec(5) and
 * systemd.resource-control(5) wherever systemd has the same thing.
 */
#ifndef NSBOX_POLICY_KEYS_H
#define NSBOX_POLICY_KEYS_H

#include "policy.h"
#include "text.h"

struct specifiers;

/* One reading of one value. */
struct reading {
	struct policy *policy;		     /* where the value goes */
	const struct specifiers *specifiers; /* what %u and the rest stand for */
	struct sentence why; /* -EINVAL: what is wrong with the value, as a clause; or empty */
};

/* A word of a value and what it stands for; the last row's word is NULL. */
struct word {
	const char *word;
	unsigned int value;
};

struct key {
	const char *name;
	/* Reads the value into the policy. 0, -EINVAL (and reading->why), or -ENOMEM. */
	int (*parse)(const struct key *key, const char *text, struct reading *reading);
	size_t field;		  /* offset in struct policy of what parse fills in */
	const struct word *words; /* the values, where they are words */
	unsigned int kind;	  /* enum path_kind, where it is a list of paths */
	bool matches;		  /* says whom a policy is for (Users, Groups, Services); not in [default] */
	const char *built_in;	  /* the value where no file has the key; NULL: the policy is silent */
	const char *allowed;	  /* what was expected, after "expected " */
	const char *says;	  /* what the key says, in one line */
};

enum { KEY_USERS, KEY_GROUPS, KEY_SERVICES, N_MATCH_KEYS }; /* these rows stand first */

extern const struct key keys[];
extern const size_t n_keys;
#define KEYS_MAX 64 /* n_keys is below it: rows are counted in the bits of a uint64_t */

/* The row of this name, whatever its case, or NULL. */
const struct key *key_find(struct span name);

/* The row whose name is nearest by letters left out, added, changed or exchanged, or else by what it begins or ends with; NULL if
 * none is near. */
const struct key *key_nearest(struct span name);

size_t key_index(const struct key *key);

#endif
