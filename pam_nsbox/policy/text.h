/* Pieces of text, and the sentences written about them.
 *
 * The configuration is read into memory once and never altered; everything that refers to it is a span.
 * User names, group names and file contents are hostile until proved otherwise: nothing of them reaches a
 * message but through printable().
 */
#ifndef NSBOX_POLICY_TEXT_H
#define NSBOX_POLICY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SENTENCE_SIZE  512 /* bytes of one message, as policy.h has it */
#define PRINTABLE_SIZE 160 /* bytes that printable() needs at most */

/* An owned string, descriptor or stream that ends with its block. */
#define AUTO_FREE    __attribute__((cleanup(text_free_pointer)))
#define AUTO_CLOSE   __attribute__((cleanup(text_close_descriptor)))
#define PRINTS(f, a) __attribute__((format(printf, f, a)))

void text_free_pointer(void *pointer_to_pointer);
void text_close_descriptor(const int *descriptor);

/* Borrowed bytes, not terminated. */
struct span {
	const char *at;
	size_t length;
};

/* A message that one function fills in and its caller passes on; empty where there is none. */
struct sentence {
	char text[SENTENCE_SIZE];
};

/* Replaces the message; what does not fit is cut. Returns -EINVAL, so that a check can end with it. */
int sentence_set(struct sentence *sentence, const char *format, ...) PRINTS(2, 3);

struct span span_of(const char *string);

/* Without spaces and tabs at both ends. No other byte counts as white space in a configuration file. */
struct span span_trim(struct span span);

/* Splits off the trimmed text before the first of the separators. Every call but the last returns true and
 * moves rest behind the separator; an empty text is no item at all.
 */
bool span_next(struct span *rest, const char *separators, struct span *item);

bool span_equal(struct span span, const char *word); /* case-sensitive */
bool span_equal_ignoring_case(struct span span, const char *word);
bool span_starts(struct span span, const char *prefix); /* case-sensitive */

static inline char text_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* How many letters must be left out, added, changed or exchanged with their neighbour to make a of b, whatever their
 * case. Both have at most SPAN_DISTANCE_MAX bytes.
 */
#define SPAN_DISTANCE_MAX 32
size_t span_distance(struct span a, struct span b);

/* The span with its first count bytes taken off; count must not exceed its length. */
struct span span_skip(struct span span, size_t count);

/* A terminated copy: in memory of the caller's (-E2BIG if it does not fit), or in new memory (NULL: none). */
int span_copy(struct span span, char *buf, size_t size);
char *span_dup(struct span span);

/* Makes room for one element more, zeroed, in an array that grows by doubling, and counts it; its address, or
 * NULL for want of memory. array_pointer is the address of the array's pointer.
 */
void *array_append(void *array_pointer, size_t *count, size_t size);

/* The text between quotation marks, for a message: what is no printable ASCII becomes \xHH, a mark or
 * backslash gets a backslash, what is too long
 * ends in "...". buf holds PRINTABLE_SIZE bytes and is returned.
 */
const char *printable(struct span span, char buf[PRINTABLE_SIZE]);

#endif
