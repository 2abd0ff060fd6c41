#include "birth.h"
#include "failure.h"
#include "kernel.h"
#include "live.h"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static int holder_main(void *data)
{
	inside_run(data);
	_exit(1);
}

/* The child of the caller and parent of the holder. It ends when the holder has become nsbox-init, which then belongs to the
 * host's init: the caller's wait(2) will never see it. Until then the caller's death is passed on.
 */
static int intermediate_main(void *data)
{
	struct birth *birth = data;
	struct inside *inside = &birth->inside;
	/* A network namespace that is there already is joined by the holder itself. */
	const int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD |
			  (inside->policy->namespaces & ~(inside->policy->netns_path ? CLONE_NEWNET : 0));
	pid_t parent;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(1);
	parent = getppid(); /* 0: the caller makes its children in another PID namespace than its own */
	if (parent != inside->parent && parent != 0)
		_exit(1);
	if (clone(holder_main, birth->stacks + STACK_SIZE, flags, inside, &birth->holder) < 0) {
		inside->failure.step = "clone";
		inside->failure.error = errno;
		birth->holder = -1;
	} else {
		birth->has_left = true;
	}
	_exit(0);
}

/* Ends a birth that went wrong or takes too long. Who is killed in the middle of clone(2) may leave the number of a
 * descriptor that was never there, so the kernel is asked then whether it is a pidfd. A holder that hangs in a system call
 * which cannot be interrupted is given a moment.
 */
static void abort_birth(struct birth *birth)
{
	struct pollfd ended = {.events = POLLIN};

	kill(birth->intermediate, SIGKILL);
	waitpid(birth->intermediate, NULL, __WALL);
	birth->intermediate = 0;
	if (birth->holder < 0 ||
		(sys_pidfd_send_signal(birth->holder, SIGKILL, NULL) == -EBADF && !birth->has_left))
		return;
	ended.fd = birth->holder;
	birth->is_hanging = poll(&ended, 1, 1000) != 1;
	close(birth->holder);
	birth->holder = -1;
}

/* Returns a pidfd of the intermediate process. Signals are blocked, in the caller too, until birth_end(): a handler of the
 * caller's would run in the holder, on the caller's memory. The holder has a copy of the caller's descriptors; the
 * intermediate process shares them, so that the holder's pidfd is in the caller's hands.
 */
static int begin_birth(struct birth *birth)
{
	sigset_t all;
	int intermediate = -1;

	birth->inside.parent = getpid();
	birth->dumpable = prctl(PR_GET_DUMPABLE);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &birth->signals);
	/* No exit signal: no handler of the caller's, and no wait(2) without __WALL, ever meets it. */
	birth->intermediate = clone(intermediate_main, birth->stacks + STACK_SIZE + INTERMEDIATE_SIZE,
		CLONE_VM | CLONE_FILES | CLONE_PIDFD, birth, &intermediate);
	return birth->intermediate < 0 ? -errno : intermediate;
}

int birth_give(struct birth *birth, int *self)
{
	struct box_failure *failure = &birth->inside.failure;
	cleanup_fd int intermediate = -1;
	int result;

	birth->holder = -1;
	intermediate = begin_birth(birth);
	if (intermediate < 0)
		return box_fail(failure, "clone", "", intermediate);
	result = live_wait(intermediate);
	if (result == 0 && birth->has_left && !failure->step) {
		*self = fcntl(birth->holder, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (*self >= 0) {
			close(birth->holder);
			return 0;
		}
		box_fail(failure, "clone", "RLIMIT_NOFILE", -errno);
	}
	abort_birth(birth);
	if (failure->step)
		return -failure->error;
	return box_fail(failure, "ready", birth->inside.request->init, result < 0 ? result : -ECONNRESET);
}

void birth_end(struct birth *birth)
{
	if (birth->intermediate > 0)
		waitpid(birth->intermediate, NULL, __WALL);
	birth->intermediate = 0;
	sigprocmask(SIG_SETMASK, &birth->signals, NULL);
	if (birth->dumpable == 1 && prctl(PR_GET_DUMPABLE) != 1)
		prctl(PR_SET_DUMPABLE, 1);
}
