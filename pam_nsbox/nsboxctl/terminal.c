#include "terminal.h"
#include "../box/kernel.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TTY_GROUP 5 /* as in every distribution; write(1) and wall(1) need it */

/* How long is waited for output after the child's end: processes that it left behind may hold the terminal
 * open. */
#define LAST_OUTPUT_MS 100

/* SIGTTOU is not among them: started in the background, this program stops before it changes the terminal. */
static const int handled[] = {SIGCHLD, SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP};

static void fill_signals(sigset_t *signals)
{
	sigemptyset(signals);
	for (size_t i = 0; i < sizeof(handled) / sizeof(*handled); i++)
		sigaddset(signals, handled[i]);
}

void terminal_block_signals(sigset_t *before)
{
	sigset_t signals;

	fill_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, before);
}

static void copy_size(const struct terminal *terminal)
{
	struct winsize size;

	if (terminal->master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(terminal->master, TIOCSWINSZ, &size); /* the kernel sends SIGWINCH inside */
}

/* TIOCGPTPEER opens the other end by descriptor: no path of the box's, which a user may have arranged, is
 * followed. */
int terminal_open(struct terminal *terminal, uid_t owner)
{
	*terminal = (struct terminal){.master = -1, .slave = -1};
	if (tcgetattr(STDIN_FILENO, &terminal->before) < 0)
		return -errno;
	terminal->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->master < 0 || unlockpt(terminal->master) < 0)
		return -errno;
	terminal->slave = ioctl(terminal->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->slave < 0)
		return -errno;
	if (fchown(terminal->slave, owner, TTY_GROUP) < 0 || fchmod(terminal->slave, 0620) < 0 ||
		tcsetattr(terminal->slave, TCSANOW, &terminal->before) < 0)
		return -errno;
	copy_size(terminal);
	return 0;
}

int terminal_only_write(void)
{
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		char path[32];

		if (!isatty(fd) || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		/* A serial line whose other end is away is not waited for. */
		cleanup_fd int again = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

		if (again < 0 || fcntl(again, F_SETFL, 0) < 0 || dup2(again, fd) < 0)
			return -errno;
	}
	return 0;
}

int terminal_become(struct terminal *terminal)
{
	if (setsid() < 0)
		return -errno;
	if (terminal->master < 0)
		return 0;
	if (ioctl(terminal->slave, TIOCSCTTY, 0) < 0)
		return -errno;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (isatty(fd) && dup2(terminal->slave, fd) < 0)
			return -errno;
	return 0;
}

static void make_raw(struct terminal *terminal)
{
	struct termios raw = terminal->before;

	cfmakeraw(&raw);
	terminal->is_raw = terminal->master >= 0 && tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void make_as_before(struct terminal *terminal)
{
	sigset_t tty_output, before;

	if (!terminal->is_raw)
		return;
	/* Also from the background, where the kernel would stop this process for it. */
	sigemptyset(&tty_output);
	sigaddset(&tty_output, SIGTTOU);
	sigprocmask(SIG_BLOCK, &tty_output, &before);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	terminal->is_raw = false;
}

void terminal_close(struct terminal *terminal)
{
	make_as_before(terminal);
	if (terminal->master >= 0)
		close(terminal->master);
	if (terminal->slave >= 0)
		close(terminal->slave);
	terminal->master = terminal->slave = -1;
}

/* --- carrying --- */

static bool write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, data, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN) { /* whoever shares our descriptors made them so */
			struct pollfd writable = {.fd = fd, .events = POLLOUT};

			poll(&writable, 1, -1);
			continue;
		}
		if (written <= 0)
			return false;
		data += written;
		size -= (size_t)written;
	}
	return true;
}

/* Output of the box that comes first goes where the outer terminal is. */
static int outer_output(void)
{
	return isatty(STDOUT_FILENO) ? STDOUT_FILENO : isatty(STDERR_FILENO) ? STDERR_FILENO : STDIN_FILENO;
}

/* What the administrator types, on its way in. A program inside that does not read must not keep this one
 * from showing its output, so nothing is ever waited for here.
 */
