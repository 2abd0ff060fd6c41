/* pam_nsbox: the PAM door. Nothing else in the project knows PAM. */
#include "box/box.h"
#include "box/limits.h"
#include "namespaces.h"
#include "policy/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <security/pam_ext.h>
#pragma GCC visibility push(default) /* everything else is compiled with -fvisibility=hidden */
#include <security/pam_modules.h>
#pragma GCC visibility pop
#include <security/pam_modutil.h>

/* PAM keeps one struct session for each handle under this name; both lines of a stack find it (open, close).
 */
#define DATA_NAME "nsbox"

/* And here one struct decision, from the account phase to the session phase. */
#define DECISION_NAME "nsbox-decision"

/* How long it is good for, in seconds. A program opens the session right after the account phase; one that takes its time
 * gets what the configuration says by then.
 */
#define DECISION_MAX_AGE 10

/* sudo treats PAM_SESSION_ERR as no error (plugins/sudoers/auth/pam.c), so a refusal is never that. */
#define REFUSED PAM_SYSTEM_ERR

struct arguments {
	const char *conf; /* NULL: the built-in place */
	bool debug;
	bool only_open, only_close;
};

struct session {
	struct box *box;
	char line[512]; /* what every line of the log about this box says */
};

static void parse_arguments(pam_handle_t *pamh, int argc, const char **argv, struct arguments *arguments)
{
	memset(arguments, 0, sizeof(*arguments));
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "conf=", 5) == 0)
			arguments->conf = argv[i] + 5;
		else if (strcmp(argv[i], "debug") == 0)
			arguments->debug = true;
		else if (strcmp(argv[i], "open") == 0)
			arguments->only_open = true;
		else if (strcmp(argv[i], "close") == 0)
			arguments->only_close = true;
		else
			pam_syslog(pamh, LOG_ERR,
				"unknown argument \"%s\" is ignored; known are conf=PATH, debug, open, close",
				argv[i]);
	}
}

static const char *item(const pam_handle_t *pamh, int type)
{
	const void *value = NULL;

	return pam_get_item(pamh, type, &value) == PAM_SUCCESS && value ? value : "";
}

static void describe(const pam_handle_t *pamh, const char *policy, char *buf, size_t size)
{
	box_describe(policy, item(pamh, PAM_USER), item(pamh, PAM_SERVICE), item(pamh, PAM_RHOST),
		item(pamh, PAM_TTY), buf, size);
}

static void resolve(const pam_handle_t *pamh, const struct arguments *arguments, const char *id,
	struct resolution *resolution)
{
	char exe[256];
	ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct login login = {.user = item(pamh, PAM_USER), .service = item(pamh, PAM_SERVICE)};

	if (length > 0) {
		exe[length] = '\0';
		login.caller_exe = exe;
	}
	memcpy(login.box_id, id, sizeof(login.box_id));
	policy_resolve(arguments->conf, &login, resolution);
}

/* --- what the account phase decides for the session phase --- */

/* One login is decided upon once: its limits and its box come from the same policy, and nobody waits twice for NSS. */
struct decision {
	struct resolution resolution;
	char id[BOX_ID_SIZE];
	char *user, *service, *conf; /* that it was made for */
	struct box_ahead *ahead;     /* or NULL */
	pid_t process; /* and by which one: the children of one that forks make boxes of their own */
	time_t made;   /* CLOCK_BOOTTIME */
	bool is_taken;
};

