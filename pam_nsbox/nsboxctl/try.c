/* try: a box as a login would get it, by the same engine, but without PAM: nothing in /etc/pam.d has to name
 * the module.
 */
#include "../box/box.h"
#include "../box/kernel.h"
#include "commands.h"
#include "user.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define DEFAULT_SERVICE "nsboxctl-try"

struct attempt {
	const char *user, *service, *conf;
	char **command;
};

static int close_box(struct box *box, int status)
{
	struct box_failure failure;

	if (box_close(box, &failure) == 0)
		return status;
	complain("leaving the box failed: step %s on %s: %s; the box ends with this program", failure.step,
		failure.subject, strerror(failure.error));
	return STATUS_FAILED;
}

/* The terminal's signals are for the command, which shares the process group; those that are sent to this
 * process are passed on, and a command that stopped stops this process too, as su(1) does it.
 */
static int await(pid_t child, const sigset_t *signals)
{
	int status = 0;

	for (;;) {
		siginfo_t info;
		int signal = sigwaitinfo(signals, &info);

		if (signal == SIGTERM || signal == SIGHUP) {
			kill(child, signal);
			kill(child, SIGCONT);
		}
		while (waitpid(child, &status, WNOHANG | WUNTRACED) == child) {
			if (!WIFSTOPPED(status))
				return user_exit_status(status);
			kill(getpid(), SIGSTOP);
			kill(child, SIGCONT);
		}
	}
}

static int run(const struct attempt *attempt, const struct policy *policy, const struct box_entry *entry,
	const struct user *user)
{
	struct box_request request = {.policy = policy};
	struct box_failure failure;
	char sentence[640];
	sigset_t signals, before;
	pid_t child;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	sigprocmask(SIG_BLOCK, &signals, &before);
	fflush(stdout);
	child = fork();
	if (child < 0) {
		complain("no process could be made in the box: %s", strerror(errno));
		return STATUS_FAILED;
	}
	if (child > 0)
		return await(child, &signals);

	sigprocmask(SIG_SETMASK, &before, NULL);
	if (box_confine(policy, &failure) < 0) {
		complain("%s", box_failure_sentence(&failure, &request, sentence, sizeof(sentence)));
		_exit(STATUS_FAILED);
	}
	user_exec(user, entry->id, attempt->command);
}

static int try_box(const struct attempt *attempt, const char *id, const struct resolution *resolution)
{
	const char *tty = ttyname(STDIN_FILENO);
	const struct box_request request = {
		.policy = &resolution->policy,
		.account = &resolution->account,
		.id = id,
		.service = attempt->service,
		.tty = tty && strncmp(tty, "/dev/", 5) == 0 ? tty + 5 : tty,
		.init = NSBOX_INIT,
	};
	struct box_entry entry;
	struct box_failure failure;
	struct user user;
	struct box *box;
	char sentence[640];
	int status = STATUS_FAILED;

	if (user_look_up(attempt->user, &user) == 0) {
		/* The command starts in the user's home, so the box need not show where the administrator
		 * stands. */
		if (chdir("/") < 0 || box_open(&request, &box, &entry, &failure) < 0) {
			complain("no box could be made for %s: %s", user.name,
				box_failure_sentence(&failure, &request, sentence, sizeof(sentence)));
		} else {
			if (entry.changed)
				complain("note: %s joined a box that was made under other settings than "
					 "today's",
					user.name);
			status = close_box(box, run(attempt, &resolution->policy, &entry, &user));
		}
	}
	user_free(&user);
	return status;
}

static int try(const struct attempt *attempt)
{
	struct login login = {.user = attempt->user, .service = attempt->service};
	struct resolution resolution;
	int status = STATUS_FAILED;

	box_new_id(login.box_id);
	policy_resolve(attempt->conf, &login, &resolution);
	switch (resolution.verdict) {
	case VERDICT_BOX: status = try_box(attempt, login.box_id, &resolution); break;
	case VERDICT_NO_BOX:
		complain("a login of %s by %s would not be boxed: %s; nothing was run", attempt->user,
			attempt->service,
			resolution.policy.reason ? resolution.policy.reason : "no policy asks for it");
		break;
	case VERDICT_REFUSE:
		complain("a login of %s by %s would be %s: %s; nothing was run", attempt->user,
			attempt->service,
			resolution.on_error == ON_ERROR_ALLOW ? "let in without a box (OnError = allow)"
							      : "refused (OnError = deny)",
			resolution.problem);
		break;
	}
	resolution_free(&resolution);
	return status;
}

int command_try(int argc, char **argv)
{
	struct attempt attempt = {.service = DEFAULT_SERVICE};
	int letter;

	while ((letter = next_option(argc, argv)) != -1)
		switch (letter) {
		case OPTION_SERVICE: attempt.service = optarg; break;
		case OPTION_CONF: attempt.conf = optarg; break;
		default: return STATUS_USAGE;
		}
	if (optind == argc)
		return complain_about_call("which user?");
	attempt.user = argv[optind];
	attempt.command = argv + optind + 1;
	return is_root() ? try(&attempt) : STATUS_FAILED;
}
