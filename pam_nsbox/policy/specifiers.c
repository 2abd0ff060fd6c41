#include "specifiers.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

const struct specifiers sample_specifiers = {
	.user = "user",
	.uid = 1000,
	.group = "group",
	.home = "/home/user",
	.hostname = "host.example",
	.service = "sshd",
	.box_id = "abcdefghij",
};

/* The text of one specifier; at == NULL if there is no such specifier or it is not known. */
static struct span specifier_text(char letter, const struct specifiers *s, char number[16])
{
	const char *text = NULL;

	switch (letter) {
	case '%': return (struct span){"%", 1};
	case 'u': text = s->user; break;
	case 'g': text = s->group; break;
	case 'h': text = s->home; break;
	case 's': text = s->service; break;
	case 'i': text = s->box_id; break;
	case 'H': text = s->hostname; break;
	case 'l':
		if (s->hostname)
			return (struct span){s->hostname, strcspn(s->hostname, ".")};
		break;
	case 'U':
		snprintf(number, 16, "%u", (unsigned int)s->uid);
		text = number;
		break;
	default: break;
	}
	return text ? span_of(text) : (struct span){NULL, 0};
}

static bool has_control(struct span span)
{
	for (size_t i = 0; i < span.length; i++)
		if ((unsigned char)span.at[i] < ' ' || span.at[i] == 0x7f)
			return true;
	return false;
}

static bool has_byte(struct span span, char byte)
{
	return span.length > 0 && memchr(span.at, byte, span.length);
}

/* Whether the text may stand in a path for this specifier. */
static int safe_in_path(char letter, struct span text, struct sentence *why)
{
	char shown[PRINTABLE_SIZE];
	bool dots = span_equal(text, ".") || span_equal(text, "..");

	if (letter == 'h' ? !span_starts(text, "/") : (dots || text.length == 0 || has_byte(text, '/')))
		return sentence_set(
			why, "%%%c is %s here, which cannot stand in a path", letter, printable(text, shown));
	if (has_control(text))
		return sentence_set(why, "%%%c is %s here, and a control character cannot stand in a path",
			letter, printable(text, shown));
	return 0;
}

/* Takes the specifier at the head of rest (behind its "%") and gives its text. */
static int take_specifier(struct span *rest, const struct specifiers *s, char number[16], struct span *text,
	struct sentence *why)
{
	char shown[PRINTABLE_SIZE];

	if (rest->length == 0)
		return sentence_set(why, "it ends in a single %%; write %%%% for a percent sign");
	if (rest->at[0] == '\0' || !strchr("uUghHlsi%", rest->at[0]))
		return sentence_set(why,
			"%%%.*s is no specifier; there are %%u %%U %%g %%h %%H %%l %%s %%i %%%%",
			(int)strlen(printable((struct span){rest->at, 1}, shown)) - 2, shown + 1);
	*text = specifier_text(rest->at[0], s, number);
	if (!text->at) {
		sentence_set(why, "%%%c cannot be found out for this login", rest->at[0]);
		return -EINVAL;
	}
	*rest = span_skip(*rest, 1);
	return 0;
}

static int expand(struct span template, const struct specifiers *s, bool path, char *buf, size_t size,
	struct sentence *why)
{
	size_t used = 0;
	char number[16];
	int r;

	while (template.length > 0) {
		struct span text = {template.at, 1};

		template = span_skip(template, 1);
		if (text.at[0] == '%') {
			char letter = template.length > 0 ? template.at[0] : '\0';

			r = take_specifier(&template, s, number, &text, why);
			if (r == 0 && path && letter != '%')
				r = safe_in_path(letter, text, why);
			if (r < 0)
				return r;
		}
		if (text.length >= size - used) {
			sentence_set(why, "it is longer than %zu bytes", size - 1);
			return -EINVAL;
		}
		memcpy(buf + used, text.at, text.length);
		used += text.length;
	}
	buf[used] = '\0';
	return 0;
}

int expand_path(
	struct span template, const struct specifiers *s, char *buf, size_t size, struct sentence *why)
{
	char expanded[PATH_MAX], shown[PRINTABLE_SIZE];
	struct span rest, part = {NULL, 0};
	size_t used = 0;
	int r;

	r = expand(template, s, true, expanded, sizeof(expanded) < size ? sizeof(expanded) : size, why);
	if (r < 0)
		return r;
	if (expanded[0] != '/')
		return sentence_set(why, "%s is not an absolute path", printable(span_of(expanded), shown));
	rest = span_of(expanded + 1);
	while (rest.length > 0) {
		part = (struct span){rest.at, strcspn(rest.at, "/")};
		rest = span_skip(rest, part.length < rest.length ? part.length + 1 : part.length);
		if (span_equal(part, ".."))
			return sentence_set(why, "\"..\" cannot stand in a path");
		if (part.length > NAME_MAX)
			return sentence_set(why, "a part of the path is longer than %d bytes", NAME_MAX);
		if (part.length == 0 || span_equal(part, "."))
			continue;
		/* It fits: what goes out is never longer than what came in. */
		buf[used++] = '/';
		memcpy(buf + used, part.at, part.length);
		used += part.length;
	}
	if (used == 0)
		buf[used++] = '/';
	buf[used] = '\0';
	return 0;
}

static bool hostname_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.';
}

/* Takes off what a name may not end in: "-" of a label, and the dot of an empty label. */
static size_t hostname_tail(const char *name, size_t length)
{
	while (length > 0 && (name[length - 1] == '-' || name[length - 1] == '.'))
		length--;
	return length;
}

int expand_hostname(struct span template, const struct specifiers *s, char buf[POLICY_HOSTNAME_MAX + 1],
	struct sentence *why)
{
	char expanded[4 * PATH_MAX], shown[PRINTABLE_SIZE];
	size_t used = 0;
	int r;

	r = expand(template, s, false, expanded, sizeof(expanded), why);
	if (r < 0)
		return r;
	for (const char *at = expanded; *at && used < POLICY_HOSTNAME_MAX; at++) {
		char c = hostname_byte(*at) ? *at : '-';

		/* A run of bytes that cannot stay (one letter of UTF-8, say) leaves one "-". */
		if (!hostname_byte(*at) && at > expanded && !hostname_byte(at[-1]))
			continue;
		if (c == '.')
			used = hostname_tail(buf, used);
		if ((c == '-' || c == '.') && (used == 0 || (c == '-' && buf[used - 1] == '.')))
			continue;
		buf[used++] = c;
	}
	used = hostname_tail(buf, used);
	buf[used] = '\0';
	if (used == 0)
		return sentence_set(why, "%s holds nothing that can be in a host name",
			printable(span_of(expanded), shown));
	return 0;
}

bool template_has(struct span template, char specifier)
{
	for (size_t i = 0; i + 1 < template.length; i++)
		if (template.at[i] == '%' && template.at[++i] == specifier)
			return true;
	return false;
}