static time_t uptime(void)
{
	struct timespec now = {.tv_sec = 0};

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* "conf=" without a path is no configuration, of which nothing can have been decided, and not the built-in one. */
static const char *conf_of(const struct arguments *arguments)
{
	if (!arguments->conf)
		return "";
	return arguments->conf[0] ? arguments->conf : "none";
}

static void forget_ahead(struct box_ahead *ahead)
{
	if (ahead)
		box_forget(ahead);
}

static void free_decision(pam_handle_t *pamh, void *data, int status)
{
	struct decision *decision = data;

	(void)pamh, (void)status;
	if (!decision->is_taken) {
		resolution_free(&decision->resolution);
		forget_ahead(decision->ahead);
	}
	free(decision->user);
	free(decision->service);
	free(decision->conf);
	free(decision);
}

/* Whatever the account phase says when it is run once more, what it has said before does not hold any longer. */
static void forget_decision(pam_handle_t *pamh)
{
	const void *data = NULL;

	if (pam_get_data(pamh, DECISION_NAME, &data) == PAM_SUCCESS && data)
		pam_set_data(pamh, DECISION_NAME, NULL, NULL);
}

/* Leaves the resolution to PAM; where there is no memory for that it is freed, and made again when it is needed. */
static void keep_decision(pam_handle_t *pamh, const struct arguments *arguments, const char *id,
	struct resolution *resolution, struct box_ahead *ahead)
{
	struct decision *decision = calloc(1, sizeof(*decision));

	if (!decision) {
		resolution_free(resolution);
		forget_ahead(ahead);
		return;
	}
	decision->resolution = *resolution;
	decision->ahead = ahead;
	memcpy(decision->id, id, sizeof(decision->id));
	decision->user = strdup(item(pamh, PAM_USER));
	decision->service = strdup(item(pamh, PAM_SERVICE));
	decision->conf = strdup(conf_of(arguments));
	decision->process = getpid();
	decision->made = uptime();
	if (!decision->user || !decision->service || !decision->conf ||
		pam_set_data(pamh, DECISION_NAME, decision, free_decision) != PAM_SUCCESS)
		free_decision(pamh, decision, 0);
}

/* Takes over what the account phase has decided, once, if it is this login that it was decided for. */
static bool take_decision(const pam_handle_t *pamh, const struct arguments *arguments, char *id,
	struct resolution *resolution, struct box_ahead **ahead)
{
	const void *data = NULL;
	struct decision *decision;

	if (pam_get_data(pamh, DECISION_NAME, &data) != PAM_SUCCESS || !data)
		return false;
	decision = (struct decision *)(uintptr_t)data;
	if (decision->is_taken || decision->process != getpid() ||
		uptime() - decision->made > DECISION_MAX_AGE ||
		strcmp(decision->user, item(pamh, PAM_USER)) != 0 ||
		strcmp(decision->service, item(pamh, PAM_SERVICE)) != 0 ||
		strcmp(decision->conf, conf_of(arguments)) != 0)
		return false;
	decision->is_taken = true;
	*resolution = decision->resolution;
	*ahead = decision->ahead;
	memcpy(id, decision->id, sizeof(decision->id));
	return true;
}

static int deny(pam_handle_t *pamh, int flags)
{
	if (!((unsigned int)flags & PAM_SILENT))
		pam_error(pamh,
			"This login was refused because its private session could not be set up; please ask "
			"the administrator, whose system log says why.");
	return REFUSED;
}

/* A login that should have been boxed and cannot be: refused, or let in as OnError says. sentence is for the
 * administrator; the user learns only that it is not his fault.
 */
static int refuse(pam_handle_t *pamh, int flags, const struct resolution *resolution, const char *step,
	const char *sentence)
{
	char line[512];
	bool allow = resolution->on_error == ON_ERROR_ALLOW;
	const char *what = "refused (OnError=deny)";

	if (allow)
		what = resolution->account.name && resolution->account.uid == 0
			       ? "let in without a box (uid 0 is never locked out)"
			       : "let in without a box (OnError=allow)";
	describe(pamh, resolution->policy.name, line, sizeof(line));
	pam_syslog(pamh, LOG_ERR, "%s %s: %s: %s", what, line, step, sentence);
	return allow ? PAM_SUCCESS : deny(pamh, flags);
}

/* Whatever OnError says: it would be let in where it must not be. */
static int refuse_astray(pam_handle_t *pamh, int flags, const char *line, const char *sentence)
{
	pam_syslog(pamh, LOG_ERR,
		"refused (its process could not be taken back to where it was) %s: opening failed: %s", line,
		sentence);
	return deny(pamh, flags);
}

/* --- open --- */

static void free_session(pam_handle_t *pamh, void *data, int status)
{
	struct session *session = data;
	struct box_failure failure;

	(void)pamh, (void)status;
	if (session->box)
		box_close(session->box, &failure);
	free(session);
}

static bool is_open(const pam_handle_t *pamh)
{
	const void *data = NULL;

	return pam_get_data(pamh, DATA_NAME, &data) == PAM_SUCCESS && data &&
	       ((const struct session *)data)->box;
}

static int keep(pam_handle_t *pamh, struct box *box, const struct box_entry *entry, const char *line)
{
	struct session *session = calloc(1, sizeof(*session));
	char environment[sizeof("NSBOX=") + sizeof(entry->id)];

	if (session) {
		session->box = box;
		snprintf(session->line, sizeof(session->line), "box=\"%s\" %.480s", entry->id, line);
		snprintf(environment, sizeof(environment), "NSBOX=%s", entry->id);
		if (pam_putenv(pamh, environment) == PAM_SUCCESS) {
			if (pam_set_data(pamh, DATA_NAME, session, free_session) == PAM_SUCCESS)
				return PAM_SUCCESS;
			pam_putenv(pamh, "NSBOX");
		}
	}
	free(session);
	return PAM_BUF_ERR;
}

/* Takes it back from PAM, and leaves it as it is. */
static void take_back(pam_handle_t *pamh)
{
	const void *data = NULL;

	if (pam_get_data(pamh, DATA_NAME, &data) == PAM_SUCCESS && data)
		((struct session *)(uintptr_t)data)->box = NULL;
	pam_set_data(pamh, DATA_NAME, NULL, NULL);
	pam_putenv(pamh, "NSBOX");
}

static int enter_box(pam_handle_t *pamh, int flags, const char *id, const struct resolution *resolution,
	struct box_ahead *ahead)
{
	const struct policy *policy = &resolution->policy;
	char line[512], sentence[640], names[64];
	const struct box_request request = {
		.policy = policy,
		.account = &resolution->account,
		.id = id,
		.service = item(pamh, PAM_SERVICE),
		.from = item(pamh, PAM_RHOST),
		.tty = item(pamh, PAM_TTY),
		.init = NSBOX_INIT,
		.ahead = ahead,
	};
	struct box_entry entry;
	struct box_failure failure;
	struct box *box;
	const char *why = NULL;

	describe(pamh, policy->name, line, sizeof(line));
	if (box_open(&request, &box, &entry, &failure) < 0) {
		box_failure_sentence(&failure, &request, sentence, sizeof(sentence));
		return failure.is_astray ? refuse_astray(pamh, flags, line, sentence)
					 : refuse(pamh, flags, resolution, "opening failed", sentence);
	}
	if (keep(pamh, box, &entry, line) != PAM_SUCCESS) {
		why = "step=keep: PAM could not keep the session's data";
	} else if (box_confine(policy, &failure) < 0) {
		why = box_failure_sentence(&failure, &request, sentence, sizeof(sentence));
		take_back(pamh);
	}
	if (why)
		return box_close(box, &failure) < 0 ? refuse_astray(pamh, flags, line, why)
						    : refuse(pamh, flags, resolution, "opening failed", why);
	if (limits_not_enforced(policy, names, sizeof(names))[0])
		pam_syslog(pamh, LOG_WARNING,
			"not limited box=\"%s\" %s: nothing enforces %s here; it takes systemd", entry.id,
			line, names);
	return PAM_SUCCESS;
}

static int open_session(pam_handle_t *pamh, int flags, const struct arguments *arguments)
{
	struct resolution resolution;
	char id[BOX_ID_SIZE];
	struct box_ahead *ahead = NULL;
	int result = PAM_SUCCESS;

	if (is_open(pamh)) {
		pam_syslog(pamh, LOG_NOTICE,
			"the session is in its box already: a second opening changes nothing");
		return PAM_SUCCESS;
	}
	if (!take_decision(pamh, arguments, id, &resolution, &ahead)) {
		forget_decision(pamh);
		box_new_id(id);
		resolve(pamh, arguments, id, &resolution);
	}
	switch (resolution.verdict) {
	case VERDICT_BOX: result = enter_box(pamh, flags, id, &resolution, ahead); break;
	case VERDICT_REFUSE:
		result = refuse(pamh, flags, &resolution, "no policy", resolution.problem);
		break;
	case VERDICT_NO_BOX:
		if (resolution.policy.reason) {
			char line[512];

			describe(pamh, resolution.policy.name, line, sizeof(line));
			pam_syslog(pamh, arguments->debug ? LOG_DEBUG : LOG_INFO, "not boxed %s: %s", line,
				resolution.policy.reason);
		}
		break;
	}
	resolution_free(&resolution);
	forget_ahead(ahead);
	return result;
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct arguments arguments;

	parse_arguments(pamh, argc, argv, &arguments);
	return arguments.only_close && !arguments.only_open ? PAM_SUCCESS
							    : open_session(pamh, flags, &arguments);
}

/* --- close --- */

/* A process that did not open the session has nothing to close: the lease is the opener's (systemd's (sd-pam)
 * closes in another process).
 */
int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct arguments arguments;
	struct session *session;
	const void *data = NULL;
	struct box_failure failure;
	struct box *box;

	(void)flags;
	parse_arguments(pamh, argc, argv, &arguments);
	if (arguments.only_open && !arguments.only_close)
		return PAM_SUCCESS;
	if (pam_get_data(pamh, DATA_NAME, &data) != PAM_SUCCESS || !data)
		return PAM_SUCCESS;
	session = (struct session *)(uintptr_t)data;
	if (!session->box || !box_is_own(session->box))
		return PAM_SUCCESS;
	box = session->box;
	session->box = NULL;
	if (box_close(box, &failure) < 0) {
		pam_syslog(pamh, LOG_ERR,
			"closing failed %s: step=%s on %s: %s; the caller stays in the box until it ends",
			session->line, failure.step, failure.subject, strerror(failure.error));
		return REFUSED;
	}
	if (pam_getenv(pamh, "NSBOX")) /* libpam would log that there is none */
		pam_putenv(pamh, "NSBOX");
	if (arguments.debug)
		pam_syslog(pamh, LOG_DEBUG, "closed %s", session->line);
	return PAM_SUCCESS;
}