struct typed {
	char bytes[4096];
	size_t size;
	bool ended; /* the outer terminal hung up */
};

static void read_typed(struct typed *typed)
{
	ssize_t size = read(STDIN_FILENO, typed->bytes + typed->size, sizeof(typed->bytes) - typed->size);

	if (size > 0)
		typed->size += (size_t)size;
	else if (size == 0 || (errno != EINTR && errno != EAGAIN))
		typed->ended = true;
}

static void pass_typed(const struct terminal *terminal, struct typed *typed)
{
	ssize_t written = write(terminal->master, typed->bytes, typed->size);

	if (written <= 0)
		return;
	typed->size -= (size_t)written;
	memmove(typed->bytes, typed->bytes + written, typed->size);
}

/* It leads a session of its own, unless it was only just forked. */
static void signal_child(pid_t child, int signal)
{
	if (kill(-child, signal) < 0)
		kill(child, signal);
	if (kill(-child, SIGCONT) < 0)
		kill(child, SIGCONT);
}

/* Returns false when there will be no more: no process has the terminal open any longer (EIO), or the outer
 * terminal is gone, in which case the child is told.
 */
static bool pass_output(const struct terminal *terminal, pid_t child)
{
	char bytes[8192];
	ssize_t size = read(terminal->master, bytes, sizeof(bytes));

	if (size < 0)
		return errno == EINTR || errno == EAGAIN;
	if (size > 0 && write_all(outer_output(), bytes, (size_t)size))
		return true;
	if (size > 0)
		signal_child(child, SIGHUP);
	return false;
}

/* Returns true when the child has ended. */
static bool read_signals(struct terminal *terminal, int signals, pid_t child, int *status)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		switch (info.ssi_signo) {
		case SIGWINCH: copy_size(terminal); break;
		case SIGTERM:
		case SIGHUP:
		case SIGINT:
		case SIGQUIT: signal_child(child, (int)info.ssi_signo); break;
		}
	return waitpid(child, status, WNOHANG) == child;
}

static void show_last_output(const struct terminal *terminal, pid_t child)
{
	struct pollfd readable = {.fd = terminal->master, .events = POLLIN};

	while (terminal->master >= 0 && poll(&readable, 1, LAST_OUTPUT_MS) == 1 &&
		pass_output(terminal, child))
		;
}

int terminal_proxy(struct terminal *terminal, pid_t child)
{
	enum { SIGNALS, MASTER, OUTER };
	struct typed typed = {.size = 0};
	int status = 0;
	sigset_t set;

	fill_signals(&set);
	cleanup_fd int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (terminal->master >= 0) {
		close(terminal->slave); /* so that the last process inside that closes it is seen */
		terminal->slave = -1;
		fcntl(terminal->master, F_SETFL, O_RDWR | O_NONBLOCK);
		make_raw(terminal);
	}
	if (signals < 0) {
		waitpid(child, &status, 0);
		return status;
	}
	struct pollfd polled[] = {
		[SIGNALS] = {.fd = signals, .events = POLLIN},
		[MASTER] = {.fd = terminal->master},
		[OUTER] = {.fd = terminal->master >= 0 ? STDIN_FILENO : -1},
	};

	for (;;) {
		polled[MASTER].events = (short)(POLLIN | (typed.size > 0 ? POLLOUT : 0));
		polled[OUTER].events = typed.size < sizeof(typed.bytes) ? POLLIN : 0;
		if (poll(polled, sizeof(polled) / sizeof(*polled), -1) < 0)
			continue;
		if (polled[SIGNALS].revents && read_signals(terminal, signals, child, &status))
			break;
		if ((polled[MASTER].revents & (POLLIN | POLLHUP | POLLERR)) && !pass_output(terminal, child))
			polled[MASTER].fd = -1;
		if (polled[MASTER].revents & POLLOUT)
			pass_typed(terminal, &typed);
		if (polled[OUTER].revents)
			read_typed(&typed);
		if (typed.ended && polled[OUTER].fd >= 0) {
			polled[OUTER].fd = -1;
			signal_child(child, SIGHUP);
		}
	}
	show_last_output(terminal, child);
	return status;
}
