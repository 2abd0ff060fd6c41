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

/* An end that is kept up: by a process that its parent, outside, has not taken note of; or that is in the kernel's hands. */
static void find_keeper(const struct process *process, void *data)
{
	struct process *found = data;

	if (process->inside != 1 && (process->state == 'Z' || process->state == 'D'))
		*found = *process;
}

void processes_tell_what_keeps(pid_t init, char *buf, size_t size)
{
	struct process keeper = {.pid = 0}, parent;

	processes_each(init, find_keeper, &keeper);
	process_read(keeper.parent, &parent);
	if (keeper.pid == 0)
		snprintf(buf, size > 0, "%s", "");
	else if (keeper.state == 'Z')
		snprintf(buf, size,
			"its process %d (%s) has ended, but its parent, %d (%s), has not taken note of "
			"that%s %d",
			(int)keeper.pid, keeper.name, (int)parent.pid, parent.name,
			parent.state == 'T' ? ", for it is stopped: kill -CONT"
					    : "; if it does not go on, kill",
			(int)parent.pid);
	else
		snprintf(buf, size, "its process %d (%s) hangs in the kernel (cat /proc/%d/stack)",
			(int)keeper.pid, keeper.name, (int)keeper.pid);
}
