/* The kernel: whether it can do what a box needs, and how often. Where it can be asked by doing the thing, it is. */
#include "../box/kernel.h"
#include "../namespaces.h"
#include "doctor.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define LEAST_MAJOR 5
#define LEAST_MINOR 10

/* Boxes of all users count as root's, who makes them. Fewer than these at once and a class logging in is refused. */
#define LEAST_NAMESPACES 256

/* A box mounts a handful itself, its policy may mount some dozens. */
#define LEAST_FREE_MOUNTS 200

/* A login in a box that runs su, which runs su. */
#define LEAST_DEPTH 3

static const struct place kernel = {.file = "kernel"};

static void examine_version(struct diagnosis *diagnosis)
{
	struct utsname name;
	int major = 0, minor = 0;

	if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return;
	json_object_set_new(diagnosis->system, "kernel", json_string(name.release));
	if (major < LEAST_MAJOR || (major == LEAST_MAJOR && minor < LEAST_MINOR))
		diagnose(diagnosis, SEVERITY_FAULT, "kernel-version", kernel,
			"joining all namespaces of a box in one step, and hiding other users' processes for "
			"one procfs "
			"alone, came with 5.8 and 5.9; older kernels are not tested",
			"boot a kernel of 5.10 or later", "Linux %s is older than 5.10", name.release);
}

static void examine_calls(struct diagnosis *diagnosis)
{
	cleanup_fd int self = sys_pidfd_open(getpid());
	int result = self < 0 ? self : sys_pidfd_send_signal(self, 0, NULL);

	if (result >= 0 && setns(self, CLONE_NEWUTS) < 0)
		result = -errno;
	if (result >= 0)
		result = sys_close_range(~0U, ~0U);
	if (result < 0 && result != -EPERM)
		diagnose(diagnosis, SEVERITY_FAULT, "kernel-calls", kernel,
			"a login enters its box by a pidfd, and a box is ended by one",
			"boot a kernel of 5.10 or later, or take the seccomp filter away that keeps the "
			"calls from it",
			"pidfd_open, pidfd_send_signal, setns with a pidfd or close_range does not work: %s",
			strerror(-result));
}

static void examine_capabilities(struct diagnosis *diagnosis)
{
	static const struct {
		cap_value_t value;
		const char *name, *why;
	} needed[] = {
		{CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "namespaces and mounts are made with it"},
		{CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
			"entering the namespaces of another process by its pidfd asks for it"},
		{CAP_SYS_CHROOT, "CAP_SYS_CHROOT", "entering a mount namespace asks for it"},
		{CAP_SETPCAP, "CAP_SETPCAP", "CapabilityBoundingSet drops capabilities with it"},
		{CAP_KILL, "CAP_KILL", "nsbox-init asks other users' processes to end with it"},
	};
	cap_t mine = cap_get_proc();

	for (size_t i = 0; mine && i < sizeof(needed) / sizeof(*needed); i++) {
		cap_flag_value_t has = CAP_CLEAR;

		if (cap_get_flag(mine, needed[i].value, CAP_EFFECTIVE, &has) == 0 && has == CAP_CLEAR)
			diagnose(diagnosis, SEVERITY_FAULT, "capability", kernel, needed[i].why,
				"give it to the container that this is, or to the service that opens "
				"sessions "
				"(CapabilityBoundingSet= of its unit)",
				"root has no %s here", needed[i].name);
	}
	cap_free(mine);
}

/* --- namespaces --- */

static long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long number = -1;

	if (file && fscanf(file, "%ld", &number) != 1)
		number = -1;
	if (file)
		fclose(file);
	return number;
}

