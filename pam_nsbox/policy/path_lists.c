#include "specifiers.h"
#include "values.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A new string with the template's path. */
static int new_path(struct span template, struct reading *reading, char **path)
{
	char buf[PATH_MAX];
	int r;

	if (template.length == 0)
		return sentence_set(&reading->why, "a path is empty");
	r = expand_path(template, reading->specifiers, buf, sizeof(buf), &reading->why);
	if (r < 0)
		return r;
	*path = strdup(buf);
	return *path ? 0 : -ENOMEM;
}

/* Appends a rule for an item that begins with an optional "-", which is taken off. The rule is the policy's
 * from then on, half filled in or not.
 */
static int begin_rule(
	const struct key *key, struct span *item, struct reading *reading, struct path_rule **rule)
{
	*rule = array_append(&reading->policy->paths, &reading->policy->n_paths, sizeof(**rule));
	if (!*rule)
		return -ENOMEM;
	(*rule)->kind = (enum path_kind)key->kind;
	(*rule)->recursive = true;
	if (span_starts(*item, "-")) {
		(*rule)->optional = true;
		*item = span_skip(*item, 1);
	}
	return 0;
}

/* Gives a rule its path. Attributes of the root of everything can be set; it cannot be replaced. */
static int place_rule(struct span template, struct reading *reading, struct path_rule *rule)
{
	int r = new_path(template, reading, &rule->path);

	if (r == 0 && strcmp(rule->path, "/") == 0 &&
		(rule->kind == PATH_INACCESSIBLE || rule->kind == PATH_EPHEMERAL ||
			rule->kind == PATH_TEMPORARY || rule->kind == PATH_BIND ||
			rule->kind == PATH_BIND_READ_ONLY))
		return sentence_set(&reading->why, "/ itself cannot be replaced; name the folders in it");
	return r;
}

int parse_paths(const struct key *key, const char *text, struct reading *reading)
{
	struct span rest = span_of(text), item = {NULL, 0};
	struct path_rule *rule;
	char shown[PRINTABLE_SIZE];
	int r;

	while (span_next(&rest, ",", &item)) {
		if (item.length > 0 && memchr(item.at, ':', item.length))
			return sentence_set(&reading->why, "%s holds a colon, which no path here can",
				printable(item, shown));
		r = begin_rule(key, &item, reading, &rule);
		if (r == 0)
			r = place_rule(item, reading, rule);
		if (r < 0)
			return r;
	}
	return 0;
}

int parse_binds(const struct key *key, const char *text, struct reading *reading)
{
	struct span rest = span_of(text), item = {NULL, 0};
	struct path_rule *rule;
	char shown[PRINTABLE_SIZE];
	int r;

	while (span_next(&rest, ",", &item)) {
		struct span source = {NULL, 0}, destination, option = {NULL, 0};

		r = begin_rule(key, &item, reading, &rule);
		if (r < 0)
			return r;
		span_next(&item, ":", &source);
		destination = source;
		if (span_next(&item, ":", &destination) && item.at)
			option = span_trim(item);
		if (option.at && span_equal(option, "norbind"))
			rule->recursive = false;
		else if (option.at && !span_equal(option, "rbind"))
			return sentence_set(
				&reading->why, "%s is neither rbind nor norbind", printable(option, shown));
		r = new_path(source, reading, &rule->source);
		if (r == 0)
			r = place_rule(destination, reading, rule);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether a text is an octal mode. */
static bool is_mode(struct span text)
{
	size_t digits = 0;

	while (digits < text.length && text.at[digits] >= '0' && text.at[digits] <= '7')
		digits++;
	return digits == text.length && digits >= 1 && digits <= 5 && (digits < 5 || text.at[0] == '0');
}

/* The kernel, which reads this, takes small letters too, and no decimals. */
static bool tmpfs_size(struct span text, const char *large, const char *small, bool percent)
{
	return !memchr(text.at, '.', text.length) &&
	       (parse_size(text, large, percent) == 0 || parse_size(text, small, percent) == 0);
}

/* Adds one tmpfs option to the rule. */
static int add_option(struct path_rule *rule, struct span option, struct reading *reading)
{
	char shown[PRINTABLE_SIZE], *longer;
	bool good = false;

	if (span_equal(option, "ro") || span_equal(option, "rw")) {
		rule->read_only = span_equal(option, "ro");
		return 0;
	}
	if (span_equal(option, "noexec")) {
		rule->no_exec = true;
		return 0;
	}
	if (span_equal(option, "nosuid") || span_equal(option, "nodev")) /* it is, without being asked */
		return 0;
	if (span_starts(option, "size="))
		good = tmpfs_size(span_skip(option, 5), "KMGT", "kmgt", true);
	else if (span_starts(option, "nr_inodes="))
		good = tmpfs_size(span_skip(option, 10), "KMG", "kmg", false);
	else if (span_starts(option, "mode="))
		good = is_mode(span_skip(option, 5));
	if (!good)
		return sentence_set(&reading->why, "%s is not an option of it", printable(option, shown));
	longer = NULL;
	if (asprintf(&longer, "%s%s%.*s", rule->options ? rule->options : "", rule->options ? "," : "",
		    (int)option.length, option.at) < 0)
		return -ENOMEM;
	free(rule->options);
	rule->options = longer;
	return 0;
}

static bool begins_path(struct span item)
{
	return item.length > 0 && strchr("/-%", item.at[0]);
}

int parse_temporary(const struct key *key, const char *text, struct reading *reading)
{
	struct span rest = span_of(text), item = {NULL, 0};
	struct path_rule *rule = NULL;
	int r = 0;

	while (r == 0 && span_next(&rest, ",", &item)) {
		struct span path = {NULL, 0};

		if (rule && !begins_path(item)) {
			r = add_option(rule, item, reading);
			continue;
		}
		r = begin_rule(key, &item, reading, &rule);
		if (r < 0)
			return r;
		span_next(&item, ":", &path);
		r = place_rule(path.at ? path : item, reading, rule);
		if (r == 0 && path.at && item.at)
			r = add_option(rule, span_trim(item), reading);
	}
	return r;
}

int parse_one_path(const struct key *key, const char *text, struct reading *reading)
{
	char *path = NULL;
	int r = text[0] ? new_path(span_of(text), reading, &path) : 0;

	if (r == 0)
		memcpy((char *)reading->policy + key->field, &path, sizeof(path));
	return r;
}
