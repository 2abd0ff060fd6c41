#ifndef NSBOX_FAILURE_H
#define NSBOX_FAILURE_H

#include "box.h"

/* Notes what failed, and returns error, a negative errno, so that a function can end with it. */
int box_fail(struct box_failure *failure, const char *step, const char *subject, int error);

#endif
