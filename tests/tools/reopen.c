/* Opens and closes sessions of one user as fast as it can, so that several of these meet in boxes that are being made
 * or are ending, or that what each leaves behind adds up.
 *
 *	reopen SERVICE USER TIMES MAX_MICROSECONDS SEED [COMMAND [ARGUMENT...]]
 *
 * Between open and close, and between sessions, it waits up to MAX_MICROSECONDS; where there is a COMMAND, the user runs
 * it in each session. For each session it prints the id of the box. TIMES may be "-": then each line of standard input is
 * a number of sessions, and "done" with the number of failures so far is printed after them. Exit status 1 if any session could not be opened or closed, or
 * a command failed.
 */
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct call {
	const char *service, *user;
	unsigned int microseconds, seed;
	char **command;
};

static int answer(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
	(void)data;
	for (int i = 0; i < count; i++)
		fprintf(stderr, "reopen: %s\n", messages[i]->msg);
	*responses = calloc((size_t)count, sizeof(**responses));
	return *responses ? PAM_SUCCESS : PAM_BUF_ERR;
}

static void pause_up_to(unsigned int *seed, unsigned int microseconds)
{
	if (microseconds)
		usleep((unsigned int)rand_r(seed) % microseconds);
}

static int run(const struct call *call)
{
	const struct passwd *user = getpwnam(call->user);
	int status = 1;
	pid_t pid = user ? fork() : -1;

	if (pid == 0) {
		if (initgroups(user->pw_name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 &&
			setuid(user->pw_uid) == 0)
			execvp(call->command[0], call->command);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static int one(struct call *call)
{
	const struct pam_conv conversation = {.conv = answer};
	pam_handle_t *pamh;
	int result = pam_start(call->service, call->user, &conversation, &pamh), status = 0;

	if (result != PAM_SUCCESS)
		return 1;
	result = pam_open_session(pamh, 0);
	if (result == PAM_SUCCESS) {
		puts(pam_getenv(pamh, "NSBOX") ? pam_getenv(pamh, "NSBOX") : "none");
		if (call->command[0])
			status = run(call);
		pause_up_to(&call->seed, call->microseconds);
		result = pam_close_session(pamh, 0);
	}
	if (result != PAM_SUCCESS)
		fprintf(stderr, "reopen: %s\n", pam_strerror(pamh, result));
	if (status != 0)
		fprintf(stderr, "reopen: %s: wait status %#x\n", call->command[0], (unsigned int)status);
	pam_end(pamh, result);
	return result != PAM_SUCCESS || status != 0;
}

static int many(struct call *call, long times)
{
	int failures = 0;

	for (; times > 0; times--) {
		failures += one(call);
		pause_up_to(&call->seed, call->microseconds);
	}
	return failures;
}

int main(int argc, char **argv)
{
	struct call call;
	char line[32];
	int failures = 0;

	if (argc < 6) {
		fprintf(stderr,
			"usage: reopen SERVICE USER TIMES MAX_MICROSECONDS SEED [COMMAND [ARGUMENT...]]\n");
		return 2;
	}
	call = (struct call){
		.service = argv[1],
		.user = argv[2],
		.microseconds = (unsigned int)strtoul(argv[4], NULL, 10),
		.seed = (unsigned int)strtoul(argv[5], NULL, 10),
		.command = argv + 6,
	};
	if (strcmp(argv[3], "-") != 0)
		return many(&call, strtol(argv[3], NULL, 10)) > 0;
	while (fgets(line, sizeof(line), stdin)) {
		failures += many(&call, strtol(line, NULL, 10));
		printf("done %d\n", failures);
		fflush(stdout);
	}
	return failures > 0;
}
