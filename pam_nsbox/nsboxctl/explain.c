/* explain: which policy decides for a login, and where each setting comes from.
 *
 * The decision is policy_decide's, which is the module's, too; here it is only shown.
 */
#include "../namespaces.h"
#include "../policy/resolve.h"
#include "../policy/specifiers.h"
#include "../policy/values.h"
#include "commands.h"

#include <errno.h>
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#define DEFAULT_SERVICE "sshd"

struct question {
	const char *conf;
	bool json;
	struct login login;
	const struct config *config;
	const struct resolution *resolution;
	const struct explanation *explanation;
};

/* --- resolved values: how each kind of row looks in the policy --- */

/* JSON is UTF-8, which names in a directory, and bytes in a file, need not be. */
static json_t *text(const char *string)
{
	json_t *value = string ? json_string(string) : json_null();
	char *copy = value || !string ? NULL : strdup(string);

	for (char *at = copy; at && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	if (copy)
		value = json_string(copy);
	free(copy);
	return value;
}

static const void *field_of(const struct key *key, const struct policy *policy)
{
	return (const char *)policy + key->field;
}

static json_t *show_word(const struct key *key, const struct policy *policy)
{
	unsigned int value;

	memcpy(&value, field_of(key, policy), sizeof(value));
	for (const struct word *word = key->words; word->word; word++)
		if (word->value == value)
			return text(word->word);
	return json_null();
}

static json_t *show_boolean(const struct key *key, const struct policy *policy)
{
	return json_boolean(*(const bool *)field_of(key, policy));
}

static json_t *show_namespaces(const struct key *key, const struct policy *policy)
{
	json_t *list = json_array();

	(void)key;
	for (size_t i = 0; i < n_namespace_kinds; i++)
		if (policy->namespaces & namespace_kinds[i].flag)
			json_array_append_new(list, text(namespace_kinds[i].name));
	return list;
}

static json_t *show_hostname(const struct key *key, const struct policy *policy)
{
	(void)key;
	return text(policy->hostname);
}

static json_t *show_timeout(const struct key *key, const struct policy *policy)
{
	(void)key;
	return json_sprintf("%ums", policy->timeout_stop_ms);
}

static json_t *show_string(const struct key *key, const struct policy *policy)
{
	return text(*(const char *const *)field_of(key, policy));
}

static json_t *show_capabilities(const struct key *key, const struct policy *policy)
{
	json_t *list;

	(void)key;
	if (!policy->bounding_set_given)
		return json_null();
	list = json_array();
	for (cap_value_t capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (policy->bounding_set & (UINT64_C(1) << capability)) {
			char *name = cap_to_name(capability);

			json_array_append_new(list, text(name));
			cap_free(name);
		}
	return list;
}

/* Written as the key's value is. */
static json_t *show_rule(const struct path_rule *rule)
{
	const char *options[] = {
		rule->recursive ? NULL : "norbind",
		rule->options,
		rule->read_only ? "ro" : NULL,
		rule->no_exec ? "noexec" : NULL,
	};
	char line[8192];
	size_t used = (size_t)snprintf(line, sizeof(line), "%s%s%s%s", rule->optional ? "-" : "",
		rule->source ? rule->source : "", rule->source ? ":" : "", rule->path);
	char separator = ':';

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (options[i] && used < sizeof(line)) {
			used += (size_t)snprintf(
				line + used, sizeof(line) - used, "%c%s", separator, options[i]);
			separator = ',';
		}
	return text(line);
}

static json_t *show_paths(const struct key *key, const struct policy *policy)
{
	json_t *list = json_array();

	for (size_t i = 0; i < policy->n_paths; i++)
		if ((unsigned int)policy->paths[i].kind == key->kind)
			json_array_append_new(list, show_rule(&policy->paths[i]));
	return list;
}

static json_t *show(const struct key *key, const struct policy *policy)
{
	static const struct {
		int (*parse)(const struct key *key, const char *text, struct reading *reading);
		json_t *(*show)(const struct key *key, const struct policy *policy);
	} kinds[] = {
		{parse_word, show_word},
		{parse_boolean, show_boolean},
		{parse_namespaces, show_namespaces},
		{parse_hostname, show_hostname},
		{parse_timeout, show_timeout},
		{parse_capabilities, show_capabilities},
		{parse_paths, show_paths},
		{parse_binds, show_paths},
		{parse_temporary, show_paths},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].parse == key->parse)
			return kinds[i].show(key, policy);
	return show_string(key, policy);
}

/* --- as JSON: what the text below shows, too --- */

static json_t *place(const struct question *q, const struct section *section, uint32_t line)
{
	char *string = section ? config_place(q->config, section, line) : NULL;
	json_t *value = text(section ? string : "built-in");

	free(string);
	return value;
}

static json_t *name_of(struct span name)
{
	char *copy = span_dup(name);
	json_t *value = text(copy);

	free(copy);
	return value;
}

static json_t *make_steps(const struct question *q)
{
	json_t *list = json_array();

	for (size_t i = 0; i < q->explanation->match.n_steps; i++) {
		const struct trace_step *step = &q->explanation->match.steps[i];

		json_array_append_new(
			list, json_pack("{s:o, s:o, s:b, s:o}", "policy", name_of(step->section->name),
				      "source", place(q, step->section, step->section->line), "decides",
				      step->decides, "why", text(step->why)));
	}
	return list;
}

/* Where something is wrong nothing is resolved to the end. */
static json_t *make_settings(const struct question *q)
{
	bool resolved = !q->resolution->problem[0] && q->resolution->policy.namespaces;
	json_t *list = json_array();

	for (size_t i = 0; i < n_keys; i++) {
		const struct setting *setting = &q->explanation->settings.of[i];

		if (keys[i].matches || (!resolved && !setting->text))
			continue;
		json_array_append_new(list,
			json_pack("{s:o, s:o, s:o, s:o}", "key", text(keys[i].name), "value",
				text(setting->text), "source", place(q, setting->section, setting->line),
				"resolved", resolved ? show(&keys[i], &q->resolution->policy) : json_null()));
	}
	return list;
}

static json_t *make_groups(const struct groups *groups)
{
	json_t *list = json_array();

	for (size_t i = 0; i < groups->n_names; i++)
		json_array_append_new(list, text(groups->names[i]));
	return list;
}

static const char *verdict_word(const struct resolution *resolution)
{
	switch (resolution->verdict) {
	case VERDICT_BOX: return "box";
	case VERDICT_NO_BOX: return "none";
	default: return "refuse";
	}
}

static json_t *make_object(const struct question *q)
{
	const struct resolution *resolution = q->resolution;
	const struct account *account = &resolution->account;
	const struct match *match = &q->explanation->match;

	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "user",
		text(q->login.user), "service", text(q->login.service), "caller", text(q->login.caller_exe),
		"verdict", verdict_word(resolution), "on_error",
		resolution->verdict == VERDICT_REFUSE
			? text(resolution->on_error == ON_ERROR_ALLOW ? "allow" : "deny")
			: json_null(),
		"problem", resolution->verdict == VERDICT_REFUSE ? text(resolution->problem) : json_null(),
		"reason", text(resolution->policy.reason), "policy", text(resolution->policy.name), "source",
		text(resolution->policy.source), "account",
		account->name ? json_pack("{s:o, s:I, s:I, s:o}", "name", text(account->name), "uid",
					(json_int_t)account->uid, "gid", (json_int_t)account->gid, "home",
					text(account->home))
			      : json_null(),
		"groups", match->groups_known == 1 ? make_groups(&match->groups) : json_null(), "steps",
		make_steps(q), "settings", make_settings(q));
}

