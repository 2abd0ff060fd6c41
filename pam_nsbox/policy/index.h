/* The index of a configuration: one pass over each file's text. Used by config.c alone. */
#ifndef NSBOX_POLICY_INDEX_H
#define NSBOX_POLICY_INDEX_H

#include "config.h"

/* Appends the file's sections, entries and problems. 0 or -ENOMEM. */
int index_file(struct config *config, uint32_t file);

/* What can be said only of the whole: sections given twice, sections that decide nobody or cannot be told,
 * and the first problem that makes the configuration untrusted. 0 or -ENOMEM.
 */
int index_finish(struct config *config);

/* Appends a problem; section is an index or SIZE_MAX. NULL for want of memory. */
struct problem *index_problem(struct config *config, enum fault fault, uint32_t file, uint32_t line,
	size_t section, struct span text);

#endif
