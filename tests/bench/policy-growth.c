/* What policies cost a login: policy_resolve with 0, 100, 1,000 and 10,000 policies, none of which fits, so
 * that each is asked. Prints one line for each size, and fails if a size costs more than its bound.
 *
 * Run as root, since only root's files are trusted: policy-growth [ROUNDS]
 */
#include "policy/policy.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
	unsigned int policies;
	double bound_ms;
} sizes[] = {{0, 0}, {100, 0.5}, {1000, 5}, {10000, 50}};

static void write_conf(const char *path, unsigned int policies)
{
	FILE *file = fopen(path, "w");

	if (!file) {
		perror(path);
		exit(1);
	}
	fputs("[default]\nPropagation = rslave\n", file);
	for (unsigned int i = 0; i < policies; i++)
		fprintf(file,
			"\n[policy department-%u]\n"
			"Users = user%u, *-guest%u, !visitor%u\n"
			"Groups = department %u, staff-%u-*\n"
			"Services = sshd, login\n"
			"Hostname = %%l-%u-%%u\n"
			"PrivateTmp = yes\n",
			i, i, i, i, i, i, i);
	fclose(file);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median of the rounds, in milliseconds. */
static double measure(const char *path, unsigned int rounds)
{
	const struct login login = {.user = "daemon", .service = "sshd", .box_id = "abcdefghij"};
	double *times = calloc(rounds, sizeof(*times)), median;

	if (!times)
		exit(1);
	for (unsigned int i = 0; i < rounds; i++) {
		struct resolution resolution;
		struct timespec start, end;

		clock_gettime(CLOCK_MONOTONIC, &start);
		policy_resolve(path, &login, &resolution);
		clock_gettime(CLOCK_MONOTONIC, &end);
		if (resolution.verdict != VERDICT_BOX) {
			fprintf(stderr, "policy-growth: %s\n", resolution.problem);
			exit(1);
		}
		resolution_free(&resolution);
		times[i] = (double)(end.tv_sec - start.tv_sec) * 1e3 +
			   (double)(end.tv_nsec - start.tv_nsec) / 1e6;
	}
	qsort(times, rounds, sizeof(*times), compare);
	median = times[rounds / 2];
	free(times);
	return median;
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 51;
	char folder[] = "/tmp/policy-growth.XXXXXX", path[PATH_MAX];
	double base = 0;
	int bad = 0;

	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	snprintf(path, sizeof(path), "%s/nsbox.conf", folder);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		double median;

		write_conf(path, sizes[i].policies);
		median = measure(path, rounds ? rounds : 1);
		if (i == 0)
			base = median;
		printf("%6u policies: %8.3f ms, %8.3f ms more than none (bound %g ms)\n", sizes[i].policies,
			median, median - base, sizes[i].bound_ms);
		if (i > 0 && median - base > sizes[i].bound_ms)
			bad = 1;
	}
	unlink(path);
	rmdir(folder);
	return bad;
}
