/* Prints the table of configuration keys as mdoc(7), for nsbox.conf(5): one list item a row of policy/keys.c. */
#include "../policy/keys.h"

#include <ctype.h>
#include <stdio.h>

/* A backslash begins an escape for the formatter, and a minus is a hyphen to it. The first letter of a sentence is
 * made large, unless the sentence begins with one of the key's values ("no: these logins ...").
 */
static void print_text(const char *text, bool sentence)
{
	size_t word = 0;

	while (islower((unsigned char)text[word]))
		word++;
	for (const char *at = text; *at; at++) {
		char c = at == text && sentence && text[word] != ':' ? (char)toupper((unsigned char)*at) : *at;

		if (c == '\\')
			fputs("\\e", stdout);
		else if (c == '-')
			fputs("\\-", stdout);
		else if (c == '"')
			fputs("\\(dq", stdout);
		else
			putchar(c);
	}
}

static void print_line(const char *before, const char *text)
{
	fputs(before, stdout);
	print_text(text, before[0] == '\0' || before[0] == 'E');
	puts(".");
}

static void print_key(const struct key *key)
{
	printf(".It Cm ");
	print_text(key->name, false);
	putchar('\n');
	print_line("", key->says);
	print_line("Expects ", key->allowed);
	if (key->built_in) {
		printf(".br\nBuilt in: ");
		print_text(key->built_in, false);
		puts(".");
	}
}

int main(void)
{
	puts(".\\\" Printed by key-table from the table in policy/keys.c.");
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < n_keys; i++)
		print_key(&keys[i]);
	puts(".El");
	return ferror(stdout) || fflush(stdout) != 0;
}
