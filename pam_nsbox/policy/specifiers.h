/* What %u and the other specifiers stand for, and where they may not lead. */
#ifndef NSBOX_POLICY_SPECIFIERS_H
#define NSBOX_POLICY_SPECIFIERS_H

#include "policy.h"
#include "text.h"

/* Borrowed strings. A NULL is a thing that could not be found out: expansion says so. */
struct specifiers {
	const char *user;     /* %u */
	uid_t uid;	      /* %U */
	const char *group;    /* %g, the primary group's name */
	const char *home;     /* %h */
	const char *hostname; /* %H; %l is the part before its first dot */
	const char *service;  /* %s */
	const char *box_id;   /* %i */
};

/* A login that every good template fits, to try templates on when nobody logs in. */
extern const struct specifiers sample_specifiers;

/* Expands a template for a path. Whatever a user or a caller has a say in must stay one part of the path: a
 * value that is empty, "." or "..", or holds "/" or control characters is refused (but %h, which is a path,
 * may hold "/"). buf gets an absolute path without "//", "." and a "/" at its end; ".." is refused. 0, or
 * -EINVAL and why.
 */
int expand_path(struct span template, const struct specifiers *specifiers, char *buf, size_t size,
	struct sentence *why);

/* Expands a template for a host name, makes a valid one of it (letters, digits, "-" and "."; every run of
 * other bytes becomes one "-"; no label is empty or begins or ends with "-"), and cuts it to
 * POLICY_HOSTNAME_MAX. -EINVAL and why if nothing is left.
 */
int expand_hostname(struct span template, const struct specifiers *specifiers,
	char buf[POLICY_HOSTNAME_MAX + 1], struct sentence *why);

/* Whether the template has this specifier. */
bool template_has(struct span template, char specifier);

#endif
