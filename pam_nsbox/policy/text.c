#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void text_free_pointer(void *pointer_to_pointer)
{
	void *pointer;

	memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
	free(pointer);
}

void text_close_descriptor(const int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}

int sentence_set(struct sentence *sentence, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	/* cppcheck-suppress ctuuninitvar ; it is written to, whatever it held */
	vsnprintf(sentence->text, sizeof(sentence->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

struct span span_of(const char *string)
{
	return (struct span){string, strlen(string)};
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span span)
{
	while (span.length > 0 && blank(span.at[0]))
		span = span_skip(span, 1);
	while (span.length > 0 && blank(span.at[span.length - 1]))
		span.length--;
	return span;
}

bool span_next(struct span *rest, const char *separators, struct span *item)
{
	size_t length = 0;

	if (!rest->at || (item->at == NULL && span_trim(*rest).length == 0))
		return false;
	while (length < rest->length && !strchr(separators, rest->at[length]))
		length++;
	*item = span_trim((struct span){rest->at, length});
	if (length == rest->length)
		rest->at = NULL;
	else
		*rest = span_skip(*rest, length + 1);
	return true;
}

bool span_equal(struct span span, const char *word)
{
	return strlen(word) == span.length && memcmp(span.at, word, span.length) == 0;
}

bool span_equal_ignoring_case(struct span span, const char *word)
{
	return strlen(word) == span.length && strncasecmp(span.at, word, span.length) == 0;
}

bool span_starts(struct span span, const char *prefix)
{
	size_t length = strlen(prefix);

	return span.length >= length && memcmp(span.at, prefix, length) == 0;
}

struct span span_skip(struct span span, size_t count)
{
	return (struct span){span.at + count, span.length - count};
}

int span_copy(struct span span, char *buf, size_t size)
{
	if (span.length >= size)
		return -E2BIG;
	memcpy(buf, span.at, span.length);
	buf[span.length] = '\0';
	return 0;
}

char *span_dup(struct span span)
{
	char *copy = malloc(span.length + 1);

	if (copy)
		(void)span_copy(span, copy, span.length + 1);
	return copy;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t span_distance(struct span a, struct span b)
{
	size_t rows[3][SPAN_DISTANCE_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2], *spare;

	memset(rows, 0, sizeof(rows));
	for (size_t j = 0; j <= b.length; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.length; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b.length; j++) {
			char x = text_lower(a.at[i - 1]), y = text_lower(b.at[j - 1]);

			row[j] = smaller(smaller(last[j], row[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == text_lower(b.at[j - 2]) && y == text_lower(a.at[i - 2]))
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b.length];
}

void *array_append(void *array_pointer, size_t *count, size_t size)
{
	char *array, *longer;

	memcpy(&array, array_pointer, sizeof(array));
	/* Room doubles, so the count itself tells when the room is used up. */
	if ((*count & (*count - 1)) == 0) {
		longer = reallocarray(array, *count ? 2 * *count : 1, size);
		if (!longer)
			return NULL;
		array = longer;
		memcpy(array_pointer, &array, sizeof(array));
	}
	return memset(array + (*count)++ * size, 0, size);
}

const char *printable(struct span span, char buf[PRINTABLE_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0;

	buf[used++] = '"';
	/* Room is kept for the widest byte, the dots, the closing mark and the NUL. */
	while (span.length > 0 && used + 4 + 3 + 2 <= PRINTABLE_SIZE) {
		unsigned char c = (unsigned char)span.at[0];

		if (c == '\\' || c == '"') {
			buf[used++] = '\\';
			buf[used++] = (char)c;
		} else if (c < ' ' || c > '~') {
			buf[used++] = '\\';
			buf[used++] = 'x';
			buf[used++] = hex[c >> 4];
			buf[used++] = hex[c & 15];
		} else {
			buf[used++] = (char)c;
		}
		span = span_skip(span, 1);
	}
	memcpy(buf + used, span.length > 0 ? "...\"" : "\"", span.length > 0 ? 5 : 2);
	return buf;
}
