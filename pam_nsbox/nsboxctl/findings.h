/* What is wrong with a configuration, as lines. */
#ifndef NSBOX_FINDINGS_H
#define NSBOX_FINDINGS_H

#include "../policy/config.h"

#include <stdio.h>

/* Writes "file:line: message", as one line whatever is in it. What lies below the folder old is shown below the
 * folder new, be it the file or one that the message names (NULL: as it is).
 */
void write_finding(const struct finding *finding, const char *old, const char *new, FILE *out);

#endif
