/* What a policy's limits come to where there is no systemd to enforce them, and the one limit that a box keeps itself. */
#ifndef NSBOX_LIMITS_H
#define NSBOX_LIMITS_H

#include "../policy/policy.h"

struct inside;

/* The policy's TasksMax as a number, a percentage being one of the tasks that the machine can have, as in
 * systemd.resource-control(5); 0: no limit.
 */
uint64_t limits_tasks(const struct policy *policy);

/* What kernel.pid_max of the box's own must be for its TasksMax; 0: the box does not keep it, because systemd does, the
 * box has no PID namespace, or the kernel (before 6.14) has one kernel.pid_max for all.
 */
unsigned int limits_pid_max(const struct policy *policy);

/* Sets it; a step of inside.c's table. */
int limits_apply(struct inside *inside);

/* The keys of the policy that nothing enforces, as a list for the log; empty where there are none. Returns buf. */
const char *limits_not_enforced(const struct policy *policy, char *buf, size_t size);

#endif
