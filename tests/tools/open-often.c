/* Opens and closes a session of root's over and over, and runs a command in each, while a user moves things about in a
 * folder, to catch the opening between looking and acting.
 *
 *	open-often SERVICE TIMES COMMAND UID FOLDER NAME [OTHER]
 *
 * The user exchanges NAME and OTHER as fast as can be, by one renameat2(2) each, so that both are there at any moment; or
 * makes and removes the folder NAME. This goes on while the session opens; it rests while COMMAND looks at what came of
 * it. COMMAND exits with 42 where the box is what it must never be. Says how many sessions were opened, how many refused,
 * how many ended otherwise, and in how many COMMAND said so.
 */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <security/pam_appl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct race {
	sem_t begin, moves, rests;
	atomic_bool goes_on;
} * race;

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		;
}

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

static int move(int folder, const char *name, const char *other)
{
	static bool is_there;

	if (other)
		return renameat2(folder, name, folder, other, RENAME_EXCHANGE);
	is_there = !is_there;
	return is_there ? mkdirat(folder, name, 0755) : unlinkat(folder, name, AT_REMOVEDIR);
}

static void be_user(uid_t uid, const char *path, const char *name, const char *other)
{
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool failed = false;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (folder < 0 || setgroups(0, NULL) < 0 || setuid(uid) < 0)
		_exit(1);
	for (;;) {
		wait_for(&race->begin);
		failed = move(folder, name, other) < 0;
		sem_post(&race->moves);
		/* Whoever has to share a processor with the opening gains nothing by holding it. */
		while (race->goes_on && !failed) {
			sched_yield();
			failed = move(folder, name, other) < 0;
		}
		sem_post(&race->rests);
		if (failed)
			_exit(1);
	}
}

static int open_in_race(pam_handle_t *pamh)
{
	int result;

	race->goes_on = true;
	sem_post(&race->begin);
	wait_for(&race->moves);
	result = pam_open_session(pamh, 0);
	race->goes_on = false;
	wait_for(&race->rests);
	return result;
}

int main(int argc, char **argv)
{
	const struct pam_conv conversation = {.conv = converse};
	long times = argc == 7 || argc == 8 ? atol(argv[2]) : 0, opened = 0, refused = 0, other = 0, bad = 0;
	pid_t user;

	race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (times < 1 || race == MAP_FAILED || sem_init(&race->begin, 1, 0) < 0 ||
		sem_init(&race->moves, 1, 0) < 0 || sem_init(&race->rests, 1, 0) < 0)
		return 2;
	user = fork();
	if (user == 0)
		be_user((uid_t)atoi(argv[4]), argv[5], argv[6], argv[7]);
	for (long i = 0; i < times; i++) {
		pam_handle_t *pamh;
		int result, status;

		/* Who is not there any more would be waited for in vain. */
		if (pam_start(argv[1], "root", &conversation, &pamh) != PAM_SUCCESS ||
			waitpid(user, NULL, WNOHANG) != 0)
			return 2;
		result = open_in_race(pamh);
		/* Root is let in where no box can be made, but not into half of one. */
		if (result == PAM_SUCCESS && !pam_getenv(pamh, "NSBOX")) {
			refused++;
			if (pam_close_session(pamh, 0) != PAM_SUCCESS)
				other++;
		} else if (result == PAM_SUCCESS) {
			opened++;
			status = run(argv[3]);
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
	kill(user, SIGKILL);
	waitpid(user, NULL, 0);
	printf("%ld %ld %ld %ld\n", opened, refused, other, bad);
	return 0;
}
