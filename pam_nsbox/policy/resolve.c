#include "resolve.h"
#include "callers.h"
#include "names.h"
#include "specifiers.h"

#include <errno.h>
#include <locale.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The OnError of a section (NULL: [default] alone); whatever is unsure counts as deny. */
static enum on_error on_error_of(const struct settings *settings)
{
	const struct key *key = key_find(span_of("OnError"));
	const struct setting *setting = &settings->of[key_index(key)];
	struct policy policy = {.on_error = ON_ERROR_DENY};
	struct sentence unused;

	if (setting->wrong || setting->differs || !setting->text ||
		settings_apply(key, setting->text, &sample_specifiers, &policy, &unused) < 0)
		return ON_ERROR_DENY;
	return policy.on_error;
}

static enum on_error section_on_error(const struct config *config, const struct section *section)
{
	struct settings settings;
	struct sentence unused;
	enum on_error on_error;

	(void)settings_read(config, section, &settings, &unused);
	on_error = on_error_of(&settings);
	settings_free(&settings);
	return on_error;
}

/* What a refusal means while it is open which section decides: allow only if whichever it turns out to be
 * says so.
 */
static enum on_error cautious_on_error(const struct match *match, const struct section *first)
{
	const struct config *config = match->config;
	const char *unused;

	if (!first || section_on_error(config, NULL) == ON_ERROR_DENY)
		return section_on_error(config, NULL);
	for (const struct section *end = config->sections + config->n_sections; first < end; first++)
		if (!first->is_default && match_login(match, first, &unused) &&
			section_on_error(config, first) == ON_ERROR_DENY)
			return ON_ERROR_DENY;
	return ON_ERROR_ALLOW;
}

static void refuse(struct resolution *resolution, const struct sentence *why)
{
	resolution->verdict = VERDICT_REFUSE;
	memcpy(resolution->problem, why->text, sizeof(resolution->problem));
}

_Static_assert(sizeof(((struct resolution *)NULL)->problem) == SENTENCE_SIZE, "refuse copies the whole");

static void leave_alone(struct resolution *resolution, const char *reason)
{
	free(resolution->policy.reason);
	resolution->policy.reason = strdup(reason);
	resolution->verdict = VERDICT_NO_BOX;
}

