/* Programs that a box, or a part of it, would harm. */
#ifndef NSBOX_POLICY_CALLERS_H
#define NSBOX_POLICY_CALLERS_H

#include <stdbool.h>

struct caller {
	const char *service; /* the PAM service, or NULL */
	const char *exe;     /* the last part of the executable's path, or NULL */
	bool no_box;	     /* such a login is not boxed at all */
	int without;	     /* CLONE_NEW* that such a login's box does not have */
	const char *reason;  /* why, as a clause for the log */
};

/* The row for this service or executable (NULL: unknown), or NULL if there is nothing to mind. */
const struct caller *caller_find(const char *service, const char *exe);

#endif
