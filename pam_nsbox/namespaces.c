#include "namespaces.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* pid: its row names pid_for_children, because that is what setns(2) changes for a PID namespace; the
 * process itself stays where it was born (pid_namespaces(7)).
 */
const struct namespace_kind namespace_kinds[] = {
	{"mount", "mnt", CLONE_NEWNS, 1, "max_mnt_namespaces", 3},
	{"uts", "uts", CLONE_NEWUTS, 1, "max_uts_namespaces", 10},
	{"ipc", "ipc", CLONE_NEWIPC, 1, "max_ipc_namespaces", 2},
	{"pid", "pid_for_children", CLONE_NEWPID, 1, "max_pid_namespaces", 6},
	{"net", "net", CLONE_NEWNET, 0, "max_net_namespaces", 4},
	{"cgroup", "cgroup", CLONE_NEWCGROUP, 0, "max_cgroup_namespaces", 1},
};
const size_t n_namespace_kinds = sizeof(namespace_kinds) / sizeof(*namespace_kinds);

int namespace_flag(const char *name)
{
	for (size_t i = 0; i < n_namespace_kinds; i++)
		if (strcasecmp(namespace_kinds[i].name, name) == 0)
			return namespace_kinds[i].flag;
	return 0;
}

int namespaces_by_default(void)
{
	int mask = 0;

	for (size_t i = 0; i < n_namespace_kinds; i++)
		if (namespace_kinds[i].by_default)
			mask |= namespace_kinds[i].flag;
	return mask;
}

const char *namespaces_names(int mask, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n_namespace_kinds && used < size; i++)
		if (mask & namespace_kinds[i].flag)
			used += (size_t)snprintf(
				buf + used, size - used, "%s%s", used ? "," : "", namespace_kinds[i].name);
	return buf;
}

/* Its inode number in every kernel (PROC_USER_INIT_INO in linux/proc_ns.h of the kernel's own headers). */
#define FIRST_USER_NAMESPACE 0xeffffffdU

bool is_first_user_namespace(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_ino == FIRST_USER_NAMESPACE;
}

bool in_first_user_namespace(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/user", &st) < 0 || st.st_ino == FIRST_USER_NAMESPACE;
}