/* --- as text --- */

/* A value as a cell: lists with commas, booleans in the words of the file. */
static void print_value(const json_t *value, FILE *out)
{
	if (json_is_array(value))
		for (size_t i = 0; i < json_array_size(value); i++)
			fprintf(out, "%s%s", i ? ", " : "", json_string_value(json_array_get(value, i)));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "yes" : "no", out);
	else if (json_is_string(value))
		fputs(json_string_value(value), out);
}

static char *cell(const json_t *value)
{
	char *buf = NULL;
	size_t size;
	FILE *out = open_memstream(&buf, &size);

	if (!out)
		return NULL;
	print_value(value, out);
	return fclose(out) == 0 ? buf : NULL;
}

/* A table of the objects in list: one column for each name, in the order given; NULL ends it. Cells that a
 * terminal would obey are made safe by the library.
 */
static int print_table_of(const json_t *list, const char *const names[][2])
{
	struct libscols_table *table = scols_new_table();
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; names[i][0] && r == 0; i++)
		r = scols_table_new_column(table, names[i][1], 0, 0) ? 0 : -ENOMEM;
	for (size_t row = 0; row < json_array_size(list) && r == 0; row++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		r = line ? 0 : -ENOMEM;
		for (size_t i = 0; names[i][0] && r == 0; i++) {
			char *data = cell(json_object_get(json_array_get(list, row), names[i][0]));

			r = data ? scols_line_refer_data(line, i, data) : -ENOMEM;
		}
	}
	if (r == 0)
		r = scols_print_table(table);
	scols_unref_table(table);
	return r;
}

