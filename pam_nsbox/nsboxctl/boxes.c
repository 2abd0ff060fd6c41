#include "boxes.h"
#include "../box/box.h"
#include "../box/kernel.h"
#include "commands.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <time.h>

/* How long the kernel may take to end what is left of a box, in milliseconds, before that is worth a line. */
#define END_MS 1000

struct collection {
	struct live_box *all;
	struct pollfd *answers; /* a connection each, a pidfd of one that has ended, or -1 */
	size_t n, room;
	bool and_ended;
	int64_t key; /* of the one that is looked for, or -1: all */
};

static int open_register(void)
{
	int dir = live_open();

	if (dir < 0)
		complain("the register of boxes, " LIVE_DIRECTORY ", cannot be read: %s%s", strerror(-dir),
			dir == -EPERM ? "; it must be root's folder with mode 0700" : "");
	return dir;
}

static int note_box(pid_t pid, int64_t key, void *data)
{
	struct collection *found = data;

	if (key < 0 ? !found->and_ended : found->key >= 0 && found->key != key)
		return 0;
	if (found->n == found->room) {
		size_t room = found->room ? 2 * found->room : 64;
		void *all = realloc(found->all, room * sizeof(*found->all));

		if (!all)
			return -ENOMEM;
		found->all = all;
		found->room = room;
	}
	found->all[found->n++] = (struct live_box){.pid = pid, .ended = key < 0};
	return 0;
}

/* Sends the question. -1: the box is gone or does not take it; which of the two, tells *gone. */
static int ask(pid_t pid, bool *gone)
{
	const struct lease_request request = {.operation = LEASE_STATUS};
	cleanup_fd int connection = live_connect(pid, 0);
	int result = connection < 0 ? connection : live_send(connection, &request, -1);

	/* Whatever else fails (EAGAIN: more wait for it than its queue holds), it may well be alive. */
	*gone = result == -ENOENT || result == -ECONNREFUSED || result == -ECONNRESET || result == -EPIPE;
	return result < 0 ? -1 : take_fd(&connection);
}

/* What has ended says so by its pidfd when it is gone; the number may be another's by now. */
static int watch(int dir, pid_t pid, bool *gone)
{
	cleanup_fd int pidfd = sys_pidfd_open(pid);

	*gone = pidfd < 0 || live_box_of(dir, pid) != -EOWNERDEAD;
	return *gone ? -1 : take_fd(&pidfd);
}

static void drop(struct collection *found, size_t i)
{
	found->n--;
	found->all[i] = found->all[found->n];
	found->answers[i] = found->answers[found->n];
}

