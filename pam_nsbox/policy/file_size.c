#include "file_size.h"

#include <errno.h>
#include <time.h>

/* sigprocmask(2) is the calling thread's on Linux; pthread_sigmask(3) is the same call, in a library of its own before glibc 2.32.
 */
void file_size_lift(struct file_size *size)
{
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	sigset_t signal;

	size->is_limited =
		getrlimit(RLIMIT_FSIZE, &size->before) == 0 && size->before.rlim_cur != RLIM_INFINITY;
	if (!size->is_limited)
		return;
	sigemptyset(&signal);
	sigaddset(&signal, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &signal, &size->signals);
	if (setrlimit(RLIMIT_FSIZE, &none) < 0)
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){size->before.rlim_max, size->before.rlim_max});
}

void file_size_restore(const struct file_size *size)
{
	const struct timespec now = {0, 0};
	int error = errno;
	sigset_t signal;

	if (!size->is_limited)
		return;
	setrlimit(RLIMIT_FSIZE, &size->before);
	sigemptyset(&signal);
	sigaddset(&signal, SIGXFSZ);
	sigtimedwait(&signal, NULL, &now);
	sigprocmask(SIG_SETMASK, &size->signals, NULL);
	errno = error;
}