/* The sentence that an administrator came for. Names are made safe: they come from the call, and from files.
 */
static void print_verdict(const struct question *q)
{
	const struct resolution *resolution = q->resolution;
	const struct policy *policy = &resolution->policy;
	char user[PRINTABLE_SIZE], service[PRINTABLE_SIZE], name[PRINTABLE_SIZE];

	printf("A login of %s by %s ", printable(span_of(q->login.user), user),
		printable(span_of(q->login.service), service));
	switch (resolution->verdict) {
	case VERDICT_BOX:
		if (strcmp(policy->name, "default") == 0)
			printf("gets a box by [default], %s", policy->source);
		else
			printf("gets a box by policy %s, %s", printable(span_of(policy->name), name),
				policy->source);
		if (policy->reason)
			printf("; %s", policy->reason);
		break;
	case VERDICT_NO_BOX: printf("gets no box: %s", policy->reason); break;
	case VERDICT_REFUSE:
		printf("is %s: %s",
			resolution->on_error == ON_ERROR_ALLOW ? "let in without a box (OnError = allow)"
							       : "refused (OnError = deny)",
			resolution->problem);
		break;
	}
	printf(".\n");
}

static int print_text(const struct question *q, const json_t *object)
{
	static const char *const steps[][2] = {{"policy", "POLICY"}, {"source", "PLACE"},
		{"decides", "DECIDES"}, {"why", "WHY"}, {NULL, NULL}};
	static const char *const settings[][2] = {{"key", "SETTING"}, {"value", "VALUE"},
		{"resolved", "FOR THIS LOGIN"}, {"source", "FROM"}, {NULL, NULL}};
	const json_t *groups = json_object_get(object, "groups");
	char *list = NULL;
	int r = 0;

	print_verdict(q);
	if (json_is_array(groups)) {
		list = cell(groups);
		printf("\nGroups: %s\n", list ? list : "");
		free(list);
	}
	if (json_array_size(json_object_get(object, "steps")) > 0) {
		printf("\n");
		r = print_table_of(json_object_get(object, "steps"), steps);
	}
	if (r == 0 && json_array_size(json_object_get(object, "settings")) > 0) {
		printf("\n");
		r = print_table_of(json_object_get(object, "settings"), settings);
	}
	return r;
}

static int print(const struct question *q)
{
	json_t *object = make_object(q);
	int r = object ? 0 : -ENOMEM;

	if (r == 0 && q->json)
		r = json_dumpf(object, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF ? 0 : -EIO;
	else if (r == 0)
		r = print_text(q, object);
	json_decref(object);
	if (r < 0)
		complain("the explanation could not be written: %s", strerror(-r));
	return r;
}

static int explain(const struct question *asked)
{
	/* As the module reads it, so that both say the same: whose the files are matters. */
	struct config *config = config_load(asked->conf, true);
	struct explanation explanation;
	struct resolution resolution;
	struct question q = *asked;
	int status;

	q.config = config;
	q.resolution = &resolution;
	q.explanation = &explanation;
	policy_decide(config, &q.login, &resolution, &explanation);
	status = print(&q) < 0 || resolution.verdict == VERDICT_REFUSE ? STATUS_FAILED : STATUS_DONE;
	explanation_free(&explanation);
	resolution_free(&resolution);
	config_free(config);
	return status;
}

int command_explain(int argc, char **argv)
{
	struct question q = {.login = {.service = DEFAULT_SERVICE}};
	int letter;

	while ((letter = next_option(argc, argv)) != -1)
		switch (letter) {
		case OPTION_SERVICE: q.login.service = optarg; break;
		case OPTION_CALLER: q.login.caller_exe = optarg; break;
		case OPTION_JSON: q.json = true; break;
		case OPTION_CONF: q.conf = optarg; break;
		default: return STATUS_USAGE;
		}
	if (optind + 1 != argc)
		return complain_about_call(optind == argc ? "which user?" : "one user at a time");
	q.login.user = argv[optind];
	/* A box's id is made up at its login. */
	snprintf(q.login.box_id, sizeof(q.login.box_id), "%s", sample_specifiers.box_id);
	return explain(&q);
}
