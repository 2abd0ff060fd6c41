/* Runs a command as root of a new user namespace in which every user and group is mapped to itself, with mount, UTS,
 * IPC and PID namespaces that belong to it and, where asked, limits on the number of namespaces.
 *
 *	in-userns [-l SYSCTL=NUMBER]... [-s KIND]... COMMAND [ARGUMENT...]
 *
 * user.max_pid_namespaces and its like (namespaces(7)) hold for one user namespace. Lowered in here they meet
 * the command alone and end with it; lowered outside they would meet the whole machine, and stay if the test
 * were killed. The namespaces of the command itself count: with 1 there can be no other.
 *
 * -s uts and -s ipc share those namespaces with the machine outside, to whose user namespace they then belong.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, text, strlen(text));
	close(fd);
	return written < 0 ? -1 : 0;
}

/* The map of a user namespace that lets through everyone whom the parent knows can be written from the parent
 * only.
 */
static int map_everyone(pid_t pid, const char *map)
{
	char path[64], text[4096];
	unsigned long first, outside, count;
	size_t length = 0;
	FILE *own;

	snprintf(path, sizeof(path), "/proc/self/%s", map);
	own = fopen(path, "re");
	if (!own)
		return -1;
	while (length < sizeof(text) - 64 && fscanf(own, "%lu %lu %lu", &first, &outside, &count) == 3)
		length += (size_t)sprintf(text + length, "%lu %lu %lu\n", first, first, count);
	fclose(own);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, map);
	return put(path, text);
}

static int wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int set_limits(char **limits)
{
	char path[128];

	for (; *limits; limits++) {
		char *value = strchr(*limits, '=');

		if (!value)
			return -1;
		*value++ = '\0';
		snprintf(path, sizeof(path), "/proc/sys/user/%s", *limits);
		if (put(path, value) < 0)
			return -1;
	}
	return 0;
}

/* Two pipes: one says "I am in the new namespace", the other "your map is written". */
static int enter(char **limits, int shared, int inside, int mapped)
{
	char byte;

	if (unshare(CLONE_NEWUSER) < 0 || write(inside, "", 1) != 1 || read(mapped, &byte, 1) != 1)
		return -1;
	if (setgid(0) < 0 || setuid(0) < 0)
		return -1;
	if (unshare((CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID) & ~shared) < 0)
		return -1;
	return set_limits(limits);
}

/* The first process of the new PID namespace, whose procfs only it can mount. */
static int run(char **command)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
			execvp(command[0], command);
		fprintf(stderr, "in-userns: %s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
	return wait_for(pid);
}

int main(int argc, char **argv)
{
	int n_limits = 0, shared = 0, option, inside[2], mapped[2];
	char *limits[16] = {NULL}, byte;
	pid_t pid;

	while ((option = getopt(argc, argv, "+l:s:")) != -1) {
		if (option == 'l' && n_limits < 15)
			limits[n_limits++] = optarg;
		else if (option == 's' && strcmp(optarg, "uts") == 0)
			shared |= CLONE_NEWUTS;
		else if (option == 's' && strcmp(optarg, "ipc") == 0)
			shared |= CLONE_NEWIPC;
		else
			goto usage;
	}
	if (optind == argc)
		goto usage;
	if (pipe2(inside, O_CLOEXEC) < 0 || pipe2(mapped, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		fprintf(stderr, "in-userns: %s\n", strerror(errno));
		return 1;
	}
	if (pid == 0) {
		close(mapped[1]);
		if (enter(limits, shared, inside[1], mapped[0]) == 0)
			_exit(run(argv + optind));
		fprintf(stderr, "in-userns: %s\n", strerror(errno));
		_exit(127);
	}
	close(inside[1]);
	if (read(inside[0], &byte, 1) == 1) {
		if (map_everyone(pid, "uid_map") < 0 || map_everyone(pid, "gid_map") < 0)
			fprintf(stderr, "in-userns: map: %s\n", strerror(errno));
		else if (write(mapped[1], "", 1) != 1)
			fprintf(stderr, "in-userns: %s\n", strerror(errno));
	}
	close(mapped[1]);
	return wait_for(pid);
usage:
	fprintf(stderr, "usage: in-userns [-l SYSCTL=NUMBER]... [-s KIND]... COMMAND [ARGUMENT...]\n");
	return 2;
}
