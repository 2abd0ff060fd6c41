/* Live boxes, as the kernel and their nsbox-init tell. */
#ifndef NSBOX_BOXES_H
#define NSBOX_BOXES_H

#include "../box/live.h"

struct live_box {
	pid_t pid;  /* of its nsbox-init, as seen from here */
	bool ended; /* that has ended, and waits for the rest of its processes: processes_tell_what_keeps() */
	bool answered; /* the rest is valid */
	struct lease_reply_head head;
	struct box_record record;
};

struct boxes {
	struct live_box *all; /* oldest first; those that did not answer last */
	size_t n;
};

/* Finds every box that is live and asks all of them at once, so that one that hangs costs LIVE_TIMEOUT_MS,
 * and several of them no more. With and_ended also those that have been ending for longer than it takes. Complains and returns
 * a negative errno if it cannot. boxes_free() in any case.
 */
int boxes_collect(struct boxes *boxes, bool and_ended);
void boxes_free(struct boxes *boxes);

/* Finds the one box whose id is, or begins with, id. Complains and returns a negative errno: there is none,
 * or there are several. A box that does not answer is found by its full id only, and has answered == false.
 */
int boxes_find(const char *id, struct live_box *box);

/* A pidfd of the box's nsbox-init that is certainly its own and not that of a later process of the same
 * number; or a negative errno, -ESRCH if the box is gone.
 */
int boxes_pidfd(const struct live_box *box, const char *id);

/* "live", "lingering", "stopping", "unanswering", or "ended" */
const char *boxes_state(const struct live_box *box);

/* Whether the configuration (NULL: the built-in place) decides otherwise today than when the box was made,
 * for the same user and service. Asks NSS.
 */
bool boxes_policy_changed(const struct live_box *box, const char *conf);

#endif