/* Exit status of a child that makes a namespace: 0, or errno. */
static int try_unshare(int flag)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(unshare(flag) < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static void examine_kind(struct diagnosis *diagnosis, const struct namespace_kind *kind)
{
	char path[128], mend[256];
	long limit;
	int error;

	snprintf(path, sizeof(path), "/proc/sys/user/%s", kind->limit);
	limit = read_number(path);
	snprintf(mend, sizeof(mend), "sysctl user.%s=31000, and the same in a file of /etc/sysctl.d",
		kind->limit);
	if (limit >= 0 && limit < LEAST_NAMESPACES) {
		diagnose(diagnosis, SEVERITY_FAULT, "namespace-limit", (struct place){.file = path},
			"every box needs one, all boxes count as root's, and whoever logs in beyond the "
			"limit is refused",
			mend, "user.%s is %ld%s", kind->limit, limit,
			limit == 0 ? ": not one can be made" : "");
		return;
	}
	error = try_unshare(kind->flag);
	if (error == ENOSPC)
		diagnose(diagnosis, SEVERITY_FAULT, "namespace-limit", (struct place){.file = path},
			"every box needs one, and whoever logs in beyond the limit is refused", mend,
			"no %s namespace more can be made: the limit, %ld, is reached", kind->name, limit);
	else if (error == EINVAL)
		diagnose(diagnosis, SEVERITY_FAULT, "namespace-kind", kernel, "a policy asks for it",
			"boot a kernel that has it, or take it out of Namespaces in " NSBOX_CONF,
			"it has no %s namespaces", kind->name);
	else if (error != 0)
		diagnose(diagnosis, SEVERITY_FAULT, "namespace-denied", kernel, "a policy asks for it",
			"look for what denies it: a container, a seccomp filter, a security module (its log "
			"tells)",
			"no %s namespace can be made: %s", kind->name, strerror(error));
}

static bool is_wanted(const struct diagnosis *diagnosis, const struct namespace_kind *kind)
{
	const struct config *config = diagnosis->config;

	for (size_t i = 0; i < config->n_entries && !kind->by_default; i++) {
		const struct entry *entry = &config->entries[i];
		struct span rest = entry->value, item;
		bool more = entry->key && strcmp(entry->key->name, "Namespaces") == 0;

		while (more) {
			more = span_next(&rest, ",", &item);
			if (span_equal_ignoring_case(item, kind->name))
				return true;
		}
	}
	return kind->by_default;
}

/* How deep PID namespaces can still lie in each other. The kernel does not tell the depth that one is at. */
static int free_depth(int wanted)
{
	pid_t pid;
	int status = 0;

	if (wanted == 0 || unshare(CLONE_NEWPID) < 0)
		return 0;
	pid = fork();
	if (pid == 0)
		_exit(free_depth(wanted - 1));
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return 0;
	return 1 + WEXITSTATUS(status);
}

static void examine_depth(struct diagnosis *diagnosis)
{
	pid_t pid = fork();
	int status = 0, depth;

	if (pid == 0)
		_exit(free_depth(LEAST_DEPTH));
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return;
	depth = WEXITSTATUS(status);
	if (depth < LEAST_DEPTH)
		diagnose(diagnosis, SEVERITY_FAULT, "nesting", kernel,
			"a box is a PID namespace, 32 may lie in each other, and su in a box makes one in it",
			"run fewer containers in each other around this system",
			"only %d more PID namespaces can lie in each other here", depth);
}

/* --- mounts --- */

static size_t count_mounts(bool *root_is_shared)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0, n = 0;

	*root_is_shared = false;
	for (; file && getline(&line, &room, file) > 0; n++) {
		char path[8];

		if (sscanf(line, "%*d %*d %*s %*s %7s", path) == 1 && strcmp(path, "/") == 0)
			*root_is_shared = strstr(line, " shared:") != NULL;
	}
	free(line);
	if (file)
		fclose(file);
	return n;
}

static void examine_mounts(struct diagnosis *diagnosis)
{
	static const char path[] = "/proc/sys/fs/mount-max";
	bool root_is_shared;
	size_t mounts = count_mounts(&root_is_shared);
	long limit = read_number(path);

	json_object_set_new(
		diagnosis->system, "root_propagation", json_string(root_is_shared ? "shared" : "private"));
	json_object_set_new(diagnosis->system, "mounts", json_integer((json_int_t)mounts));
	if (limit >= 0 && (size_t)limit < mounts + LEAST_FREE_MOUNTS)
		diagnose(diagnosis, SEVERITY_FAULT, "mount-limit", (struct place){.file = path},
			"every box has a copy of the host's mount table and mounts of its own; one that does "
			"not fit is refused",
			"sysctl fs.mount-max=100000, and the same in a file of /etc/sysctl.d",
			"fs.mount-max is %ld, and the host has %zu mounts", limit, mounts);
}

void examine_kernel(struct diagnosis *diagnosis)
{
	examine_version(diagnosis);
	examine_calls(diagnosis);
	examine_capabilities(diagnosis);
	if (diagnosis->n_faults == 0)
		for (size_t i = 0; i < n_namespace_kinds; i++)
			if (is_wanted(diagnosis, &namespace_kinds[i]))
				examine_kind(diagnosis, &namespace_kinds[i]);
	if (diagnosis->n_faults == 0)
		examine_depth(diagnosis);
	examine_mounts(diagnosis);
}
