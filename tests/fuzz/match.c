/* Fuzzes the matcher, and holds it against one that is written down anew from nsbox.conf(5). The input is, one a line, a
 * user, a group and a service; then Users, Groups and Services of one policy after the other.
 */
#include "fuzz.h"

#include "policy/index.h"
#include "policy/match.h"

#include <ctype.h>
#include <fnmatch.h>

#define MAX_POLICIES 8

struct lists {
	char *of[3]; /* Users, Groups, Services; an empty line: the policy has none */
};

/* --- what the manual page says --- */

static bool is_wild(const char *item)
{
	return strpbrk(item, "*?[") != NULL;
}

static bool one_fits(const char *item, const char *const *names, size_t n_names)
{
	for (size_t i = 0; i < n_names; i++)
		if (is_wild(item) ? fnmatch(item, names[i], FNM_NOESCAPE) == 0 : strcmp(item, names[i]) == 0)
			return true;
	return false;
}

/* A list fits by an item, unless one with "!" does; of these alone, it begins with everybody. */
static bool list_should_fit(const char *list, const char *const *names, size_t n_names, bool literally)
{
	char *copy = strdup(list), *rest = copy, *item;
	bool fits = false, excluded = false, inclusions = false, exclusions = false;

	while ((item = strsep(&rest, ","))) {
		bool exclusion;

		item += strspn(item, " \t");
		exclusion = *item == '!';
		if (exclusion)
			item += 1 + strspn(item + 1, " \t");
		for (size_t end = strlen(item); end > 0 && strchr(" \t", item[end - 1]);)
			item[--end] = '\0';
		if (!*item)
			continue;
		*(exclusion ? &exclusions : &inclusions) = true;
		if (literally && !exclusion && is_wild(item))
			continue;
		if (one_fits(item, names, n_names))
			*(exclusion ? &excluded : &fits) = true;
	}
	free(copy);
	return !excluded && (fits || (exclusions && !inclusions && !literally));
}

/* As libpam does with services' names. */
static char *in_lower_case(char *text)
{
	for (char *at = text; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return text;
}

static bool services_should_fit(const char *list, const char *const *name)
{
	char *lower = in_lower_case(strdup(list));
	bool fit = list_should_fit(lower, name, 1, false);

	free(lower);
	return fit;
}

static bool should_decide(const struct lists *lists, const char *const names[3], bool is_root)
{
	if (!*lists->of[0] && !*lists->of[1] && !*lists->of[2])
		return false;
	for (int i = 0; i < 2; i++)
		if (*lists->of[i] && !list_should_fit(lists->of[i], &names[i], 1, false))
			return false;
	if (*lists->of[2] && !services_should_fit(lists->of[2], &names[2]))
		return false;
	return !is_root || (*lists->of[0] && list_should_fit(lists->of[0], &names[0], 1, true));
}

/* --- */

static const struct section *find(struct config *config, char *const names[3], bool is_root)
{
	const struct login login = {.user = names[0], .service = names[2]};
	const struct account account = {.name = names[0], .uid = is_root ? 0 : 1000};
	struct match match = {.config = config, .login = &login, .account = &account, .groups_known = 1};
	const struct section *section;

	match.groups = (struct groups){&(char *){names[1]}, 1};
	FUZZ_ASSERT(match_find(&match, &section) >= 0);
	return section;
}

static void compare(
	const char *text, size_t size, const struct lists *lists, size_t n_lists, char *const names[3])
{
	struct config *config = calloc(1, sizeof(*config));
	bool is_plain = !strpbrk(text, "\"';#");

	config->default_section = config->untrusted = SIZE_MAX;
	config->files = calloc(1, sizeof(*config->files));
	config->n_files = 1;
	config->files[0].path = strdup("fuzz.conf");
	config->files[0].text = memcpy(malloc(size), text, size);
	config->files[0].size = size;
	FUZZ_ASSERT(index_file(config, 0) == 0 && index_finish(config) == 0);
	for (size_t i = 0; i < config->n_problems; i++)
		is_plain = is_plain && config_weight(config->problems[i].fault) == WEIGHT_NOTE;
	for (int is_root = 0; is_root < 2; is_root++) {
		const struct section *found = find(config, names, is_root);
		size_t wanted = 0;

		/* Quotation marks, comments and faults make other lists of what was written. */
		if (!is_plain)
			continue;
		FUZZ_ASSERT(config->n_sections == n_lists);
		while (wanted < n_lists &&
			!should_decide(&lists[wanted], (const char *const *)names, is_root))
			wanted++;
		FUZZ_ASSERT(found == (wanted < n_lists ? &config->sections[wanted] : NULL));
	}
	config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys_of[] = {"Users", "Groups", "Services"};
	char *names[3], text[8192] = "";
	struct lists lists[MAX_POLICIES];
	size_t n_lists = 0, used = 0;

	if (size > 4096)
		return 0;
	for (int i = 0; i < 3; i++)
		names[i] = fuzz_line(&data, &size);
	in_lower_case(names[2]);
	for (; size > 0 && n_lists < MAX_POLICIES; n_lists++) {
		used += (size_t)sprintf(text + used, "[policy %zu]\n", n_lists);
		for (int i = 0; i < 3; i++) {
			char *list = lists[n_lists].of[i] = fuzz_line(&data, &size);

			list[strcspn(list, "\r")] = '\0';
			if (*list)
				used += (size_t)sprintf(text + used, "%s=%s\n", keys_of[i], list);
		}
	}
	compare(text, used, lists, n_lists, names);
	for (int i = 0; i < 3; i++)
		free(names[i]);
	for (size_t i = 0; i < n_lists; i++)
		for (int j = 0; j < 3; j++)
			free(lists[i].of[j]);
	return 0;
}
