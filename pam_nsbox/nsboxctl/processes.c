#include "processes.h"
#include "../box/box.h"
#include "../box/kernel.h"

#include <ctype.h>
#include <dirent.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

void process_read(pid_t pid, struct process *process)
{
	char path[64], line[256], name[sizeof(process->name)] = "";
	FILE *file;

	*process = (struct process){.pid = pid, .state = '?'};
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		const char *last = strrchr(line, '\t');

		sscanf(line, "Name:\t%63[^\n]", name);
		sscanf(line, "State: %c", &process->state);
		sscanf(line, "PPid: %d", &process->parent);
		sscanf(line, "TracerPid: %d", &process->tracer);
		if (strcmp(line, "FDSize:\t0\n") == 0)
			process->has_ended = true;
		sscanf(line, "Uid: %u", &process->uid);
		if (last && strncmp(line, "NSpid:", 6) == 0)
			process->inside = atoi(last);
	}
	fclose(file);
	box_clean_text(name, process->name, sizeof(process->name));
}

ino_t process_namespace(pid_t pid, const char *kind)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static bool is_inside(pid_t pid, ino_t namespace)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino != namespace) {
		int parent = ioctl(fd, NS_GET_PARENT);

		close(fd);
		fd = parent;
	}
	return fd >= 0;
}

void processes_each(pid_t init, void (*visit)(const struct process *process, void *data), void *data)
{
	ino_t namespace = process_namespace(init, "pid");
	DIR *proc = namespace ? opendir("/proc") : NULL;
	const struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) && is_inside(atoi(entry->d_name), namespace)) {
			struct process process;

			process_read(atoi(entry->d_name), &process);
			visit(&process, data);
		}
	if (proc)
		closedir(proc);
}

struct keeper {
	pid_t init;
	ino_t namespace;
	struct process process; /* 0: none was found */
};

/* What has ended stays until its tracer, or else its parent, has taken note; of a parent that is inside the kernel takes care. */
static void find_keeper(const struct process *process, void *data)
{
	struct keeper *keeper = data;
	bool waits = process->tracer > 0
			     ? process->state == 'Z' || process->state == 't'
			     : process->state == 'Z' && !is_inside(process->parent, keeper->namespace);

	if (process->pid != keeper->init && (waits || process->state == 'D'))
		keeper->process = *process;
}

bool processes_tell_what_keeps(pid_t init, char *buf, size_t size)
{
	struct keeper keeper = {.init = init, .namespace = process_namespace(init, "pid")};
	const struct process *found = &keeper.process;
	const char *role = "parent";
	struct process other;

	process_read(init, &other);
	if (!other.has_ended)
		return false;
	processes_each(init, find_keeper, &keeper);
	if (found->tracer > 0)
		role = "tracer";
	process_read(found->tracer > 0 ? found->tracer : found->parent, &other);
	if (found->pid == 0)
		snprintf(buf, size, "lsns shows whether its PID namespace is still there");
	else if (found->state == 'D')
		snprintf(buf, size, "its process %d \"%s\" hangs in the kernel (cat /proc/%d/stack)",
			(int)found->pid, found->name, (int)found->pid);
	else if (other.pid <= 0 || other.state == '?')
		snprintf(buf, size, "its process %d \"%s\" has ended, and its %s has not taken note of that",
			(int)found->pid, found->name, role);
	else
		snprintf(buf, size,
			"its process %d \"%s\" has ended, and its %s, %d \"%s\", has not taken note of "
			"that%s",
			(int)found->pid, found->name, role, (int)other.pid, other.name,
			other.state == 'T' ? ", for it is stopped (kill -CONT)" : "");
	return true;
}
