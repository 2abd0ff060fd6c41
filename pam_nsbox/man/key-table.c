/* Prints the table of configuration keys as mdoc(7), for nsbox.conf(5): one list item a row of policy/keys.c.
 */
#include "../policy/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_WIDTH 78

/* Text of a paragraph, folded as manual pages are. */
static size_t column;

/* A backslash begins an escape for the formatter, a minus is a hyphen to it, and a dot at the head of a line
 * a request.
 */
static void print_word(const char *word, size_t length)
{
	if (column > 0 && column + 1 + length > LINE_MAX_WIDTH) {
		putchar('\n');
		column = 0;
	} else if (column > 0) {
		putchar(' ');
		column++;
	}
	if (column == 0 && (word[0] == '.' || word[0] == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < length; i++)
		switch (word[i]) {
		case '\\': fputs("\\e", stdout); break;
		case '-': fputs("\\-", stdout); break;
		case '"': fputs("\\(dq", stdout); break;
		default: putchar(word[i]); break;
		}
	column += length;
}

static void print_words(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, " ");

		if (length > 0)
			print_word(text, length);
		text += length + (text[length] == ' ');
	}
}

static void end_sentence(void)
{
	puts(".");
	column = 0;
}

/* As a sentence, unless it begins with one of the key's values ("no: these logins ..."). */
static void print_sentence(const char *text)
{
	char first[256];
	size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	snprintf(first, sizeof(first), "%s", text);
	if (text[word] != ':')
		first[0] = (char)toupper((unsigned char)first[0]);
	print_words(first);
	end_sentence();
}

static void print_key(const struct key *key)
{
	printf(".It Cm %s\n", key->name);
	print_sentence(key->says);
	print_words("Expects");
	print_words(key->allowed);
	end_sentence();
	if (key->built_in) {
		print_words("Built in:");
		print_words(key->built_in);
		end_sentence();
	}
}

int main(void)
{
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < n_keys; i++)
		print_key(&keys[i]);
	puts(".El");
	return ferror(stdout) || fflush(stdout) != 0;
}
