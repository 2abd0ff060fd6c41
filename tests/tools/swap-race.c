/* A user who exchanges two names in his folder as fast as he can, to catch somebody between looking and acting.
 *
 *	swap-race FOLDER ONE OTHER
 *
 * Runs until it is killed; every exchange is one renameat2(2), so that both names are there at any moment.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int dir = argc == 4 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir < 0)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		if (renameat2(dir, argv[2], dir, argv[3], RENAME_EXCHANGE) < 0)
			return 1;
}
