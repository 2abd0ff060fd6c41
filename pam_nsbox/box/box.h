/* The transaction: a process goes wholly into a box, or stays exactly where it was.
 *
 * Nothing here knows PAM or the configuration. Functions return 0 or a negative errno, and explain a failure
 * in a struct box_failure. The calling process needs CAP_SYS_ADMIN, CAP_SYS_PTRACE (setns(2) with a pidfd)
 * and /proc.
 */
#ifndef NSBOX_BOX_H
#define NSBOX_BOX_H

#include "../init/lease.h"
#include "../policy/policy.h"

struct box_request {
	const struct policy *policy;
	const struct account *account;
	const char *id;	     /* from box_new_id() */
	const char *service; /* these three are for people to read; they may be NULL, and hostile */
	const char *from;
	const char *tty;
	const char *init; /* path of nsbox-init */
	struct box_ahead
		*ahead; /* from box_look_ahead(), which box_open() takes what it can use from; or NULL */
};

struct box_failure {
	const char *step;  /* what was done, as in the table of steps: "procfs", "enter" */
	int error;	   /* positive errno */
	char subject[256]; /* what it was done to, or empty */
	bool is_astray;	   /* the caller could not be taken back to where it was, and must not go on */
};

/* How a process got into its box. */
struct box_entry {
	char id[BOX_ID_SIZE + 5]; /* of the box, which may be an older one than requested (Scope) */
	bool changed; /* it was there before, and was made under other settings than the policy's of today */
};

/* The calling process's way back and its lease; see box_open(). */
struct box;

/* A new box id: ten characters of [a-z2-7], 50 random bits. */
void box_new_id(char id[BOX_ID_SIZE]);

/* What is found out before the session, for box_open() in the same process: what will not have changed by then, or will be seen
 * to have changed. That is where the process's namespaces and its root are, where the host's procfs lies, and which box it may
 * join.
 */
struct box_ahead;

/* Looks, and leaves the process as it was. It fails only if it could not do that: with failure->is_astray, out of a chroot into
 * which it cannot go back. *ahead is to be given to box_forget(), or NULL: all that is not found out box_open() does.
 */
int box_look_ahead(const struct policy *policy, const struct account *account, struct box_ahead **ahead,
	struct box_failure *failure);
void box_forget(struct box_ahead *ahead);

/* Puts the calling process into a box: one of its own, or the one that its scope shares (make it, or join
 * it). After success the process's mount, UTS, IPC, network and cgroup namespaces are the box's as far as the
 * policy names them, its later children are in the box's PID namespace, and its working directory is the same
 * path as before. After failure, everything about the process is as it was.
 *
 * *box must be given to box_close() by the same process. It may be given to box_close() by a forked child
 * too, where it does nothing but free memory: sshd's children inherit it.
 */
int box_open(const struct box_request *request, struct box **box, struct box_entry *entry,
	struct box_failure *failure);

/* Takes the calling process back to where it was and gives the lease back; the box ends if that was the last
 * one. Frees box, and does so even where it returns an error because a namespace could not be entered again.
 */
int box_close(struct box *box, struct box_failure *failure);

/* Whether the calling process is the one that opened it, and has not been forked since. */
bool box_is_own(const struct box *box);

/* Applies what cannot be taken back, so last, when nothing else can fail: no_new_privs and the bounding set,
 * which the process's children inherit.
 */
int box_confine(const struct policy *policy, struct box_failure *failure);

/* A sentence on failure for the administrator: what was tried, on what, why it failed, what to do. Returns
 * buf. */
const char *box_failure_sentence(
	const struct box_failure *failure, const struct box_request *request, char *buf, size_t size);

/* How many bytes the character takes with which text begins; 0 where it is a control character (those of C1, which terminals obey as
 * well, among them) or no UTF-8.
 */
size_t box_character(const char *text);

/* Copies text into buf, cut to size, with every byte that could break a line of the log, a terminal or JSON replaced by "?". NULL
 * becomes the empty string.
 */
void box_clean_text(const char *text, char *buf, size_t size);

/* Writes what lines of the log say of a login into buf: policy="" user="" service="" from="" tty="", each cleaned. */
void box_describe(const char *policy, const char *user, const char *service, const char *from,
	const char *tty, char *buf, size_t size);

#endif
