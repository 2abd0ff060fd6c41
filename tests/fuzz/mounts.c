/* Fuzzes the parser of one line of mountinfo(5). */
#include "fuzz.h"

#include "box/mounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = fuzz_line(&data, &size);
	struct mount_entry entry = {.path = NULL};
	size_t length = strlen(line);

	if (mounts_parse_line(line, &entry)) {
		FUZZ_ASSERT(entry.path >= line && entry.path < line + length);
		FUZZ_ASSERT(entry.path[0] == '/');
	}
	free(line);
	return 0;
}
