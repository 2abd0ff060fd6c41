/* Readers of values: each is the parse function of rows in keys.c, and its contract is that of struct key. */
#ifndef NSBOX_POLICY_VALUES_H
#define NSBOX_POLICY_VALUES_H

#include "keys.h"

/* 1 or 0 for one of systemd's words for yes and no, or -EINVAL. */
int boolean_of(const char *text);

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
 *
 * What pam_systemd makes of it (append_session_*() in its pam_systemd.c, versions 247, 252 and 257 alike but where one is
 * named), and what is refused here, so that no text is handed on that one of them does not take:
 *
 *	item		takes				refused here beside what it does not take
 *	tasks_max	safe_atou64, infinity		no percentage in any version: the module hands a number on
 *	memory_max	infinity, a share, parse_size	more of a share than whole percents (247: one decimal; 252: two)
 *	cpu_weight	safe_atou64 1 to 10000; 252: idle	nothing: 247 ignores idle, and logs a warning
 *	io_weight	safe_atou64 1 to 10000
 *	runtime_max_sec	parse_sec, infinity		0, which would end the session when it begins
 *
 * A text that it cannot read is ignored there, with a warning: the session is not limited. A number that is out of range
 * for the service manager (memory_max of 0) makes the session fail as a whole: PAM_SESSION_ERR, no scope, no other limit.
 * safe_atou64 and the share take a number that begins with 0 for an octal one (strtoull(3) with base 0); parse_size does
 * not. Of tasks_max and runtime_max_sec infinity is what a session has anyway (manager_start_scope() in logind).
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
