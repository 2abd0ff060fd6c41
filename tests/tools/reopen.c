/* Opens and closes sessions of one user as fast as it can, so that several of these meet in boxes that are being made
 * or are ending.
 *
 *	reopen SERVICE USER TIMES MAX_MICROSECONDS SEED
 *
 * Between open and close, and between sessions, it waits up to MAX_MICROSECONDS. For each session it prints the id of
 * the box. Exit status 1 if any session could not be opened or closed.
 */
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static int one(const char *service, const char *user, unsigned int *seed, unsigned int microseconds)
{
	const struct pam_conv conversation = {.conv = answer};
	pam_handle_t *pamh;
	int result = pam_start(service, user, &conversation, &pamh);

	if (result != PAM_SUCCESS)
		return 1;
	result = pam_open_session(pamh, 0);
	if (result == PAM_SUCCESS) {
		puts(pam_getenv(pamh, "NSBOX") ? pam_getenv(pamh, "NSBOX") : "none");
		pause_up_to(seed, microseconds);
		result = pam_close_session(pamh, 0);
	}
	if (result != PAM_SUCCESS)
		fprintf(stderr, "reopen: %s\n", pam_strerror(pamh, result));
	pam_end(pamh, result);
	return result != PAM_SUCCESS;
}

int main(int argc, char **argv)
{
	int failures = 0;

	if (argc != 6) {
		fprintf(stderr, "usage: reopen SERVICE USER TIMES MAX_MICROSECONDS SEED\n");
		return 2;
	}

	unsigned int microseconds = (unsigned int)strtoul(argv[4], NULL, 10);
	unsigned int seed = (unsigned int)strtoul(argv[5], NULL, 10);

	for (long times = strtol(argv[3], NULL, 10); times > 0; times--) {
		failures += one(argv[1], argv[2], &seed, microseconds);
		pause_up_to(&seed, microseconds);
	}
	return failures > 0;
}
