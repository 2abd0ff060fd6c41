/* System calls that the C libraries of supported systems do not wrap yet (Debian 11 has glibc 2.31), and
 * the cleanup attributes.
 *
 * Every function here returns the call's result, or a negative errno. None of them allocates, so all may
 * be used where memory is shared with a caller (see inside.h).
 */
#ifndef NSBOX_KERNEL_H
#define NSBOX_KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers are the same on every architecture: calls added since 5.0 share one table. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree  428
#define SYS_move_mount 429
#define SYS_fsopen     430
#define SYS_fsconfig   431
#define SYS_fsmount    432
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif

/* linux/mount.h cannot be included beside sys/mount.h before glibc 2.37. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x4
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif
#define NSBOX_FSOPEN_CLOEXEC	  1
#define NSBOX_FSCONFIG_SET_STRING 1
#define NSBOX_FSCONFIG_SET_FD	  5
#define NSBOX_FSCONFIG_CREATE	  6
#define NSBOX_FSMOUNT_CLOEXEC	  1
#define NSBOX_MOUNT_ATTR_RDONLY	  0x1
#define NSBOX_MOUNT_ATTR_NOSUID	  0x2
#define NSBOX_MOUNT_ATTR_NODEV	  0x4
#define NSBOX_MOUNT_ATTR_NOEXEC	  0x8

struct nsbox_mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};

#ifndef SYS_lsm_get_self_attr
#define SYS_lsm_get_self_attr 459
#endif
#define NSBOX_LSM_ATTR_EXEC 101

/* Asks for the number of a mount that no other ever has (Linux 6.8); older kernels give the one that may come again. */
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif

#define NSBOX_RESOLVE_NO_SYMLINKS   0x4
#define NSBOX_RESOLVE_BENEATH	    0x8
#define NSBOX_RESOLVE_IN_ROOT	    0x10
#define NSBOX_RESOLVE_NO_MAGICLINKS 0x2

struct nsbox_open_how {
	uint64_t flags, mode, resolve;
};

#define kernel_call(...) kernel_result(syscall(__VA_ARGS__))

static inline int kernel_result(long result)
{
	return result < 0 ? -errno : (int)result;
}

static inline int sys_pidfd_open(pid_t pid)
{
	return kernel_call(SYS_pidfd_open, pid, 0);
}

static inline int sys_pidfd_send_signal(int pidfd, int signal, siginfo_t *info)
{
	return kernel_call(SYS_pidfd_send_signal, pidfd, signal, info, 0);
}

static inline int sys_close_range(unsigned int first, unsigned int last)
{
	return kernel_call(SYS_close_range, first, last, 0);
}

static inline int sys_open_tree(int dir, const char *path, unsigned int flags)
{
	return kernel_call(SYS_open_tree, dir, path, flags);
}

static inline int sys_move_mount(
	int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
	return kernel_call(SYS_move_mount, from_dir, from, to_dir, to, flags);
}

static inline int sys_fsopen(const char *type)
{
	return kernel_call(SYS_fsopen, type, NSBOX_FSOPEN_CLOEXEC);
}

static inline int sys_fsconfig(int fs, unsigned int command, const char *key, const char *value, int aux)
{
	return kernel_call(SYS_fsconfig, fs, command, key, value, aux);
}

static inline int sys_fsmount(int fs, unsigned int attributes)
{
	return kernel_call(SYS_fsmount, fs, NSBOX_FSMOUNT_CLOEXEC, attributes);
}

static inline int sys_mount_setattr(
	int dir, const char *path, unsigned int flags, struct nsbox_mount_attr *attr)
{
	return kernel_call(SYS_mount_setattr, dir, path, flags, attr, sizeof(*attr));
}

static inline int sys_openat2(int dir, const char *path, const struct nsbox_open_how *how)
{
	return kernel_call(SYS_openat2, dir, path, how, sizeof(*how));
}

/* Whether a security module may have been asked for a context for the next execve(2). Linux 6.8 tells that none knows such
 * contexts (EOPNOTSUPP) without the way through /proc, which costs thirty times as much. SELinux and AppArmor give other
 * answers, asked or not: 1 or E2BIG the one, ENOENT the other. Linux 6.8 itself writes a size_t, later ones 32 bits.
 */
static inline bool sys_may_have_exec_context(void)
{
	uint64_t size = 0;

	return kernel_call(SYS_lsm_get_self_attr, NSBOX_LSM_ATTR_EXEC, NULL, &size, 0) != -EOPNOTSUPP;
}

/* A descriptor of a namespace of the process that pidfd stands for (Linux 6.11); kind is the call's number, PIDFD_GET_* of
 * linux/pidfd.h.
 */
#define NSBOX_PIDFD_PID_NAMESPACE  5
#define NSBOX_PIDFD_USER_NAMESPACE 9

static inline int sys_pidfd_namespace(int pidfd, unsigned int kind)
{
	return kernel_result(ioctl(pidfd, _IO(0xff, kind), 0));
}

/* Cleanup attributes: a descriptor closes itself on every way out; take_fd moves ownership on. errno is written where the call
 * has written it, and not otherwise: what was read before may be another's error by then, of whoever shares this memory.
 */
static inline void cleanup_fd_close(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		if (close(*fd) < 0)
			errno = saved;
	}
}
#define cleanup_fd __attribute__((cleanup(cleanup_fd_close)))

/* Moves a descriptor beyond standard input, output and error, where a caller that was started without them may put
 * others later. Takes over fd in any case.
 */
static inline int raise_fd(int fd)
{
	int raised, saved;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	raised = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	saved = errno;
	if (close(fd) < 0)
		errno = saved;
	return raised;
}

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* A descriptor that is kept while a program goes on, which may close all that it does not know, and open others, of the same
 * file too: so it is known again by what it is of, and by a mark. That is in the open file description: the signal which
 * would be sent under O_ASYNC (F_SETSIG in fcntl(2)).
 */
#define KEPT_FD_MARK 63

struct kept_fd {
	int fd; /* -1: none */
	dev_t device;
	ino_t inode;
};

#define NOTHING_KEPT ((struct kept_fd){.fd = -1})

/* Takes over fd, which may be -1. */
static inline struct kept_fd keep_fd(int fd)
{
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && fcntl(fd, F_SETSIG, KEPT_FD_MARK) == 0)
		return (struct kept_fd){.fd = fd, .device = st.st_dev, .inode = st.st_ino};
	if (fd >= 0)
		close(fd);
	return NOTHING_KEPT;
}

/* Gives it back, or -1 if it is not there any more. */
static inline int take_kept_fd(struct kept_fd *kept)
{
	struct stat st;
	int fd = kept->fd;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != kept->device || st.st_ino != kept->inode ||
		fcntl(fd, F_GETSIG, 0) != KEPT_FD_MARK)
		return -1;
	kept->fd = -1;
	return fd;
}

static inline void drop_kept_fd(struct kept_fd *kept)
{
	int fd = take_kept_fd(kept);

	if (fd >= 0)
		close(fd);
}

#endif
