/* The first of two known failures, kept as it is found on the web: a shell is cloned into new namespaces and
 * nobody thinks of mount propagation.
 *
 *	clone-shell SHELL-COMMAND
 *
 * On a machine whose / is shared (systemd makes it so) what the shell mounts in "its own" mount namespace
 * appears on the host too, because the copy of a shared mount is a peer of the original. The tests first show
 * that this still happens, so that they would notice if they no longer tested anything.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[1 << 20] __attribute__((aligned(16)));

static int shell(void *command)
{
	execl("/bin/sh", "sh", "-c", (char *)command, (char *)NULL);
	return 127;
}

int main(int argc, char **argv)
{
	pid_t pid;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: clone-shell SHELL-COMMAND\n");
		return 2;
	}
	pid = clone(shell, stack + sizeof(stack),
		CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, argv[1]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		fprintf(stderr, "clone-shell: %s\n", strerror(errno));
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
