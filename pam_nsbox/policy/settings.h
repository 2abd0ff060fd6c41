/* The settings that take effect: what the deciding section says, else [default], else the table of keys.
 *
 * Values come from iniparser, which gets one section at a time: its dictionary costs the square of a file's
 * size, lower-cases section names and merges what is given twice. Each value must be what the index says,
 * too.
 */
#ifndef NSBOX_POLICY_SETTINGS_H
#define NSBOX_POLICY_SETTINGS_H

#include "config.h"

/* What is said of a setting that differs, with the key's name. */
#define SETTINGS_DIFFER "iniparser reads the value of %s otherwise than it stands there; write it anew"

struct setting {
	const char *text;	       /* NULL: the policy is silent */
	const struct section *section; /* where it comes from; NULL: built in */
	uint32_t line;
	bool wrong;   /* the section says something that cannot be used */
	bool differs; /* iniparser and the index do not agree on it */
};

struct settings {
	struct setting of[KEYS_MAX]; /* by row */
	void *dictionaries[2];	     /* iniparser's, which own the texts */
};

/* Fills in the settings of a section (NULL: [default] alone). 0, or -errno with the first problem that must
 * refuse the login, as "file:line: sentence". Whatever it returns, of[] is filled in as far as it is known,
 * and settings_free must follow.
 */
int settings_read(const struct config *config, const struct section *section, struct settings *settings,
	struct sentence *why);
void settings_free(struct settings *settings);

/* Reads a text (not NULL) into the policy. 0, or -errno and a sentence without its place. */
int settings_apply(const struct key *key, const char *text, const struct specifiers *specifiers,
	struct policy *policy, struct sentence *why);

/* What no single value shows: a key that needs what another one leaves out. 0, or -EINVAL, the row whose
 * setting is to blame, and a sentence without its place. *next is 0 before the first call; another call finds what
 * else is wrong.
 */
int settings_agree(const struct settings *settings, const struct policy *policy, size_t *next,
	const struct key **key, struct sentence *why);

/* Puts "file:line: " before a sentence about a setting; one that is built in has no place. */
void settings_place(const struct config *config, const struct setting *setting, struct sentence *why);

/* Frees what a policy owns. */
void settings_free_policy(struct policy *policy);

/* FNV-1a over names and texts of all settings, before specifiers. */
uint64_t settings_digest(const struct settings *settings);

#endif
