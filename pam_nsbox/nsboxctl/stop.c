/* stop: the end of boxes. */
#include "../box/kernel.h"
#include "boxes.h"
#include "commands.h"
#include "processes.h"

#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What nsbox-init needs beyond TimeoutStopSec: the kernel ends what is left, and writes core dumps or
 * unmounts. */
#define MARGIN_MS 5000

/* How long SIGQUIT may take before the kernel is asked instead. */
#define QUIT_MS 2000

struct end {
	const char *argument;
	struct live_box box;
	char id[sizeof(((struct box_record *)NULL)->id)];
	int pidfd;     /* -1: it could not be asked to end */
	int64_t asked; /* when, in monotonic milliseconds */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Its processes are the host's too, so nsbox-init, which cannot tell them apart, cannot end them. */
static bool cannot_be_stopped(const struct end *end)
{
	return end->box.answered && !(end->box.record.namespaces & CLONE_NEWPID);
}

static bool begin(struct end *end, bool now)
{
	int result;

	end->pidfd = -1;
	if (boxes_find(end->argument, &end->box) < 0)
		return false;
	snprintf(end->id, sizeof(end->id), "%s", end->box.answered ? end->box.record.id : end->argument);
	if (cannot_be_stopped(end)) {
		complain("box %s has no PID namespace, so its processes cannot be told from the host's and "
			 "ended with it; "
			 "it ends when its %u sessions have (loginctl, or kill)",
			end->id, end->box.head.leases);
		return false;
	}
	end->pidfd = boxes_pidfd(&end->box, end->id);
	result = end->pidfd < 0 ? end->pidfd
				: sys_pidfd_send_signal(end->pidfd, now ? SIGQUIT : SIGTERM, NULL);
	end->asked = now_ms();
	if (result == 0)
		return true;
	if (end->pidfd >= 0)
		close(end->pidfd);
	end->pidfd = -1;
	if (result == -ESRCH)
		complain("box %s ended by itself meanwhile", end->id);
	else
		complain("nsbox-init of box %s, PID %d, cannot be signalled: %s", end->id, (int)end->box.pid,
			strerror(-result));
	return false;
}

static bool is_gone(const struct end *end, int64_t until)
{
	struct pollfd gone = {.fd = end->pidfd, .events = POLLIN};
	int64_t left = until - now_ms();
	int result;

	do
		result = poll(&gone, 1, left > INT_MAX ? INT_MAX : left > 0 ? (int)left : 0);
	while (result < 0 && errno == EINTR);
	return result == 1;
}

static void complain_of_rest(const struct end *end, int64_t seconds, bool now)
{
	char keeper[300];

	if (processes_tell_what_keeps(end->box.pid, keeper, sizeof(keeper)))
		complain("box %s has not ended after %lld s: %s", end->id, (long long)seconds, keeper);
	else
		complain("box %s has not ended after %lld s: its nsbox-init, PID %d, does not act; %s",
			end->id, (long long)seconds, (int)end->box.pid,
			now ? "look at it with ps" : "try nsboxctl stop --now");
}

/* Waits until the kernel says that nsbox-init is no more, which it says after the last process of the box. */
static bool finish(struct end *end, bool now)
{
	int64_t patience =
		now ? QUIT_MS
		    : (end->box.answered ? (int64_t)end->box.record.timeout_stop_ms : 0) + MARGIN_MS;
	bool gone = is_gone(end, end->asked + patience);

	if (!gone && now) {
		sys_pidfd_send_signal(end->pidfd, SIGKILL, NULL);
		gone = is_gone(end, now_ms() + MARGIN_MS);
	}
	if (gone)
		printf("%s: %s after %.1f s\n", end->id, now ? "ended" : "stopped",
			(double)(now_ms() - end->asked) / 1000);
	else
		complain_of_rest(end, (now_ms() - end->asked) / 1000, now);
	close(end->pidfd);
	return gone;
}

/* All are asked before any is waited for: together they take as long as the slowest. */
static int stop(char **arguments, size_t n, bool now)
{
	struct end *ends = calloc(n, sizeof(*ends));
	int status = STATUS_DONE;

	if (!ends) {
		complain("there is no memory for %zu boxes; nothing was stopped", n);
		return STATUS_FAILED;
	}
	for (size_t i = 0; i < n; i++) {
		ends[i].argument = arguments[i];
		if (!begin(&ends[i], now))
			status = STATUS_FAILED;
	}
	for (size_t i = 0; i < n; i++)
		if (ends[i].pidfd >= 0 && !finish(&ends[i], now))
			status = STATUS_FAILED;
	free(ends);
	return status;
}

int command_stop(int argc, char **argv)
{
	bool now = false;
	int letter;

	while ((letter = next_option(argc, argv)) != -1)
		switch (letter) {
		case OPTION_NOW: now = true; break;
		default: return STATUS_USAGE;
		}
	if (optind == argc)
		return complain_about_call("which box?");
	return is_root() ? stop(argv + optind, (size_t)(argc - optind), now) : STATUS_FAILED;
}
