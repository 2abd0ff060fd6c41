#include "values.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_INFINITY UINT64_MAX

/* The units of systemd.time(7). */
static const struct {
	const char *name;
	uint64_t usec;
} units[] = {
	{"", USEC_PER_SEC},
	{"us", 1},
	{"usec", 1},
	{"ms", 1000},
	{"msec", 1000},
	{"s", USEC_PER_SEC},
	{"sec", USEC_PER_SEC},
	{"second", USEC_PER_SEC},
	{"seconds", USEC_PER_SEC},
	{"m", 60 * USEC_PER_SEC},
	{"min", 60 * USEC_PER_SEC},
	{"minute", 60 * USEC_PER_SEC},
	{"minutes", 60 * USEC_PER_SEC},
	{"h", 3600 * USEC_PER_SEC},
	{"hr", 3600 * USEC_PER_SEC},
	{"hour", 3600 * USEC_PER_SEC},
	{"hours", 3600 * USEC_PER_SEC},
	{"d", 86400 * USEC_PER_SEC},
	{"day", 86400 * USEC_PER_SEC},
	{"days", 86400 * USEC_PER_SEC},
	{"w", 604800 * USEC_PER_SEC},
	{"week", 604800 * USEC_PER_SEC},
	{"weeks", 604800 * USEC_PER_SEC},
	{"M", 2629800 * USEC_PER_SEC},
	{"month", 2629800 * USEC_PER_SEC},
	{"months", 2629800 * USEC_PER_SEC},
	{"y", 31557600 * USEC_PER_SEC},
	{"year", 31557600 * USEC_PER_SEC},
	{"years", 31557600 * USEC_PER_SEC},
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes digits off the text; 0, or -EINVAL if there is none, or the number is beyond limit. */
static int take_number(struct span *text, uint64_t limit, uint64_t *number)
{
	size_t count = 0;

	*number = 0;
	for (; count < text->length && digit(text->at[count]); count++) {
		unsigned int value = (unsigned int)(text->at[count] - '0');

		if (*number > (limit - value) / 10)
			return -EINVAL;
		*number = *number * 10 + value;
	}
	*text = span_skip(*text, count);
	return count > 0 ? 0 : -EINVAL;
}

/* Takes a number of one unit, with decimals ("1.5h"), off the text. */
static int take_time(struct span *text, uint64_t *usec)
{
	struct span decimals = {NULL, 0}, unit;
	uint64_t number, part;
	size_t length = 0;

	if (take_number(text, UINT64_MAX, &number) < 0)
		return -EINVAL;
	if (text->length > 0 && text->at[0] == '.') {
		*text = span_skip(*text, 1);
		while (decimals.length < text->length && digit(text->at[decimals.length]))
			decimals.length++;
		if (decimals.length == 0)
			return -EINVAL;
		decimals.at = text->at;
		*text = span_skip(*text, decimals.length);
	}
	*text = span_trim(*text);
	while (length < text->length && !digit(text->at[length]) && !strchr(" \t.", text->at[length]))
		length++;
	unit = (struct span){text->at, length};
	*text = span_trim(span_skip(*text, length));
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (span_equal(unit, units[i].name)) {
			part = units[i].usec;
			/* One unit less leaves room for the decimals. */
			if (number >= USEC_INFINITY / part - 1)
				return -EINVAL;
			*usec = number * part;
			for (size_t j = 0; j < decimals.length; j++) {
				part /= 10;
				*usec += (uint64_t)(decimals.at[j] - '0') * part;
			}
			return 0;
		}
	return -EINVAL;
}

/* Reads a time span of systemd.time(7). */
static int read_time(struct span text, uint64_t *usec)
{
	*usec = 0;
	text = span_trim(text);
	if (span_equal(text, "infinity")) {
		*usec = USEC_INFINITY;
		return 0;
	}
	if (text.length == 0)
		return -EINVAL;
	while (text.length > 0) {
		uint64_t more;

		if (take_time(&text, &more) < 0 || more > USEC_INFINITY - 1 - *usec)
			return -EINVAL;
		*usec += more;
	}
	return 0;
}

int parse_timeout(const struct key *key, const char *text, struct reading *reading)
{
	uint64_t usec;

	(void)key;
	if (read_time(span_of(text), &usec) < 0)
		return -EINVAL;
	if (usec == USEC_INFINITY)
		return sentence_set(&reading->why, "a box must end one day");
	if (usec / 1000 > UINT32_MAX)
		return sentence_set(&reading->why, "it is too long");
	reading->policy->timeout_stop_ms = (uint32_t)(usec / 1000);
	return 0;
}

/* Hands a checked text on. */
static int keep(const struct key *key, const char *text, struct reading *reading)
{
	char *copy = text[0] ? strdup(text) : NULL;

	if (text[0] && !copy)
		return -ENOMEM;
	memcpy((char *)reading->policy + key->field, &copy, sizeof(copy));
	return 0;
}

int parse_size(struct span text, const char *suffixes, bool percent)
{
	uint64_t number, part;
	int shift = 0;

	if (take_number(&text, UINT64_MAX, &number) < 0)
		return -EINVAL;
	if (percent && span_equal(text, "%"))
		return number <= 100 ? 0 : -EINVAL;
	if (text.length > 1 && text.at[0] == '.') {
		text = span_skip(text, 1);
		/* Half a byte, or half a task, is none. */
		if (take_number(&text, UINT64_MAX, &part) < 0 || text.length == 0)
			return -EINVAL;
	}
	if (text.length > 0) {
		const char *suffix = strchr(suffixes, text.at[0]);

		if (text.length > 1 || !suffix || text.at[0] == '\0')
			return -EINVAL;
		shift = 10 * (int)(suffix - suffixes + 1);
	}
	return number <= UINT64_MAX >> shift ? 0 : -EINVAL;
}

#define OCTAL "systemd takes a number that begins with 0 for an octal one; leave the 0 out"

/* safe_atou64() and safe_atoi(), which read all of these but sizes in bytes, let the number say its base. */
static bool is_octal(struct span text)
{
	return text.length > 1 && text.at[0] == '0' && digit(text.at[1]);
}

int parse_tasks(const struct key *key, const char *text, struct reading *reading)
{
	struct span rest = span_of(text);
	uint64_t number;

	if (text[0] == '\0' || span_equal(rest, "infinity"))
		return keep(key, text, reading);
	if (is_octal(rest))
		return sentence_set(&reading->why, OCTAL);
	if (parse_size(rest, "", true) < 0 || take_number(&rest, UINT64_MAX, &number) < 0 || number == 0)
		return -EINVAL;
	return keep(key, text, reading);
}

int parse_memory(const struct key *key, const char *text, struct reading *reading)
{
	struct span rest = span_of(text);
	size_t zeros = strspn(text, "0.");

	if (text[0] == '\0' || span_equal(rest, "infinity"))
		return keep(key, text, reading);
	if (is_octal(rest))
		return sentence_set(&reading->why, OCTAL);
	if (parse_size(rest, "KMGT", true) < 0)
		return -EINVAL;
	/* 0.001K is one byte. */
	if (!digit(text[zeros]) || zeros > sizeof("0.00") - 1)
		return sentence_set(&reading->why, "no login can run in no memory");
	return keep(key, text, reading);
}

int parse_weight(const struct key *key, const char *text, struct reading *reading)
{
	struct span rest = span_of(text);
	uint64_t number;

	/* Idle is a word for the processor alone (systemd.resource-control(5)). */
	if (text[0] == '\0' || (strstr(key->allowed, "idle") && span_equal(rest, "idle")))
		return keep(key, text, reading);
	if (is_octal(rest))
		return sentence_set(&reading->why, OCTAL);
	if (take_number(&rest, 10000, &number) < 0 || number == 0 || rest.length > 0)
		return -EINVAL;
	return keep(key, text, reading);
}

int parse_runtime(const struct key *key, const char *text, struct reading *reading)
{
	uint64_t usec;

	if (text[0] == '\0')
		return keep(key, text, reading);
	if (read_time(span_of(text), &usec) < 0)
		return -EINVAL;
	if (usec == 0)
		return sentence_set(&reading->why, "the login would end when it begins");
	return keep(key, text, reading);
}
