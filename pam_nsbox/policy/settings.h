/* The settings that take effect: what the deciding section says, else [default], else the table of keys.
 *
 * Values come from iniparser, which gets one section at a time: its dictionary costs the square of a file's
 * size, lower-cases section names and merges what is given twice. Each value must be what the index says,
 * too.
 */
#ifndef NSBOX_POLICY_SETTINGS_H
#define NSBOX_POLICY_SETTINGS_H

#include "config.h"

struct setting {
	const char *text;	       /* NULL: the policy is silent */
	const struct section *section; /* where it comes from; NULL: built in */
	uint32_t line;
	bool wrong; /* the section says something that cannot be used */
};

struct settings {
	struct setting of[KEYS_MAX]; /* by row */
	void *dictionaries[2];	     /* iniparser's, which own the texts */
};

/* Fills in the settings of a section (NULL: [default] alone). 0, -EINVAL with the first problem that must
 * refuse the login, or another -errno with why. Whatever it returns, of[] is filled in as far as it is known,
 * and settings_free must follow.
 */
int settings_read(const struct config *config, const struct section *section, struct settings *settings,
	struct sentence *why);
void settings_free(struct settings *settings);

/* Reads one setting into the policy; 0, or -errno and why, with file and line. */
int settings_apply(const struct config *config, const struct key *key, const struct setting *setting,
	const struct specifiers *specifiers, struct policy *policy, struct sentence *why);

/* What no single value shows: keys that need what another key leaves out. 0, or -EINVAL and why, with file
 * and line.
 */
int settings_agree(const struct config *config, const struct settings *settings, const struct policy *policy,
	struct sentence *why);

/* Frees what a policy's settings own. */
void settings_free_policy(struct policy *policy);

/* FNV-1a over names and texts of all settings, before specifiers. */
uint64_t settings_digest(const struct settings *settings);

#endif
