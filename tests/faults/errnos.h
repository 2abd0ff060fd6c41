/* Which errors a system call may give, as its page in section 2 of the manual names them. EFAULT and EINVAL are left out
 * only where no other error is possible, for then the call cannot fail with arguments that the compiler has seen.
 */
#ifndef NSBOX_ERRNOS_H
#define NSBOX_ERRNOS_H

#include <errno.h>
#include <sys/syscall.h>

#include "../../pam_nsbox/box/kernel.h"

#define MAX_ERRNOS 24

struct call_errors {
	long number;
	const char *name;
	int errors[MAX_ERRNOS]; /* ends with 0; empty: it cannot fail */
};

#define CALL(name, ...)                                                                                      \
	{                                                                                                    \
		SYS_##name, #name,                                                                           \
		{                                                                                            \
			__VA_ARGS__                                                                          \
		}                                                                                            \
	}

#define PATH_ERRORS  EACCES, EFAULT, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR
#define MOUNT_ERRORS PATH_ERRORS, EBUSY, EINVAL, EPERM, ENOSPC

static const struct call_errors call_errors[] = {
	CALL(openat, PATH_ERRORS, EBADF, EBUSY, EDQUOT, EEXIST, EFBIG, EINTR, EINVAL, EISDIR, EMFILE, ENFILE,
		ENODEV, ENOSPC, EPERM, EROFS, EWOULDBLOCK),
	CALL(openat2, PATH_ERRORS, E2BIG, EAGAIN, EINVAL, EXDEV, EMFILE, ENFILE, EPERM),
	CALL(read, EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR),
	CALL(pread64, EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR, ESPIPE),
	CALL(write, EAGAIN, EBADF, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO, ENOSPC, EPERM, EPIPE),
	CALL(writev, EAGAIN, EBADF, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO, ENOSPC, EPERM, EPIPE),
	CALL(memfd_create, EFAULT, EINVAL, EMFILE, ENFILE, ENOMEM, EPERM),
	CALL(close, EIO, EINTR, ENOSPC),
	CALL(close_range, EINVAL, EMFILE, ENOMEM, ENOSYS),
	CALL(lseek, EBADF, EINVAL, EOVERFLOW, ESPIPE),
	CALL(fcntl, EACCES, EAGAIN, EBADF, EBUSY, EDEADLK, EFAULT, EINTR, EINVAL, EMFILE, ENOLCK, EPERM),
	CALL(flock, EBADF, EINTR, EINVAL, ENOLCK, EWOULDBLOCK),
	CALL(fgetxattr, ENODATA, ENOTSUP), /* there is none to copy */
	CALL(fstat, EBADF, EFAULT, ENOMEM, EOVERFLOW),
#ifdef SYS_newfstatat
	CALL(newfstatat, PATH_ERRORS, EBADF, EINVAL, EOVERFLOW),
#endif
#ifdef SYS_stat
	CALL(stat, PATH_ERRORS, EOVERFLOW),
	CALL(lstat, PATH_ERRORS, EOVERFLOW),
#endif
	CALL(statx, PATH_ERRORS, EBADF, EINVAL),
	CALL(statfs, PATH_ERRORS, EINTR, EIO, ENOSYS, EOVERFLOW),
	CALL(fstatfs, EBADF, EFAULT, EINTR, EIO, ENOSYS, EOVERFLOW),
	CALL(readlinkat, PATH_ERRORS, EBADF, EINVAL, EIO),
#ifdef SYS_readlink
	CALL(readlink, PATH_ERRORS, EINVAL, EIO),
#endif
#ifdef SYS_access
	CALL(access, PATH_ERRORS, EINVAL, EIO, EPERM, EROFS, ETXTBSY),
#endif
	CALL(faccessat, PATH_ERRORS, EBADF, EINVAL, EIO, EPERM, EROFS, ETXTBSY),
	CALL(getdents64, EBADF, EFAULT, EINVAL, ENOENT, ENOTDIR),
	CALL(mkdirat, PATH_ERRORS, EBADF, EDQUOT, EEXIST, EINVAL, EMLINK, ENOSPC, EPERM, EROFS),
#ifdef SYS_mkdir
	CALL(mkdir, PATH_ERRORS, EDQUOT, EEXIST, EINVAL, EMLINK, ENOSPC, EPERM, EROFS),
	CALL(dup2, EBADF, EBUSY, EINTR, EMFILE),
	CALL(poll, EFAULT, EINTR, EINVAL, ENOMEM),
	CALL(epoll_wait, EBADF, EFAULT, EINTR, EINVAL),
	CALL(fork, EAGAIN, ENOMEM, ENOSYS),
	CALL(pipe, EFAULT, EMFILE, ENFILE),
	CALL(pipe2, EFAULT, EINVAL, EMFILE, ENFILE),
	CALL(vfork, EAGAIN, ENOMEM, ENOSYS),
	CALL(getpgrp),
#endif
	CALL(mknodat, PATH_ERRORS, EBADF, EDQUOT, EEXIST, EINVAL, ENOSPC, EPERM, EROFS),
	CALL(dup, EBADF, EMFILE),
	CALL(dup3, EBADF, EBUSY, EINTR, EINVAL, EMFILE),
	CALL(fchown, EBADF, EIO, ENOENT, EPERM, EROFS),
	CALL(fchmod, EBADF, EIO, EPERM, EROFS),
	CALL(chdir, PATH_ERRORS, EIO),
	CALL(fchdir, EACCES, EBADF, ENOTDIR),
	CALL(chroot, PATH_ERRORS, EIO, EPERM),
	CALL(getcwd, EACCES, EFAULT, EINVAL, ENAMETOOLONG, ENOENT, ENOMEM, ERANGE),
	CALL(umask),
	CALL(mmap, EACCES, EAGAIN, EBADF, EEXIST, EINVAL, ENFILE, ENODEV, ENOMEM, EOVERFLOW, EPERM, ETXTBSY),
	CALL(munmap), /* what is left mapped is a page of memory, and no error is possible for a mapping of one's own */
	CALL(mprotect, EACCES, EINVAL, ENOMEM),
	CALL(mremap, EAGAIN, EFAULT, EINVAL, ENOMEM),
	CALL(madvise, EACCES, EAGAIN, EBADF, EINVAL, EIO, ENOMEM, EPERM),
	CALL(brk, ENOMEM),
	CALL(getrandom, EAGAIN, EFAULT, EINTR, EINVAL, ENOSYS),
	CALL(socket, EACCES, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT),
	CALL(socketpair, EAFNOSUPPORT, EFAULT, EMFILE, ENFILE, EOPNOTSUPP, EPROTONOSUPPORT),
	CALL(bind, EACCES, EADDRINUSE, EBADF, EINVAL, ENOTSOCK, EADDRNOTAVAIL, EFAULT, ELOOP, ENAMETOOLONG,
		ENOENT, ENOMEM, ENOTDIR, EROFS),
	CALL(listen, EADDRINUSE, EBADF, ENOTSOCK, EOPNOTSUPP),
	CALL(connect, EACCES, EPERM, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EALREADY, EBADF,
		ECONNREFUSED, EFAULT, EINPROGRESS, EINTR, EISCONN, ENETUNREACH, ENOTSOCK, EPROTOTYPE,
		ETIMEDOUT),
	CALL(accept4, EAGAIN, EBADF, ECONNABORTED, EFAULT, EINTR, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM,
		ENOTSOCK, EOPNOTSUPP, EPERM, EPROTO),
	CALL(setsockopt, EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK),
	CALL(getsockopt, EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK),
	CALL(sendto, EACCES, EAGAIN, EBADF, ECONNRESET, EDESTADDRREQ, EFAULT, EINTR, EINVAL, EISCONN,
		EMSGSIZE, ENOBUFS, ENOMEM, ENOTCONN, ENOTSOCK, EOPNOTSUPP, EPIPE),
	CALL(sendmsg, EACCES, EAGAIN, EBADF, ECONNRESET, EDESTADDRREQ, EFAULT, EINTR, EINVAL, EISCONN,
		EMSGSIZE, ENOBUFS, ENOMEM, ENOTCONN, ENOTSOCK, EOPNOTSUPP, EPIPE, ETOOMANYREFS),
	CALL(recvmsg, EAGAIN, EBADF, ECONNREFUSED, EFAULT, EINTR, EINVAL, ENOMEM, ENOTCONN, ENOTSOCK),
	CALL(recvfrom, EAGAIN, EBADF, ECONNREFUSED, EFAULT, EINTR, EINVAL, ENOMEM, ENOTCONN, ENOTSOCK),
	CALL(ppoll, EFAULT, EINTR, EINVAL, ENOMEM),
	CALL(epoll_create1, EINVAL, EMFILE, ENFILE, ENOMEM),
	CALL(epoll_ctl, EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM),
	CALL(epoll_pwait, EBADF, EFAULT, EINTR, EINVAL),
	CALL(signalfd4, EBADF, EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM),
	CALL(clone, EAGAIN, EINVAL, ENOMEM, ENOSPC, EPERM, EUSERS),
	CALL(clone3, EAGAIN, EACCES, EBUSY, EEXIST, EINVAL, ENOMEM, ENOSPC, EOPNOTSUPP, EPERM, EUSERS),
	CALL(execve, E2BIG, EACCES, EAGAIN, EFAULT, EINVAL, EIO, EISDIR, ELIBBAD, ELOOP, EMFILE, ENAMETOOLONG,
		ENFILE, ENOENT, ENOEXEC, ENOMEM, ENOTDIR, EPERM, ETXTBSY),
	CALL(execveat, E2BIG, EACCES, EAGAIN, EBADF, EFAULT, EINVAL, EIO, EISDIR, ELIBBAD, ELOOP, EMFILE,
		ENAMETOOLONG, ENFILE, ENOENT, ENOEXEC, ENOMEM, ENOTDIR, EPERM, ETXTBSY),
	CALL(wait4, ECHILD, EINTR, EINVAL),
	CALL(kill, EINVAL, EPERM, ESRCH),
	CALL(pidfd_open, EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM, ESRCH),
	CALL(pidfd_send_signal, EBADF, EINVAL, EPERM, ESRCH, EAGAIN),
	CALL(prctl, EACCES, EBADF, EBUSY, EFAULT, EINVAL, ENOSYS, EOPNOTSUPP, EPERM),
	CALL(prlimit64, EFAULT, EINVAL, EPERM, ESRCH),
	CALL(capget, EFAULT, EINVAL, EPERM, ESRCH),
	CALL(capset, EFAULT, EINVAL, EPERM, ESRCH),
	CALL(setns, EBADF, EINVAL, ENOMEM, EPERM, ESRCH),
	CALL(unshare, EINVAL, ENOMEM, ENOSPC, EPERM, EUSERS),
	CALL(setsid, EPERM),
	CALL(getgroups, EFAULT, EINVAL, EPERM),
	CALL(setgroups, EFAULT, EINVAL, ENOMEM, EPERM),
	CALL(setresuid, EAGAIN, EINVAL, EPERM),
	CALL(setresgid, EAGAIN, EINVAL, EPERM),
	CALL(getpriority, EINVAL, ESRCH),
	CALL(setpriority, EACCES, EINVAL, EPERM, ESRCH),
	CALL(sched_setscheduler, EINVAL, EPERM, ESRCH),
	CALL(sethostname, EFAULT, EINVAL, ENAMETOOLONG, EPERM),
	CALL(ioctl, EBADF, EFAULT, EINVAL, ENOTTY, EPERM),
	CALL(mount, MOUNT_ERRORS, EINVAL, EMFILE, ENODEV, ENOTBLK, ENXIO, EROFS),
	CALL(umount2, PATH_ERRORS, EAGAIN, EBUSY, EINVAL, EPERM),
	CALL(open_tree, PATH_ERRORS, EBADF, EINVAL, EMFILE, ENFILE, EPERM, ENOSPC, ENOSYS),
	CALL(move_mount, MOUNT_ERRORS, EBADF, ENOSYS),
	CALL(fsopen, EBUSY, EFAULT, EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM, EPERM, ENOSYS),
	CALL(fsconfig, EACCES, EBUSY, EFAULT, EINVAL, ENODEV, ENOMEM, ENOSPC, EOPNOTSUPP, EPERM, ENOSYS),
	CALL(fsmount, EBUSY, EINVAL, EMFILE, ENFILE, ENOMEM, EPERM, ENOSPC, ENOSYS),
	CALL(mount_setattr, PATH_ERRORS, EBADF, EBUSY, EINVAL, EPERM, ENOSYS),
	CALL(listmount, EFAULT, EINVAL, ENOENT, EPERM, ENOSYS, ENOMEM),
	CALL(statmount, EFAULT, EINVAL, ENOENT, EOVERFLOW, EPERM, ENOSYS, ENOMEM),
#ifndef SYS_lsm_get_self_attr
#define SYS_lsm_get_self_attr 459
#endif
	CALL(lsm_get_self_attr, E2BIG, EFAULT, EINVAL, EOPNOTSUPP, ENOSYS),
	CALL(sysinfo, EFAULT),
	CALL(uname, EFAULT),
	CALL(getitimer, EFAULT, EINVAL),
	CALL(clock_nanosleep, EFAULT, EINTR, EINVAL),
	CALL(nanosleep, EFAULT, EINTR, EINVAL),
	CALL(futex, EAGAIN, EFAULT, EINTR, EINVAL, ETIMEDOUT),
	/* These have no errors, or none for valid arguments. */
	CALL(rt_sigprocmask),
	CALL(rt_sigaction),
	CALL(rt_sigreturn),
	CALL(sigaltstack),
	CALL(restart_syscall),
	CALL(exit),
	CALL(exit_group),
	CALL(getpid),
	CALL(getppid),
	CALL(gettid),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(setfsuid),
	CALL(setfsgid),
	CALL(sched_yield),
	CALL(set_robust_list),
	CALL(set_tid_address),
#ifdef SYS_arch_prctl
	CALL(arch_prctl),
#endif
#ifdef SYS_rseq
	CALL(rseq),
#endif
#ifdef SYS_time
	CALL(time),
#endif
};

static inline const struct call_errors *find_call(long number)
{
	for (unsigned int i = 0; i < sizeof(call_errors) / sizeof(*call_errors); i++)
		if (call_errors[i].number == number)
			return &call_errors[i];
	return NULL;
}

#endif
