/* Opens and closes a session of root's over and over, and runs a command in each, to meet somebody else's race as often as
 * can be.
 *
 *	open-often TIMES COMMAND
 *
 * COMMAND exits with 42 where the box is what it must never be. Says how many sessions were opened, how many refused, how
 * many ended otherwise, and in how many COMMAND said so.
 */
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int converse(
	int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
	(void)messages, (void)data;
	*responses = calloc((size_t)count, sizeof(**responses));
	return *responses ? PAM_SUCCESS : PAM_BUF_ERR;
}

static int run(char *command)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	const struct pam_conv conversation = {.conv = converse};
	long times = argc == 3 ? atol(argv[1]) : 0, opened = 0, refused = 0, other = 0, bad = 0;

	for (long i = 0; i < times; i++) {
		pam_handle_t *pamh;
		int result, status;

		if (pam_start("session", "root", &conversation, &pamh) != PAM_SUCCESS)
			return 2;
		result = pam_open_session(pamh, 0);
		/* Root is let in where no box can be made, but not into half of one. */
		if (result == PAM_SUCCESS && !pam_getenv(pamh, "NSBOX")) {
			refused++;
			if (pam_close_session(pamh, 0) != PAM_SUCCESS)
				other++;
		} else if (result == PAM_SUCCESS) {
			opened++;
			status = run(argv[2]);
			bad += status == 42;
			other += status != 0 && status != 42;
			if (pam_close_session(pamh, 0) != PAM_SUCCESS)
				other++;
		} else if (result == PAM_SYSTEM_ERR || result == PAM_ABORT) {
			refused++;
		} else {
			other++;
		}
		pam_end(pamh, result);
	}
	printf("%ld %ld %ld %ld\n", opened, refused, other, bad);
	return times > 0 ? 0 : 2;
}
