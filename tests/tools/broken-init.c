/* What a test puts in the place of nsbox-init: a program that crashes at once, or, where the file /run/test/hang
 * exists, one that never says anything. It takes no arguments, for nobody would pass them.
 */
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	if (access("/run/test/hang", F_OK) == 0)
		for (;;)
			pause();
	abort();
}
