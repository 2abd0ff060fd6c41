/* Forks as often as it may, up to a number, and says how many processes it got; first, so many one after the other.
 *
 *	fork-count MOST [BEFORE]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int most = argc > 1 ? atoi(argv[1]) : 0, before = argc > 2 ? atoi(argv[2]) : 0, count = 0;
	pid_t *children = calloc((size_t)most + 1, sizeof(*children));

	for (int i = 0; i < before; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	for (; children && count < most; count++) {
		children[count] = fork();
		if (children[count] == 0)
			pause();
		if (children[count] < 0)
			break;
	}
	printf("%d\n", count);
	for (int i = 0; i < count; i++)
		kill(children[i], SIGKILL);
	free(children);
	return 0;
}
