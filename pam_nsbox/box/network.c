#include "network.h"
#include "inside.h"
#include "kernel.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#define NSFS_MAGIC    0x6e736673     /* linux/magic.h */
#define NS_GET_NSTYPE _IO(0xb7, 0x3) /* linux/nsfs.h, Linux 4.11 */

/* Opened as O_PATH first: only what is known to be a namespace is opened in earnest, for to open a FIFO or a device can
 * hang or have effects. The second opening is of that descriptor, by the host's procfs, which is still there.
 */
static int open_namespace(const char *path)
{
	char again[32];
	struct statfs fs;
	cleanup_fd int name = paths_open(path, 0);
	cleanup_fd int fd = -1;
	int type;

	if (name < 0)
		return name;
	if (fstatfs(name, &fs) < 0)
		return -errno;
	if (fs.f_type != NSFS_MAGIC)
		return -EINVAL;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", name);
	fd = open(again, O_RDONLY | O_CLOEXEC);
	type = fd < 0 ? -1 : ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return -errno;
	return type == CLONE_NEWNET ? take_fd(&fd) : -EINVAL;
}

int network_join(struct inside *inside)
{
	const char *path = inside->policy->netns_path;
	cleanup_fd int fd = -1;

	if (!path)
		return 0;
	fd = open_namespace(path);
	if (fd < 0)
		return inside_fail(inside, path, fd);
	return setns(fd, CLONE_NEWNET) < 0 ? inside_fail(inside, path, -errno) : 0;
}

int network_loopback(struct inside *inside)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	cleanup_fd int fd = -1;

	/* What is joined is somebody else's to set up. */
	if (!(inside->policy->namespaces & CLONE_NEWNET) || inside->policy->netns_path)
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) < 0)
		return inside_fail(inside, "lo", -errno);
	return 0;
}

bool network_etc(const char *path, char *buf, size_t size)
{
	static const char *const folders[] = {"/run/netns/", "/var/run/netns/"};

	for (size_t i = 0; path && i < sizeof(folders) / sizeof(*folders); i++) {
		size_t length = strlen(folders[i]);

		if (strncmp(path, folders[i], length) == 0 && path[length] && !strchr(path + length, '/') &&
			snprintf(buf, size, "/etc/netns/%s", path + length) < (int)size)
			return true;
	}
	return false;
}