/* --- account, credentials --- */

static void free_text(pam_handle_t *pamh, void *data, int status)
{
	(void)pamh, (void)status;
	free(data);
}

/* pam_systemd reads these when it opens the session (pam_systemd(8), "systemd.memory_max" and others). Of tasks it reads
 * a number or "infinity" and, in no version, a percentage.
 */
static bool hand_over_limits(pam_handle_t *pamh, const struct policy *policy)
{
	char tasks[24];
	const struct {
		const char *name;
		const char *value;
	} limits[] = {
		{"systemd.tasks_max",
			policy->tasks_max && strchr(policy->tasks_max, '%') ? tasks : policy->tasks_max},
		{"systemd.memory_max", policy->memory_max},
		{"systemd.cpu_weight", policy->cpu_weight},
		{"systemd.io_weight", policy->io_weight},
		{"systemd.runtime_max_sec", policy->runtime_max_sec},
	};

	snprintf(tasks, sizeof(tasks), "%" PRIu64, limits_tasks(policy));
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		char *copy;

		if (!limits[i].value)
			continue;
		copy = strdup(limits[i].value);
		if (!copy || pam_set_data(pamh, limits[i].name, copy, free_text) != PAM_SUCCESS) {
			free(copy);
			return false;
		}
	}
	return true;
}

