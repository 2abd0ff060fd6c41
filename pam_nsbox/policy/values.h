/* Readers of values: each is the parse function of rows in keys.c, and its contract is that of struct key. */
#ifndef NSBOX_POLICY_VALUES_H
#define NSBOX_POLICY_VALUES_H

#include "keys.h"

/* values.c: a list for matching (checked only); words; systemd's boolean words; kinds of namespaces; the
 * box's host name; a time that ends, in milliseconds; capabilities.
 */
int parse_match(const struct key *key, const char *text, struct reading *reading);
int parse_word(const struct key *key, const char *text, struct reading *reading);
int parse_boolean(const struct key *key, const char *text, struct reading *reading);
int parse_namespaces(const struct key *key, const char *text, struct reading *reading);
int parse_hostname(const struct key *key, const char *text, struct reading *reading);
int parse_capabilities(const struct key *key, const char *text, struct reading *reading);

/* limits.c: a time that ends, in milliseconds; the rest is checked here and goes as text to pam_systemd,
 * which reads it with systemd's own parser. An empty text leaves the policy silent.
 */
int parse_timeout(const struct key *key, const char *text, struct reading *reading);
int parse_tasks(const struct key *key, const char *text, struct reading *reading);
int parse_memory(const struct key *key, const char *text, struct reading *reading);
int parse_weight(const struct key *key, const char *text, struct reading *reading);
int parse_runtime(const struct key *key, const char *text, struct reading *reading);

/* A number with a suffix of suffixes (1024 each step, from the first letter on), or with "%" where percent is
 * set; systemd's parse_size without its sums of several numbers. 0 or -EINVAL.
 */
int parse_size(struct span text, const char *suffixes, bool percent);

/* path_lists.c: paths, source:destination[:options], tmpfs paths with options, one path or none. Each list
 * replaces the list of the same key, so a policy's list stands in place of [default]'s.
 *
 * Lists are comma-separated and so are tmpfs options: an item that does not begin with "/", "-" or "%" (as
 * every path does) belongs to the options of the path before it: "/scratch:size=10%,mode=0700,/var/x".
 */
int parse_paths(const struct key *key, const char *text, struct reading *reading);
int parse_binds(const struct key *key, const char *text, struct reading *reading);
int parse_temporary(const struct key *key, const char *text, struct reading *reading);
int parse_one_path(const struct key *key, const char *text, struct reading *reading);

#endif
