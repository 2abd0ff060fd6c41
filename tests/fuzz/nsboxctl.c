/* Fuzzes nsboxctl's arguments: commands that only look, with any words, one a line. */
#include "users.h"

#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#define main nsboxctl_main
int nsboxctl_main(int argc, char **argv);
#include "../../pam_nsbox/nsboxctl/main.c"
#undef main

#define MAX_WORDS 10

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char said[1 << 16];

	(void)argc, (void)argv;
	/* As root it would make the register's folder on this machine. */
	if (geteuid() == 0 &&
		(unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("fuzz", "/run", "tmpfs", 0, NULL) < 0))
		abort();
	/* Reports of findings go to the descriptor. */
	stderr = fopen("/dev/null", "we");
	if (!freopen("/dev/null", "w", stdout) || !stderr)
		abort();
	setvbuf(stderr, said, _IOFBF, sizeof(said));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const harmless[] = {"check", "explain", "show", "list", "--help", "help"};
	char *words[MAX_WORDS + 2] = {NULL};
	int n_words = 0, status;

	if (size == 0)
		return 0;
	words[n_words++] = strdup("nsboxctl");
	words[n_words++] = strdup(harmless[data[0] % (sizeof(harmless) / sizeof(*harmless))]);
	data++, size--;
	while (size > 0 && n_words < MAX_WORDS)
		words[n_words++] = fuzz_line(&data, &size);
	optind = 0; /* getopt_long(3), glibc: begin anew */
	status = nsboxctl_main(n_words, words);
	FUZZ_ASSERT(status >= 0 && status <= 2);
	/* getopt_long(3) puts them in another order, and loses none. */
	for (int i = 0; i < n_words; i++)
		free(words[i]);
	return 0;
}
