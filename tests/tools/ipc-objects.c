/* Makes one System V segment, one System V queue, one POSIX segment and one POSIX queue, or says which of
 * them can be seen from here.
 *
 *	ipc-objects make NAME	make all four, leave them, print their kinds
 *	ipc-objects see NAME	print the kind of each that exists, one a line
 *	ipc-objects remove NAME
 *
 * NAME is a word; the System V keys are made from its bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <unistd.h>

enum action { MAKE, SEE, REMOVE };

static key_t key_of(const char *name)
{
	unsigned int key = 0x6e73;

	for (; *name; name++)
		key = key * 31 + (unsigned char)*name;
	return (key_t)(key & 0x7fffffff);
}

static int sysv_segment(const char *name, enum action action)
{
	int id = shmget(key_of(name), 4096, action == MAKE ? IPC_CREAT | IPC_EXCL | 0666 : 0);

	if (id >= 0 && action == REMOVE)
		shmctl(id, IPC_RMID, NULL);
	return id;
}

static int sysv_queue(const char *name, enum action action)
{
	int id = msgget(key_of(name), action == MAKE ? IPC_CREAT | IPC_EXCL | 0666 : 0);

	if (id >= 0 && action == REMOVE)
		msgctl(id, IPC_RMID, NULL);
	return id;
}

static int posix_segment(const char *name, enum action action)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/%s", name);
	if (action == REMOVE)
		return shm_unlink(path);
	fd = shm_open(path, action == MAKE ? O_CREAT | O_EXCL | O_RDWR : O_RDONLY, 0644);
	if (fd >= 0)
		close(fd);
	return fd;
}

static int posix_queue(const char *name, enum action action)
{
	char path[256];
	mqd_t queue;

	snprintf(path, sizeof(path), "/%s", name);
	if (action == REMOVE)
		return mq_unlink(path);
	if (action == MAKE)
		queue = mq_open(path, O_CREAT | O_EXCL | O_RDWR, 0644, NULL);
	else
		queue = mq_open(path, O_RDONLY);
	if (queue != (mqd_t)-1)
		mq_close(queue);
	return (int)queue;
}

static const struct {
	const char *name;
	int (*act)(const char *name, enum action action);
} kinds[] = {
	{"sysv-segment", sysv_segment},
	{"sysv-queue", sysv_queue},
	{"posix-segment", posix_segment},
	{"posix-queue", posix_queue},
};

int main(int argc, char **argv)
{
	enum action action;
	int failures = 0;

	if (argc != 3)
		goto usage;
	if (strcmp(argv[1], "make") == 0)
		action = MAKE;
	else if (strcmp(argv[1], "see") == 0)
		action = SEE;
	else if (strcmp(argv[1], "remove") == 0)
		action = REMOVE;
	else
		goto usage;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (kinds[i].act(argv[2], action) >= 0) {
			printf("%s\n", kinds[i].name);
		} else if (action == MAKE) {
			fprintf(stderr, "ipc-objects: %s: %s\n", kinds[i].name, strerror(errno));
			failures++;
		}
	}
	return failures > 0;
usage:
	fprintf(stderr, "usage: ipc-objects make|see|remove NAME\n");
	return 2;
}