/* Reads all settings into the policy. */
static int apply_all(const struct match *match, const struct settings *settings,
	const struct specifiers *specifiers, struct resolution *resolution, struct sentence *why)
{
	const struct key *key = keys;
	size_t next = 0;
	int r = 0;

	for (; key < keys + n_keys; key++) {
		const char *text = settings->of[key_index(key)].text;

		if (text)
			r = settings_apply(key, text, specifiers, &resolution->policy, why);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = settings_agree(settings, &resolution->policy, &next, &key, why);
	if (r < 0)
		settings_place(match->config, &settings->of[key_index(key)], why);
	return r;
}

/* Whether any setting asks for this specifier. */
static bool uses(const struct settings *settings, char specifier)
{
	for (size_t i = 0; i < n_keys; i++)
		if (settings->of[i].text && !keys[i].matches &&
			template_has(span_of(settings->of[i].text), specifier))
			return true;
	return false;
}

/* Finds out what specifiers stand for, and reads the settings. */
static int fill_in(const struct match *match, const struct settings *settings, struct resolution *resolution,
	struct sentence *why)
{
	AUTO_FREE char *group = NULL;
	char hostname[256] = "";
	struct specifiers specifiers = {
		.user = match->account->name,
		.uid = match->account->uid,
		.home = match->account->home,
		.hostname = gethostname(hostname, sizeof(hostname) - 1) == 0 ? hostname : NULL,
		.service = match->login->service,
		.box_id = match->login->box_id,
	};

	if (uses(settings, 'g')) {
		int r = names_group(match->account->gid, &group, why);

		if (r < 0)
			return r;
		specifiers.group = group;
	}
	return apply_all(match, settings, &specifiers, resolution, why);
}

/* Names the policy and where it stands. */
static int name_policy(const struct config *config, const struct section *section, struct policy *policy)
{
	const struct section *place = section;

	if (!place && config->default_section != SIZE_MAX)
		place = &config->sections[config->default_section];
	policy->name = section ? span_dup(section->name) : strdup("default");
	policy->source = place ? config_place(config, place, place->line) : strdup("built-in");
	return policy->name && policy->source ? 0 : -ENOMEM;
}

/* Reads the deciding section (NULL: [default] alone) into the resolution. */
static int read_policy(const struct match *match, const struct section *section, struct settings *settings,
	struct resolution *resolution, struct sentence *why)
{
	int r = name_policy(match->config, section, &resolution->policy);

	if (r == 0) {
		r = settings_read(match->config, section, settings, why);
		resolution->on_error = on_error_of(settings);
	}
	if (r == 0) {
		resolution->policy.digest = settings_digest(settings);
		r = fill_in(match, settings, resolution, why);
	}
	if (r == -ENOMEM && !why->text[0])
		sentence_set(why, "there is no memory to read the policy");
	return r;
}

/* Whether the login is the administrator's, whom nothing here may lock out. */
static bool is_root(const struct match *match)
{
	return match->account->name ? match->account->uid == 0
				    : match->login->user && strcmp(match->login->user, "root") == 0;
}

/* The whole decision, but for who is exempt from its refusals. 0 and the verdict, or -errno and why. */
static int decide(struct match *match, const struct caller *caller, struct settings *settings,
	struct resolution *resolution, struct sentence *why)
{
	const struct config *config = match->config;
	const struct section *section;
	int r = names_account(match->login->user, &resolution->account, why);

	if (config->untrusted != SIZE_MAX) {
		config_describe(config, &config->problems[config->untrusted], why);
		return -EINVAL;
	}
	if (r < 0) {
		resolution->on_error = cautious_on_error(match, config->sections);
		return r;
	}
	r = match_find(match, &section);
	if (r < 0) {
		resolution->on_error = cautious_on_error(match, section);
		*why = match->why;
		return r;
	}
	if (r == 0 && is_root(match)) {
		leave_alone(resolution,
			"uid 0 is boxed only by a policy whose Users names it in so many letters");
		return 0;
	}
	r = read_policy(match, section, settings, resolution, why);
	if (r < 0)
		return r;
	resolution->verdict = VERDICT_BOX;
	/* A network namespace that is joined is one that the box has. */
	if (resolution->policy.netns_path)
		resolution->policy.namespaces |= CLONE_NEWNET;
	if (!resolution->policy.enabled) {
		leave_alone(resolution, "its policy says Enabled = no");
	} else if (caller) {
		resolution->policy.namespaces &= ~caller->without;
		resolution->policy.reason = strdup(caller->reason);
	}
	return 0;
}

void policy_decide(const struct config *config, const struct login *login, struct resolution *resolution,
	struct explanation *explanation)
{
	const struct caller *caller = caller_find(login->service, login->caller_exe);
	struct explanation own = {.match = {.config = NULL}}, *all = explanation ? explanation : &own;
	struct sentence why = {.text = ""};

	memset(resolution, 0, sizeof(*resolution));
	memset(all, 0, sizeof(*all));
	resolution->on_error = ON_ERROR_DENY;
	all->match = (struct match){.config = config,
		.login = login,
		.account = &resolution->account,
		.traced = explanation != NULL};
	if (caller && caller->no_box) {
		leave_alone(resolution, caller->reason);
	} else if (!config) {
		sentence_set(&why, "there is no memory to read the configuration");
		refuse(resolution, &why);
	} else if (decide(&all->match, caller, &all->settings, resolution, &why) < 0) {
		refuse(resolution, &why);
	}
	if (is_root(&all->match)) {
		/* Nor by a box that then cannot be made. */
		resolution->on_error = ON_ERROR_ALLOW;
		if (resolution->verdict == VERDICT_REFUSE)
			leave_alone(resolution, resolution->problem);
	}
	/* For the log, if it did not come to a policy. */
	if (!resolution->policy.name)
		resolution->policy.name = strdup("none");
	if (!resolution->policy.source)
		resolution->policy.source = strdup("none");
	if (!explanation)
		explanation_free(all);
}

void explanation_free(struct explanation *explanation)
{
	match_free(&explanation->match);
	settings_free(&explanation->settings);
}

void policy_resolve(const char *conf, const struct login *login, struct resolution *resolution)
{
	const struct caller *caller = caller_find(login->service, login->caller_exe);
	/* Wildcards, letter cases and sorting must not depend on the language of whoever logs in, which sudo
	 * and others adopt. newlocale makes no copy of the C locale.
	 */
	locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t before = c_locale ? uselocale(c_locale) : (locale_t)0;
	struct config *config = caller && caller->no_box ? NULL : config_load(conf, true);

	policy_decide(config, login, resolution, NULL);
	config_free(config);
	if (c_locale) {
		uselocale(before);
		freelocale(c_locale);
	}
}

void resolution_free(struct resolution *resolution)
{
	names_free_account(&resolution->account);
	settings_free_policy(&resolution->policy);
}
