/* doctor: what is wrong with a system on which boxes are to be made.
 *
 * Each examination looks at one side of it and adds findings. A finding says what is wrong, where, why that matters, and
 * the mend. A fault is wrong; a note is as it must be, but an administrator should know it. A good system has neither.
 */
#ifndef NSBOX_DOCTOR_H
#define NSBOX_DOCTOR_H

#include "../policy/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum severity { SEVERITY_FAULT, SEVERITY_NOTE };

struct diagnosis {
	json_t *findings; /* an array of objects: check, severity, file, line, what, why, mend */
	json_t *system;	  /* an object: facts that are neither good nor bad */
	size_t n_faults;
	const char *conf;	     /* the configuration that is examined, NULL: the built-in place */
	const struct config *config; /* read from there */
};

/* Where a finding is. */
struct place {
	const char *file;  /* or another thing that has a name: "kernel" */
	unsigned int line; /* 0: the whole */
};

/* Adds a finding, unless the same stands there already (a file may be included by many). check is a stable word for
 * programs; the rest are clauses without a full stop.
 */
void diagnose(struct diagnosis *diagnosis, enum severity severity, const char *check, struct place place,
	const char *why, const char *mend, const char *what, ...) __attribute__((format(printf, 7, 8)));

/* Whether any section of the configuration sets one of the keys (comma-separated names) to one of the words in values
 * (NULL: to anything). *place becomes the first one's.
 */
bool config_sets(const struct config *config, const char *names, const char *values, struct place *place);

void examine_kernel(struct diagnosis *diagnosis);
void examine_installation(struct diagnosis *diagnosis);
void examine_configuration(struct diagnosis *diagnosis, const char *conf);
void examine_logind(struct diagnosis *diagnosis);
void examine_pam(struct diagnosis *diagnosis);

/* Makes a box, by the engine itself, and looks whether its name resolves inside. */
void examine_box(struct diagnosis *diagnosis);

/* Says what is wrong with a program or library that root runs: it is missing, not root's, others may write it, or it
 * lies where nothing is executed. Returns whether it is good.
 */
bool examine_executable(struct diagnosis *diagnosis, const char *path, bool is_program, const char *check);

#endif