/* Where OnError = allow it is boxed all the same: the limits alone are missing. */
static int without_limits(pam_handle_t *pamh, int flags, const struct resolution *resolution)
{
	static const char why[] = "there is no memory for what pam_systemd has to be told";
	char line[512];

	if (resolution->on_error != ON_ERROR_ALLOW)
		return refuse(pamh, flags, resolution, "no limits", why);
	describe(pamh, resolution->policy.name, line, sizeof(line));
	pam_syslog(pamh, LOG_ERR, "not limited (OnError=allow) %s: %s", line, why);
	return PAM_SUCCESS;
}

/* Takes the resolution over. */
static int look_ahead(pam_handle_t *pamh, int flags, const struct arguments *arguments, const char *id,
	struct resolution *resolution)
{
	const struct box_request request = {
		.policy = &resolution->policy, .account = &resolution->account, .init = NSBOX_INIT};
	char line[512], sentence[640];
	struct box_failure failure;
	struct box_ahead *ahead;

	if (box_look_ahead(&resolution->policy, &resolution->account, &ahead, &failure) == 0) {
		keep_decision(pamh, arguments, id, resolution, ahead);
		return PAM_SUCCESS;
	}
	describe(pamh, resolution->policy.name, line, sizeof(line));
	box_failure_sentence(&failure, &request, sentence, sizeof(sentence));
	resolution_free(resolution);
	return refuse_astray(pamh, flags, line, sentence);
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct arguments arguments;
	struct resolution resolution;
	char id[BOX_ID_SIZE];
	int result = PAM_SUCCESS;

	parse_arguments(pamh, argc, argv, &arguments);
	forget_decision(pamh);
	box_new_id(id);
	resolve(pamh, &arguments, id, &resolution);
	if (resolution.verdict == VERDICT_REFUSE)
		result = refuse(pamh, flags, &resolution, "no policy", resolution.problem);
	else if (resolution.verdict == VERDICT_BOX && !hand_over_limits(pamh, &resolution.policy))
		result = without_limits(pamh, flags, &resolution);
	if (result == PAM_SUCCESS && resolution.verdict == VERDICT_BOX)
		result = look_ahead(pamh, flags, &arguments, id, &resolution);
	else
		resolution_free(&resolution);
	return result;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_IGNORE;
}
