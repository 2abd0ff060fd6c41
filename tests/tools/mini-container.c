/* The second of two known failures: the "container in fifty lines" that tutorials show, with the line that
 * makes the mounts private left out.
 *
 *	mini-container SHELL-COMMAND
 *
 * New UTS, IPC, PID, mount and network namespaces, a hostname, a fresh procfs on /proc, a shell. Where / is
 * shared the procfs lands on the host's /proc as well; when the container ends, that procfs belongs to a PID
 * namespace without processes, and ps, mount and the service manager of the host find an empty /proc.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[1 << 20] __attribute__((aligned(16)));

static int container(void *command)
{
	static const char name[] = "container";

	if (sethostname(name, strlen(name)) < 0 || chdir("/") < 0 || mount("proc", "proc", "proc", 0, "") < 0)
		return 126;
	execl("/bin/sh", "sh", "-c", (char *)command, (char *)NULL);
	return 127;
}

int main(int argc, char **argv)
{
	pid_t pid;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: mini-container SHELL-COMMAND\n");
		return 2;
	}
	pid = clone(container, stack + sizeof(stack),
		CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | SIGCHLD, argv[1]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		fprintf(stderr, "mini-container: %s\n", strerror(errno));
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