static int ask_all(int dir, struct collection *found)
{
	struct rlimit files;

	/* A connection for each box, all at once. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	found->answers = calloc(found->n + 1, sizeof(*found->answers));
	if (!found->answers)
		return -ENOMEM;
	for (size_t i = 0; i < found->n;) {
		const struct live_box *box = &found->all[i];
		bool gone;

		found->answers[i] =
			(struct pollfd){.fd = box->ended ? watch(dir, box->pid, &gone) : ask(box->pid, &gone),
				.events = POLLIN};
		if (gone)
			drop(found, i);
		else
			i++;
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Takes the answer that is there. Returns false if the box ended instead. */
static bool take_answer(struct live_box *box, struct pollfd *answer)
{
	struct lease_reply reply;

	box->answered = !box->ended && live_receive(answer->fd, &reply) == 0;
	if (box->answered) {
		box->head = reply.head;
		box->record = reply.record;
	}
	close(answer->fd);
	answer->fd = -1;
	return box->answered;
}

static void take_answers(struct collection *found)
{
	for (size_t i = 0; i < found->n;)
		if (found->answers[i].fd >= 0 && found->answers[i].revents &&
			!take_answer(&found->all[i], &found->answers[i]))
			drop(found, i);
		else
			i++;
}

static void await_answers(struct collection *found)
{
	int64_t began = now_ms();

	for (;;) {
		size_t ending = 0, unanswered = 0;
		int64_t left;

		for (size_t i = 0; i < found->n; i++)
			if (found->answers[i].fd >= 0)
				++*(found->all[i].ended ? &ending : &unanswered);
		left = began + (unanswered > 0 ? LIVE_TIMEOUT_MS : ending > 0 ? END_MS : 0) - now_ms();
		if (left <= 0 || poll(found->answers, found->n, (int)left) == 0)
			break;
		take_answers(found);
	}
}

static int by_age(const void *a, const void *b)
{
	const struct live_box *x = a, *y = b;

	if (x->answered != y->answered)
		return x->answered ? -1 : 1;
	if (x->record.since != y->record.since)
		return x->record.since < y->record.since ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Where procfs hides processes (hidepid in proc(5)), who may not look hears of none. */
static bool may_look(void)
{
	cap_t mine = cap_get_proc();
	cap_flag_value_t has = CAP_CLEAR;

	if (mine)
		cap_get_flag(mine, CAP_SYS_PTRACE, CAP_EFFECTIVE, &has);
	cap_free(mine);
	return has == CAP_SET;
}

int boxes_collect(struct boxes *boxes, bool and_ended)
{
	struct collection found = {.key = -1, .and_ended = and_ended};
	cleanup_fd int dir = open_register();
	int result = dir < 0 ? dir : may_look() ? live_each(dir, note_box, &found) : -EPERM;

	if (result == 0)
		result = ask_all(dir, &found);
	if (result == 0) {
		await_answers(&found);
		for (size_t i = 0; i < found.n; i++)
			if (found.answers[i].fd >= 0)
				close(found.answers[i].fd);
		if (found.n > 0)
			qsort(found.all, found.n, sizeof(*found.all), by_age);
	} else if (dir >= 0) {
		complain("the live boxes cannot be told: %s%s", strerror(-result),
			result == -ESRCH   ? "; /proc must be a procfs of this PID namespace"
			: result == -EPERM ? "; it takes CAP_SYS_PTRACE"
					   : "");
	}
	free(found.answers);
	*boxes = (struct boxes){.all = found.all, .n = result < 0 ? 0 : found.n};
	return result;
}

void boxes_free(struct boxes *boxes)
{
	free(boxes->all);
}

/* By the byte that the id stands for, so that no other box is asked and can be in the way. */
static bool find_exactly(int dir, const char *id, struct live_box *box)
{
	struct collection found = {.key = live_box_key(id)};

	if (live_each(dir, note_box, &found) < 0)
		found.n = 0;
	else if (ask_all(dir, &found) == 0)
		await_answers(&found);
	if (found.n > 0)
		*box = found.all[0];
	for (size_t i = 0; found.answers && i < found.n; i++)
		if (found.answers[i].fd >= 0)
			close(found.answers[i].fd);
	free(found.all);
	free(found.answers);
	return found.n > 0 && (!box->answered || strcmp(box->record.id, id) == 0);
}

static int find_by_prefix(const char *id, struct live_box *box)
{
	struct boxes boxes;
	size_t matches = 0, silent = 0;
	int result = boxes_collect(&boxes, false);

	for (size_t i = 0; i < boxes.n; i++) {
		silent += !boxes.all[i].answered;
		if (boxes.all[i].answered && strncmp(boxes.all[i].record.id, id, strlen(id)) == 0) {
			*box = boxes.all[i];
			matches++;
		}
	}
	boxes_free(&boxes);
	if (result < 0)
		return result;
	if (matches == 1)
		return 0;
	if (matches > 1)
		complain("%zu live boxes have ids that begin with \"%s\"; give more of it (nsboxctl list)",
			matches, id);
	else
		complain("no live box has an id that begins with \"%s\"%s; nsboxctl list shows all", id,
			silent ? ", among those that answer" : "");
	return matches > 1 ? -EEXIST : -ENOENT;
}

int boxes_find(const char *id, struct live_box *box)
{
	cleanup_fd int dir = open_register();

	if (dir < 0)
		return dir;
	if (*id == '\0') {
		complain("an empty text is no box's id; nsboxctl list shows all");
		return -ENOENT;
	}
	if (strlen(id) == BOX_ID_SIZE - 1 && find_exactly(dir, id, box))
		return 0;
	return find_by_prefix(id, box);
}

int boxes_pidfd(const struct live_box *box, const char *id)
{
	cleanup_fd int dir = open_register();
	cleanup_fd int pidfd = dir < 0 ? dir : sys_pidfd_open(box->pid);

	if (pidfd < 0)
		return pidfd;
	return live_box_of(dir, box->pid) == live_box_key(id) ? take_fd(&pidfd) : -ESRCH;
}

const char *boxes_state(const struct live_box *box)
{
	if (!box->answered)
		return box->ended ? "ended" : "unanswering";
	switch (box->head.state) {
	case BOX_LIVE: return "live";
	case BOX_LINGERING: return "lingering";
	case BOX_STOPPING: return "stopping";
	}
	return "unknown";
}

bool boxes_policy_changed(const struct live_box *box, const char *conf)
{
	char user[sizeof(box->record.user)];
	struct login login = {.user = user, .service = box->record.service};
	struct resolution resolution;
	bool changed;

	if (!box->answered)
		return false;
	/* The record has "?" for a backslash (box_clean_text), and of the two only that one stands in names, those of
	 * Windows domains. */
	snprintf(user, sizeof(user), "%s", box->record.user);
	for (char *at = user; *at; at++)
		if (*at == '?')
			*at = '\\';
	box_new_id(login.box_id);
	policy_resolve(conf, &login, &resolution);
	changed = resolution.verdict != VERDICT_BOX || resolution.policy.digest != box->record.digest;
	resolution_free(&resolution);
	return changed;
}
