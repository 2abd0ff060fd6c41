/* What every fuzzing target begins with. */
#ifndef NSBOX_FUZZ_H
#define NSBOX_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Takes the text up to the next newline off the input, as a string in new memory. */
static inline char *fuzz_line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size > 0 ? memchr(*data, '\n', *size) : NULL;
	size_t length = end ? (size_t)(end - *data) : *size;
	char *line = malloc(length + 1);

	if (!line)
		abort();
	if (length > 0)
		memcpy(line, *data, length);
	line[length] = '\0';
	*data += length + (end != NULL);
	*size -= length + (end != NULL);
	return line;
}

/* Contracts of the function under test. */
#define FUZZ_ASSERT(condition)                                                                               \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "does not hold: %s\n", #condition);                                  \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

#endif
