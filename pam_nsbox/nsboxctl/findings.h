/* What is wrong with a configuration, as lines. */
#ifndef NSBOX_FINDINGS_H
#define NSBOX_FINDINGS_H

#include "../policy/config.h"

/* Writes "file:line: message" to standard error, as one line whatever is in it. Where file lies below the
 * folder old it is shown below the folder new (NULL: as it is).
 */
void print_finding(const struct finding *finding, const char *old, const char *new);

#endif
