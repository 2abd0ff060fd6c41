#include "match.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* Names that a list is matched with, in the order of strcmp. */
struct names {
	const char *const *names;
	size_t n_names;
	bool are_lower; /* as libpam makes services', so that an item means the same in any case */
};

static bool is_glob(struct span item)
{
	return memchr(item.at, '*', item.length) || memchr(item.at, '?', item.length) ||
	       memchr(item.at, '[', item.length);
}

static int by_name(const void *name, const void *element)
{
	return strcmp(name, *(const char *const *)element);
}

/* Whether the item is or fits one of the names. A backslash is itself: Windows domains write DOMAIN\user. */
static bool item_fits(struct span item, const struct names *names)
{
	char pattern[CONFIG_LINE_MAX + 1];

	if (span_copy(item, pattern, sizeof(pattern)) < 0)
		return false;
	for (char *c = pattern; names->are_lower && *c; c++)
		*c = text_lower(*c);
	if (!is_glob(item))
		return names->n_names > 0 &&
		       bsearch(pattern, names->names, names->n_names, sizeof(*names->names), by_name);
	for (size_t i = 0; i < names->n_names; i++)
		if (fnmatch(pattern, names->names[i], FNM_NOESCAPE) == 0)
			return true;
	return false;
}

/* Whether a list fits: an item does, and no exclusion does. A list of exclusions alone begins with everybody; commas
 * alone are for nobody. literally leaves wildcards out. A value that is wrong is taken apart where it may have been meant
 * to be: whom it could mean it decides, and so refuses.
 */
static bool list_fits(const struct entry *entry, const struct names *names, bool literally)
{
	const char *separators = entry->fault == FAULT_NONE ? "," : ",;#\"'";
	struct span rest = entry->value, item = {NULL, 0};
	bool fits = false, inclusions = false, exclusions = entry->fault != FAULT_NONE;

	while (span_next(&rest, separators, &item)) {
		bool exclusion = span_starts(item, "!");

		if (exclusion)
			item = span_trim(span_skip(item, 1));
		if (item.length == 0)
			continue;
		inclusions |= !exclusion;
		exclusions |= exclusion;
		if ((literally && !exclusion && is_glob(item)) || !item_fits(item, names))
			continue;
		if (exclusion)
			return false;
		fits = true;
	}
	return fits || (exclusions && !inclusions && !literally && item.at);
}

/* Whether the section's lists of one row fit; true if it has none. A second list is an error, and counts too,
 * so that whom it was meant for is refused.
 */
static bool row_fits(const struct match *match, const struct section *section, size_t row,
	const struct names *names, bool literally)
{
	bool any = false;

	for (size_t i = 0; i < section->n_entries; i++) {
		const struct entry *entry = &match->config->entries[section->first_entry + i];

		if (entry->key != &keys[row])
			continue;
		if (list_fits(entry, names, literally))
			return true;
		any = true;
	}
	return !any && !literally;
}

static int know_groups(struct match *match)
{
	if (match->groups_known == 0) {
		int r = names_groups(match->account, &match->groups, &match->why);

		match->groups_known = r < 0 ? r : 1;
	}
	return match->groups_known < 0 ? match->groups_known : 0;
}

bool match_login(const struct match *match, const struct section *section, const char **why_not)
{
	const char *user = match->account->name ? match->account->name : match->login->user;
	const char *service = match->login->service ? match->login->service : "";
	const struct names users = {&user, 1, false}, services = {&service, 1, true};

	*why_not = "it has no Users, Groups or Services";
	if (!section->decides)
		return false;
	*why_not = "its Users do not fit";
	if (!row_fits(match, section, KEY_USERS, &users, false))
		return false;
	*why_not = "its Users do not name this user in so many letters, as they must for uid 0";
	if (match->account->name && match->account->uid == 0 &&
		!row_fits(match, section, KEY_USERS, &users, true))
		return false;
	*why_not = "its Services do not fit";
	return row_fits(match, section, KEY_SERVICES, &services, false);
}

/* Whether the section decides: 1, 0 or -errno. Groups come last, since they may cost a journey to a
 * directory.
 */
static int decides(struct match *match, const struct section *section, const char **why_not)
{
	struct names groups;
	int r;

	if (!match_login(match, section, why_not))
		return 0;
	if (!config_entry(match->config, section, &keys[KEY_GROUPS]))
		return 1;
	*why_not = "the user's groups cannot be told";
	r = know_groups(match);
	if (r < 0)
		return r;
	groups = (struct names){(const char *const *)match->groups.names, match->groups.n_names, false};
	*why_not = "its Groups do not fit";
	return row_fits(match, section, KEY_GROUPS, &groups, false);
}

/* Tells a step. Without memory for it, explain shows one step less. */
static void trace(struct match *match, const struct section *section, bool decided, const char *why)
{
	struct trace_step *step =
		match->traced ? array_append(&match->steps, &match->n_steps, sizeof(*step)) : NULL;

	if (step)
		*step = (struct trace_step){section, decided, why};
}

int match_find(struct match *match, const struct section **section)
{
	*section = NULL;
	for (size_t i = 0; i < match->config->n_sections; i++) {
		const struct section *at = &match->config->sections[i];
		const char *why_not;
		int r;

		if (at->is_default)
			continue;
		r = decides(match, at, &why_not);
		trace(match, at, r == 1, r == 1 ? "it fits" : why_not);
		if (r != 0) {
			*section = at;
			return r;
		}
	}
	return 0;
}

void match_free(struct match *match)
{
	names_free_groups(&match->groups);
	free(match->steps);
	match->steps = NULL;
	match->n_steps = 0;
}
