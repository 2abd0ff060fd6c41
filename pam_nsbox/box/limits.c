#include "limits.h"
#include "inside.h"
#include "kernel.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* Numbers below this one are given out only once: what is left of kernel.pid_max is for all tasks of the namespace
 * (kernel/pid.c, RESERVED_PIDS). So a box can have up to 300 tasks more at first, and never less than it may.
 */
#define RESERVED_PIDS 300
#define PID_MAX_LIMIT (4 * 1024 * 1024)

static bool has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
}

/* Linux 6.14 has a kernel.pid_max for each PID namespace. To set it before would set the host's. */
static bool is_pid_max_own(void)
{
	struct utsname kernel;
	unsigned int major = 0, minor = 0;

	return uname(&kernel) == 0 && sscanf(kernel.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 14));
}

static uint64_t read_number(const char *path)
{
	char text[32];
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (size <= 0)
		return 0;
	text[size] = '\0';
	return strtoull(text, NULL, 10);
}

uint64_t limits_tasks(const struct policy *policy)
{
	char *rest;
	uint64_t number, all, threads;

	if (!policy->tasks_max || strcmp(policy->tasks_max, "infinity") == 0)
		return 0;
	number = strtoull(policy->tasks_max, &rest, 10);
	if (*rest != '%')
		return number;
	all = read_number("/proc/sys/kernel/pid_max");
	threads = read_number("/proc/sys/kernel/threads-max");
	if (threads > 0 && threads < all)
		all = threads;
	all = all * number / 100;
	return all > 0 ? all : 1;
}

unsigned int limits_pid_max(const struct policy *policy)
{
	uint64_t tasks = limits_tasks(policy);

	if (tasks == 0 || tasks > PID_MAX_LIMIT - RESERVED_PIDS || !(policy->namespaces & CLONE_NEWPID) ||
		has_systemd() || !is_pid_max_own())
		return 0;
	return (unsigned int)tasks + RESERVED_PIDS;
}

int limits_apply(struct inside *inside)
{
	static const char path[] = "sys/kernel/pid_max";
	char text[16];
	cleanup_fd int fd = -1;
	int size;

	if (inside->pid_max == 0)
		return 0;
	size = snprintf(text, sizeof(text), "%u", inside->pid_max);
	fd = openat(INIT_FD_PROC, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)size) != size)
		return inside_fail(inside, "kernel.pid_max", -errno);
	return 0;
}

static bool is_limit(const char *value)
{
	return value && strcmp(value, "infinity") != 0;
}

const char *limits_not_enforced(const struct policy *policy, char *buf, size_t size)
{
	const struct {
		const char *key;
		bool is_open;
	} limits[] = {
		{"TasksMax", limits_tasks(policy) > 0 && limits_pid_max(policy) == 0},
		{"MemoryMax", is_limit(policy->memory_max)},
		{"CPUWeight", policy->cpu_weight != NULL},
		{"IOWeight", policy->io_weight != NULL},
		{"RuntimeMaxSec", is_limit(policy->runtime_max_sec)},
	};
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits) && used < size; i++)
		if (limits[i].is_open && !has_systemd())
			used += (size_t)snprintf(
				buf + used, size - used, "%s%s", used ? ", " : "", limits[i].key);
	return buf;
}
