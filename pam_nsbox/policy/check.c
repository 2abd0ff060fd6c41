/* Everything that is wrong: `nsboxctl check`. */
#include "config.h"
#include "settings.h"
#include "specifiers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct list {
	const struct config *config;
	struct finding *findings;
	size_t n_findings;
};

static int add(struct list *list, enum weight weight, uint32_t file, uint32_t line, const char *message)
{
	struct finding *finding = array_append(&list->findings, &list->n_findings, sizeof(*finding));

	if (!finding)
		return -ENOMEM;
	finding->file = list->config->files[file].path;
	finding->order = ((uint64_t)file << 32) | line;
	finding->line = line;
	finding->weight = weight;
	finding->message = strdup(message);
	return finding->message ? 0 : -ENOMEM;
}

/* One value, as it would be for some login. */
static int check_value(struct list *list, const struct section *section, const struct entry *entry)
{
	AUTO_FREE char *text = span_dup(entry->value);
	struct policy policy = {.name = NULL};
	struct sentence why;
	int r;

	if (!text)
		return -ENOMEM;
	r = settings_apply(entry->key, text, &sample_specifiers, &policy, &why);
	settings_free_policy(&policy);
	return r < 0 ? add(list, WEIGHT_SECTION, section->file, entry->line, why.text) : 0;
}

/* Every value of one section that the index has no complaint about. *good becomes false if one is not valid.
 */
static int check_values(struct list *list, const struct section *section, bool *good)
{
	const struct config *config = list->config;
	size_t before = list->n_findings;

	for (size_t i = 0; i < section->n_entries; i++) {
		const struct entry *entry = &config->entries[section->first_entry + i];

		if (entry->fault == FAULT_NONE && check_value(list, section, entry) < 0)
			return -ENOMEM;
	}
	*good = list->n_findings == before && !section->faulty;
	return 0;
}

/* A box of all the policy's users gets what is one user's from whoever comes first. Said where the section
 * itself asks for either half of that.
 */
static int check_shared(struct list *list, const struct section *section, const struct settings *settings)
{
	const struct setting *scope = &settings->of[key_index(key_find(span_of("Scope")))];
	struct sentence why;
	int r = 0;

	for (size_t i = 0; i < n_keys && r == 0; i++) {
		const struct setting *setting = &settings->of[i];
		struct span text = span_of(setting->text ? setting->text : "");
		bool own = setting->section == section;
		const char *letter = "uUh";

		if (keys[i].matches || (!own && scope->section != section))
			continue;
		while (*letter && !template_has(text, *letter))
			letter++;
		if (!*letter)
			continue;
		sentence_set(&why,
			"%s has %%%c, and with Scope = policy the first user's stands for everybody's; write "
			"what suits all of them",
			keys[i].name, *letter);
		r = add(list, WEIGHT_NOTE, section->file, own ? setting->line : scope->line, why.text);
	}
	return r;
}

/* A setting as it is in the policy, or would be: what is wrong is said by itself, and is not to hide anything else. */
static void apply_or_default(const struct key *key, const struct setting *setting, struct policy *policy)
{
	struct sentence why;

	if ((setting->wrong || setting->differs || !setting->text ||
		    settings_apply(key, setting->text, &sample_specifiers, policy, &why) < 0) &&
		key->built_in)
		settings_apply(key, key->built_in, &sample_specifiers, policy, &why);
}

/* What iniparser makes of the section, and whether its settings go together. */
static int check_whole(struct list *list, const struct section *section, bool good)
{
	struct policy policy = {.name = NULL};
	struct settings settings;
	const struct key *key = NULL;
	struct sentence why;
	size_t next = 0;
	int r = 0;

	(void)settings_read(list->config, section->is_default ? NULL : section, &settings, &why);
	for (size_t i = 0; i < n_keys && r == 0; i++) {
		const struct setting *setting = &settings.of[i];

		if (setting->section == section && setting->differs) {
			sentence_set(&why, SETTINGS_DIFFER, keys[i].name);
			r = add(list, WEIGHT_SECTION, section->file, setting->line, why.text);
			good = false;
		}
		if (!keys[i].matches)
			apply_or_default(&keys[i], setting, &policy);
	}
	while (r == 0 && settings_agree(&settings, &policy, &next, &key, &why) < 0) {
		const struct setting *setting = &settings.of[key_index(key)];
		bool own = setting->section == section;

		r = add(list, WEIGHT_SECTION, section->file, own ? setting->line : section->line, why.text);
		good = false;
	}
	if (r == 0 && good && policy.enabled && policy.scope == SCOPE_POLICY)
		r = check_shared(list, section, &settings);
	settings_free(&settings);
	settings_free_policy(&policy);
	return r;
}

static int by_place(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->message, y->message);
}

static int find_all(struct list *list)
{
	const struct config *config = list->config;
	struct sentence what;
	int r = 0;

	for (size_t i = 0; i < config->n_problems && r == 0; i++) {
		config_describe_alone(config, &config->problems[i], &what);
		r = add(list, config_weight(config->problems[i].fault), config->problems[i].file,
			config->problems[i].line, what.text);
	}
	for (size_t i = 0; i < config->n_sections && r == 0; i++) {
		bool good;

		r = check_values(list, &config->sections[i], &good);
		/* Where lines are broken iniparser would say so on standard error, in words of its own. */
		if (r == 0 && config->untrusted == SIZE_MAX)
			r = check_whole(list, &config->sections[i], good);
	}
	return r;
}

int config_check(const struct config *config, struct finding **findings, size_t *n_findings)
{
	struct list list = {.config = config};
	int r = find_all(&list);

	if (r < 0) {
		findings_free(list.findings, list.n_findings);
		list = (struct list){.config = config};
	}
	if (list.n_findings > 0)
		qsort(list.findings, list.n_findings, sizeof(*list.findings), by_place);
	*findings = list.findings;
	*n_findings = list.n_findings;
	return r;
}

void findings_free(struct finding *findings, size_t n_findings)
{
	for (size_t i = 0; i < n_findings; i++)
		free(findings[i].message);
	free(findings);
}
