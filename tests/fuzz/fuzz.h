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
const char *__asan_default_options(void);

/* Half of the time would go into remembering who allocated what was freed long ago; ASAN_OPTIONS overrides this. */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1:malloc_context_size=0:max_malloc_fill_size=0";
}

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
			dprintf(2, "does not hold: %s\n", #condition);                                       \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

#endif
