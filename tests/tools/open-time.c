/* What pam_open_session costs a caller: opens and closes a session again and again, and prints the medians of the
 * openings in microseconds: by the clock, and of the caller's processor time, which does not tell how busy the machine is.
 *
 *	open-time USER SERVICE ROUNDS
 */
#include <security/pam_appl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int converse(int n, const struct pam_message **messages, struct pam_response **responses, void *unused)
{
	(void)messages, (void)unused;
	*responses = calloc((size_t)n, sizeof(**responses));
	return *responses ? PAM_SUCCESS : PAM_BUF_ERR;
}

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* false if the session is refused. */
static bool open_once(const char *user, const char *service, double *elapsed, double *worked)
{
	const struct pam_conv conversation = {converse, NULL};
	pam_handle_t *pam;
	double start, start_work;
	int code = pam_start(service, user, &conversation, &pam);

	if (code != PAM_SUCCESS)
		return false;
	start = now(CLOCK_MONOTONIC);
	start_work = now(CLOCK_PROCESS_CPUTIME_ID);
	code = pam_open_session(pam, 0);
	*worked = now(CLOCK_PROCESS_CPUTIME_ID) - start_work;
	*elapsed = now(CLOCK_MONOTONIC) - start;
	if (code == PAM_SUCCESS)
		pam_close_session(pam, 0);
	pam_end(pam, code);
	return code == PAM_SUCCESS;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int rounds = argc == 4 ? atoi(argv[3]) : 0;
	double *times = rounds > 0 ? calloc((size_t)rounds * 2, sizeof(*times)) : NULL;

	if (!times) {
		fprintf(stderr, "usage: open-time USER SERVICE ROUNDS\n");
		return 2;
	}
	for (int i = 0; i < rounds; i++)
		if (!open_once(argv[1], argv[2], &times[i], &times[rounds + i])) {
			fprintf(stderr, "open-time: the session was refused\n");
			return 1;
		}
	qsort(times, (size_t)rounds, sizeof(*times), compare);
	qsort(times + rounds, (size_t)rounds, sizeof(*times), compare);
	printf("%.0f %.0f\n", times[rounds / 2], times[rounds + rounds / 2]);
	free(times);
	return 0;
}
