/* PID 1 of a test machine: runs one command, reaps whatever is orphaned meanwhile, ends with the command.
 *
 *	reaper [--orphans] COMMAND [ARGUMENT...]
 *
 * A shell as PID 1 would do nearly the same, but orphans would be its children then, and a test that looks
 * at who is whose child should not be among the suspects. When this process ends the kernel ends the
 * machine's PID namespace, so that no test, however it dies, leaves a process behind. With --orphans what the command has
 * left may end by itself before: a box has something to say to the log.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	bool orphans = argc > 1 && strcmp(argv[1], "--orphans") == 0;
	pid_t command, pid;
	int status, result = 1;

	argv += orphans;
	if (argc < 2 + orphans) {
		fprintf(stderr, "usage: reaper [--orphans] COMMAND [ARGUMENT...]\n");
		return 2;
	}
	command = fork();
	if (command < 0) {
		fprintf(stderr, "reaper: fork: %s\n", strerror(errno));
		return 1;
	}
	if (command == 0) {
		execvp(argv[1], argv + 1);
		fprintf(stderr, "reaper: %s: %s\n", argv[1], strerror(errno));
		_exit(127);
	}
	for (;;) {
		pid = wait(&status);
		if (pid < 0 && errno != EINTR)
			return result;
		if (pid != command)
			continue;
		result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (!orphans)
			return result;
	}
}
