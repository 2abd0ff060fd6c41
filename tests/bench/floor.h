/* The floor: what the kernel asks for a box, and nothing above it; see floor.c. */
#ifndef NSBOX_BENCH_FLOOR_H
#define NSBOX_BENCH_FLOOR_H

#include <stdbool.h>

#define FLOOR_MOUNTS 64

struct floor_mount {
	char path[256];
	bool on_sys;		     /* on the sysfs itself, not on another mount */
	char type[16], options[128]; /* of a cgroup file system; otherwise empty */
};

struct floor {
	int init;				 /* O_PATH descriptor of floor-init */
	int way_back[6];			 /* mount, UTS, IPC, PID, network, cgroup */
	bool private_tmp;			 /* the box has a /tmp and a /var/tmp of its own */
	bool everything;			 /* it has all that the policy "everything" of run asks for */
	struct floor_mount mounts[FLOOR_MOUNTS]; /* below /sys */
	int n_mounts;
	char hosts[4096]; /* the box's /etc/hosts */
	unsigned long hosts_size;
	char stacks[2][32768] __attribute__((aligned(64)));

	int box;    /* pidfd of the box's PID 1 */
	int failed; /* errno of the set-up */
	const char *step;
};

/* Everything that a process does once and not once a login. Returns 0, or -1 with a message on standard error. */
int floor_prepare(struct floor *floor, const char *init, bool private_tmp, bool everything);

/* Makes a box and joins it; goes back. 0 or -1, likewise. */
int floor_open(struct floor *floor);
int floor_close(struct floor *floor);

#endif
