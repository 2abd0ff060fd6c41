/* Makes empty files in a folder until there is no room for one more, or there are so many, and says how many it made.
 *
 *	fill-inodes FOLDER MOST
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long most = argc == 3 ? atol(argv[2]) : 0, count;
	char name[32];

	if (argc != 3 || chdir(argv[1]) < 0)
		return 2;
	for (count = 0; count < most; count++) {
		snprintf(name, sizeof(name), "%ld", count);
		if (mknod(name, S_IFREG | 0600, 0) < 0)
			break;
	}
	printf("%ld\n", count);
	return 0;
}
