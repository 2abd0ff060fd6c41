/* What is live: the kernel's own register of boxes.
 *
 * LIVE_DIRECTORY holds no file. Each nsbox-init has it open, at INIT_FD_REGISTRY, which nobody but root can do; and keeps
 * POSIX read locks (fcntl(2), F_SETLK): on a byte of its box's own file system, at INIT_FD_STORE, that stands for the box, and
 * if the box is shared on a byte of LIVE_DIRECTORY that stands for its scope. The kernel tells who holds a lock and drops it
 * when that process dies, however it dies: a box that is not live cannot be found, and there is nothing to clean up, to fill up
 * or to forge for anybody who cannot open the directory (root, 0700).
 *
 * Who wants to join looks for the scope, and finds it in one question. All boxes are found by going through the processes, from
 * when their nsbox-init runs: what the kernel says of its descriptors (proc_pid_fdinfo(5)) tells the box. They have no folder in
 * common for it, because the kernel keeps the locks of a folder in a list, and goes through all of that to add one: with 2,000
 * boxes 0.3 ms. (Not before: until Linux 5.11 a process can lose its locks when others look at its descriptors during its
 * execve(2), "exec: Move unshare_files to begin_new_exec".)
 *
 * All functions return a non-negative value, or a negative errno.
 */
#ifndef NSBOX_LIVE_H
#define NSBOX_LIVE_H

#include "../init/lease.h"
#include "../policy/policy.h"

#define LIVE_DIRECTORY "/run/nsbox"

/* How long anybody waits for a box to be made, or for an nsbox-init to answer, in milliseconds. Both are done within
 * milliseconds unless somebody was stopped by an administrator's hand or the machine is out of memory.
 */
#define LIVE_TIMEOUT_MS 8000

/* Waits until fd can be read, for LIVE_TIMEOUT_MS at most: -ETIMEDOUT. */
int live_wait(int fd);

/* Opens LIVE_DIRECTORY for the functions below, made if it is not there; -EPERM if it is not root's or open
 * to others. */
int live_open(void);

/* Where a login comes from: the mount and PID namespaces of its caller, by inode number; whether it must
 * stay out of a PID namespace of its own (sudo), so that it cannot share a box with those that must not; and
 * the user's number, where the scope is a user: a name can be given to somebody else while a box lives.
 */
struct live_place {
	uint64_t mount, pid;
	bool without_pid;
	uid_t uid;
};

/* The byte that stands for a box, and for a scope's name (a user's or a policy's) at one place. Never
 * negative.
 *
 * A scope is shared only by logins from the same place. A box that is made inside another one inherits what
 * that one sees and ends with it; a login on the host must not find itself there, and nobody can go up to an
 * outer PID namespace (pid_namespaces(7)). So alice, who is bob by su, who is alice by su again, is in a
 * third box.
 */
int64_t live_box_key(const char *id);
int64_t live_scope_key(enum scope scope, const char *name, const struct live_place *place);

/* Registers the calling process: under scope_key in dir, unless that is -1, and under box_key in own, the box's own file
 * system. -EEXIST: another process serves this scope. Closing any descriptor of the one or the other in this process, but for
 * O_PATH, ends what is registered there (fcntl(2)). Makes system calls only.
 */
int live_register(int dir, int64_t scope_key, int own, int64_t box_key);

/* The process that serves a scope, in the caller's PID namespace. -ENOENT: none. -EXDEV: there is one, but it lies outside of
 * the caller's PID namespace, so the caller cannot enter it (pid_namespaces(7)).
 */
int live_find(int dir, int64_t scope_key);

/* The byte that stands for the box of that process. -ENOENT: it is no box's nsbox-init, or one of another register (a
 * container's). -EPERM: the caller lacks CAP_SYS_PTRACE, without which nobody may look at an nsbox-init or connect to it;
 * where procfs hides processes, hidepid in proc(5), he does not hear of it at all. -EOWNERDEAD: it was one that has ended, and
 * stays until its processes have been reaped; which box, and whether one of this register, nobody knows any more.
 */
int64_t live_box_of(int dir, pid_t pid);

/* Calls visit for every such process in the caller's PID namespace, in the order of their numbers, until it returns non-zero;
 * returns what it returned. box_key is -EOWNERDEAD for one that has ended. -ESRCH: there is no procfs of this PID namespace at
 * /proc. -EPERM: as above. Allocates.
 */
int live_each(int dir, int (*visit)(pid_t pid, int64_t box_key, void *data), void *data);

/* A connection to the box of that process; -ENOENT or -ECONNREFUSED if it is not a box's (any more). flags: SOCK_NONBLOCK, not
 * to wait where too many wait already (-EAGAIN), or 0.
 */
int live_connect(pid_t pid, int flags);

/* Sends request, with a copy of pidfd unless that is -1, and does not wait. */
int live_send(int connection, const struct lease_request *request, int pidfd);

/* Waits for the reply. -ETIMEDOUT, -ECONNRESET: none came. */
int live_receive(int connection, struct lease_reply *reply);

/* Asks the process that is registered, pid, for a lease for the process of the pidfd lease_holder: by *connection, which becomes
 * one if it is -1, and from which the answer is to be read by live_receive(). *self becomes a pidfd of the box's nsbox-init,
 * ready for setns(2) when it has answered. -ENOENT: it is not there any more. Both descriptors are the caller's to close, in any
 * case.
 */
int live_ask(pid_t pid, const struct lease_request *request, int lease_holder, int *connection, int *self);

#endif
