#include "values.h"
#include "../namespaces.h"
#include "specifiers.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/capability.h>

static void *field_of(const struct key *key, const struct reading *reading)
{
	return (char *)reading->policy + key->field;
}

int parse_match(const struct key *key, const char *text, struct reading *reading)
{
	struct span rest = span_of(text), item = {NULL, 0};
	size_t count = 0;

	(void)key;
	for (; span_next(&rest, ",", &item); count++) {
		if (item.length > 0 && item.at[0] == '!')
			item = span_trim(span_skip(item, 1));
		if (item.length == 0)
			return sentence_set(&reading->why, "an item of the list is empty");
	}
	if (count == 0)
		return sentence_set(&reading->why, "an empty list is for nobody");
	return 0;
}

int boolean_of(const char *text)
{
	/* As systemd.syntax(7) has them. */
	static const struct word booleans[] = {{"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0}, {"on", 1},
		{"off", 0}, {"1", 1}, {"0", 0}, {"y", 1}, {"n", 0}, {"t", 1}, {"f", 0}, {NULL, 0}};

	for (const struct word *word = booleans; word->word; word++)
		if (span_equal_ignoring_case(span_of(text), word->word))
			return (int)word->value;
	return -EINVAL;
}

int parse_word(const struct key *key, const char *text, struct reading *reading)
{
	int boolean = boolean_of(text);
	const char *same = boolean < 0 ? text : boolean ? "yes" : "no"; /* where those are among the words */

	for (const struct word *word = key->words; word->word; word++)
		if (span_equal_ignoring_case(span_of(same), word->word)) {
			memcpy(field_of(key, reading), &word->value, sizeof(word->value));
			return 0;
		}
	if (span_equal_ignoring_case(span_of(text), "rshared") ||
		span_equal_ignoring_case(span_of(text), "shared"))
		return sentence_set(&reading->why, "with shared propagation what is mounted in the box would "
						   "be mounted on the host too");
	return -EINVAL;
}

_Static_assert(sizeof(enum scope) == sizeof(unsigned int), "parse_word fills in enums");

int parse_boolean(const struct key *key, const char *text, struct reading *reading)
{
	int boolean = boolean_of(text);

	if (boolean < 0)
		return boolean;
	*(bool *)field_of(key, reading) = boolean;
	return 0;
}

int parse_namespaces(const struct key *key, const char *text, struct reading *reading)
{
	struct span rest = span_of(text), item = {NULL, 0};
	char name[16], shown[PRINTABLE_SIZE];
	int mask = 0;

	while (span_next(&rest, ",", &item)) {
		int flag = span_copy(item, name, sizeof(name)) == 0 ? namespace_flag(name) : 0;

		if (!flag)
			return sentence_set(
				&reading->why, "%s is no kind of namespace", printable(item, shown));
		mask |= flag;
	}
	if (!mask)
		return sentence_set(&reading->why, "an empty list makes no box; Enabled = no says so");
	memcpy(field_of(key, reading), &mask, sizeof(mask));
	return 0;
}

int parse_hostname(const struct key *key, const char *text, struct reading *reading)
{
	if (text[0] == '\0') {
		*(char *)field_of(key, reading) = '\0';
		return 0;
	}
	return expand_hostname(span_of(text), reading->specifiers, field_of(key, reading), &reading->why);
}

int parse_capabilities(const struct key *key, const char *text, struct reading *reading)
{
	struct span rest = span_trim(span_of(text)), item = {NULL, 0};
	bool invert = span_starts(rest, "~");
	char name[48], shown[PRINTABLE_SIZE];
	uint64_t set = 0;

	(void)key;
	if (invert)
		rest = span_skip(rest, 1);
	while (span_next(&rest, ",", &item)) {
		cap_value_t capability;

		/* libcap knows the names of the kernel's newest capabilities. It takes numbers, too, which are
		 * not names, and ignores what follows a name, such as a second one without a comma between.
		 */
		if (span_copy(item, name, sizeof(name)) < 0 || strncasecmp(name, "cap_", 4) != 0)
			return sentence_set(&reading->why, "%s is no capability", printable(item, shown));
		for (char *c = name; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0' ||
			cap_from_name(name, &capability) < 0 || capability < 0 || capability > 63)
			return sentence_set(&reading->why, "%s is no capability", printable(item, shown));
		set |= UINT64_C(1) << capability;
	}
	reading->policy->bounding_set = invert ? ~set : set;
	reading->policy->bounding_set_given = true;
	return 0;
}
