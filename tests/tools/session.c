/* A PAM application for tests: opens a session, runs a command as the user, closes the session, and says
 * whether the caller is afterwards what it was before.
 *
 *	session [OPTION]... -- COMMAND [ARGUMENT...]
 *
 *	--service NAME		the PAM service, "session" without this
 *	--user NAME		who logs in
 *	--tty NAME, --rhost NAME, --ruser NAME	the PAM items
 *	--silent		PAM_SILENT on open and close
 *	--account		run the account phase first
 *	--switch NAME		who PAM_USER is from then on
 *	--children N		N children do all that follows, one after the other, in the caller's place
 *	--open N, --close N	how often the session is opened and closed, 1 without this
 *	--root			the command keeps the caller's credentials
 *	--wait-all		wait as login of util-linux 2.42 does: until there is no child any more
 *	--exec			the command replaces the caller, without a fork
 *	--hold MIB		memory that the caller holds resident
 *	--threads N		threads that the caller has beside the main one
 *	--in-thread		a thread of the caller's opens and closes, while the main one waits for it
 *	--alarm MS		a signal every MS milliseconds while the session is opened, with a handler
 *	--descriptors N		descriptors that the caller holds open
 *	--bare			standard input, output and error are closed before the session is opened
 *	--block-signals		a signal mask and handlers that are not the default
 *	--state			compare the caller's state before the account phase and after close_session
 *	--end			compare it after pam_end instead
 *
 * What the session does is told on standard error, each line with "session: " in front:
 *	open_session: 0 Success		one for each call, likewise close_session
 *	conversation: TEXT		one for each message of a module
 *	stranger: PID			wait() returned a child that is not the command
 *	state: unchanged		or the lines that differ, with - before and + after
 * The exit status is the command's, 128+N where a signal N ended it, 120 where the session was refused, 121
 * where the state differs, 122 where a stranger was seen, 2 for a wrong call.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

enum { EXIT_REFUSED = 120, EXIT_STATE = 121, EXIT_STRANGER = 122 };

struct call {
	const char *service, *user, *switch_to, *tty, *rhost, *ruser;
	int flags, open, close, children, threads, descriptors, alarm;
	long hold;
	bool bare, in_thread, account, root, wait_all, exec, block_signals, state, end;
	char **command;
};

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("session: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

/* --- The caller's state, as text: one fact a line, so that two states compare as sets of lines. --- */

static void put_link(FILE *out, const char *name, const char *path)
{
	char target[4096];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length < 0)
		snprintf(target, sizeof(target), "(%s)", strerror(errno));
	else
		target[length] = '\0';
	fprintf(out, "%s %s\n", name, target);
}

static void put_file(FILE *out, const char *name, const char *path)
{
	char line[8192];
	FILE *file = fopen(path, "re");

	if (!file) {
		fprintf(out, "%s (%s)\n", name, strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		/* What changes by itself from one moment to the next says nothing about the caller. */
		if (strncmp(line, "Vm", 2) == 0 || strncmp(line, "Rss", 3) == 0 ||
			strstr(line, "ctxt_switches") || strncmp(line, "HugetlbPages", 12) == 0 ||
			strncmp(line, "FDSize", 6) == 0 || strncmp(line, "SigQ", 4) == 0 ||
			strncmp(line, "pos:", 4) == 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		fprintf(out, "%s %s\n", name, line);
	}
	fclose(file);
}

static void put_each(FILE *out, const char *path, void (*put)(FILE *out, const char *path, const char *entry))
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir) {
		fprintf(out, "%s (%s)\n", path, strerror(errno));
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			put(out, path, entry->d_name);
	closedir(dir);
}

static void put_namespace(FILE *out, const char *path, const char *entry)
{
	char file[512], name[64];

	snprintf(file, sizeof(file), "%s/%s", path, entry);
	snprintf(name, sizeof(name), "namespace %.40s", entry);
	put_link(out, name, file);
}

static void put_descriptor(FILE *out, const char *path, const char *entry)
{
	char file[512], name[96], target[64] = "", folder[64];
	int fd = atoi(entry);

	snprintf(file, sizeof(file), "%s/%s", path, entry);
	/* The descriptor that reads this very folder. */
	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)getpid());
	if (readlink(file, target, sizeof(target) - 1) > 0 && strcmp(target, folder) == 0)
		return;
	snprintf(name, sizeof(name), "descriptor %d flags %#x status %#x", fd, (unsigned)fcntl(fd, F_GETFD),
		(unsigned)fcntl(fd, F_GETFL));
	put_link(out, name, file);
}

static void put_thread(FILE *out, const char *path, const char *entry)
{
	static const char *const links[] = {
		"cwd", "root", "ns/mnt", "ns/uts", "ns/ipc", "ns/pid_for_children"};
	char file[512], name[320];

	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		snprintf(file, sizeof(file), "%s/%s/%s", path, entry, links[i]);
		snprintf(name, sizeof(name), "thread %s %s", entry, links[i]);
		put_link(out, name, file);
	}
	snprintf(file, sizeof(file), "%s/%s/children", path, entry);
	snprintf(name, sizeof(name), "thread %s children", entry);
	put_file(out, name, file);
}

static void put_place(FILE *out, const char *name, const char *path)
{
	char file[64];
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC | O_DIRECTORY);

	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(out, "%s (%s)\n", name, strerror(errno));
	} else {
		fprintf(out, "%s device %lu inode %lu\n", name, (unsigned long)st.st_dev,
			(unsigned long)st.st_ino);
		/* The same directory reached through another mount would be another state: mnt_id tells. */
		snprintf(file, sizeof(file), "/proc/self/fdinfo/%d", fd);
		put_file(out, name, file);
	}
	if (fd >= 0)
		close(fd);
}

static void put_signals(FILE *out)
{
	struct sigaction action;

	for (int number = 1; number < NSIG; number++)
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
			fprintf(out, "signal %d handler %p flags %#x\n", number, (void *)action.sa_handler,
				(unsigned)action.sa_flags);
}

static void put_wait(FILE *out)
{
	siginfo_t info = {0};

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		fprintf(out, "wait (%s)\n", strerror(errno));
	else
		fprintf(out, "wait child %d\n", (int)info.si_pid);
}

static char *state(void)
{
	struct utsname uts;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	put_each(out, "/proc/thread-self/ns", put_namespace);
	put_each(out, "/proc/self/fd", put_descriptor);
	put_each(out, "/proc/self/task", put_thread);
	put_place(out, "cwd", ".");
	put_place(out, "root", "/");
	put_file(out, "status", "/proc/thread-self/status");
	put_file(out, "limit", "/proc/self/limits");
	put_file(out, "mount", "/proc/self/mountinfo");
	put_file(out, "cgroup", "/proc/self/cgroup");
	put_file(out, "oom_score_adj", "/proc/self/oom_score_adj");
	put_file(out, "comm", "/proc/self/comm");
	put_signals(out);
	put_wait(out);
	for (char **variable = environ; *variable; variable++)
		fprintf(out, "environment %s\n", *variable);
	if (uname(&uts) == 0)
		fprintf(out, "hostname %s domain %s\n", uts.nodename, uts.domainname);
	fprintf(out, "session %d group %d\n", (int)getsid(0), (int)getpgrp());
	fprintf(out, "dumpable %d keepcaps %d securebits %d\n", prctl(PR_GET_DUMPABLE),
		prctl(PR_GET_KEEPCAPS), prctl(PR_GET_SECUREBITS));
	int subreaper = -1, death_signal = -1;
	prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
	prctl(PR_GET_PDEATHSIG, &death_signal);
	fprintf(out, "subreaper %d death signal %d\n", subreaper, death_signal);
	fclose(out);
	return text;
}

static bool has_line(const char *text, const char *line, size_t length)
{
	for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
		if (strcspn(at, "\n") == length && memcmp(at, line, length) == 0)
			return true;
	return false;
}

static int put_missing(const char *sign, const char *text, const char *other)
{
	int missing = 0;

	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		size_t length = strcspn(line, "\n");

		if (!has_line(other, line, length)) {
			tell("state: %s %.*s", sign, (int)length, line);
			missing++;
		}
	}
	return missing;
}

static bool state_unchanged(const char *before, const char *after)
{
	if (put_missing("-", before, after) + put_missing("+", after, before) > 0)
		return false;
	tell("state: unchanged");
	return true;
}

/* --- What makes a caller unlike the simplest one. --- */

static void *sleep_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void handle(int number)
{
	(void)number;
}

static int dress_up(const struct call *call)
{
	pthread_t thread;

	if (call->hold > 0) {
		size_t size = (size_t)call->hold << 20;
		char *memory = malloc(size);

		if (!memory)
			return -1;
		memset(memory, 1, size);
		/* Kept to the end on purpose: the compiler must not see through it. */
		__asm__ volatile("" : : "r"(memory) : "memory");
		/* cppcheck-suppress memleak ; a caller that is large to its end */
	}
	for (int i = 0; i < call->descriptors; i++)
		if (open("/dev/null", i % 2 ? O_RDWR : O_RDONLY | O_CLOEXEC) < 0)
			return -1;
	for (int i = 0; i < call->threads; i++)
		if ((errno = pthread_create(&thread, NULL, sleep_for_ever, NULL)) != 0)
			return -1;
	if (call->alarm > 0) {
		/* No SA_RESTART: what is interrupted fails. */
		const struct sigaction action = {.sa_handler = handle};

		sigaction(SIGALRM, &action, NULL);
	}
	if (call->block_signals) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		signal(SIGCHLD, handle);
		signal(SIGPIPE, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
	}
	return 0;
}

/* --- PAM --- */

static int converse(int n, const struct pam_message **messages, struct pam_response **responses, void *unused)
{
	(void)unused;
	*responses = calloc((size_t)n, sizeof(**responses));
	if (!*responses)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++)
		tell("conversation: %s", messages[i]->msg);
	return PAM_SUCCESS;
}

static void run(pam_handle_t *pam, const struct call *call)
{
	const struct passwd *user = getpwnam(call->user);
	char **environment = pam_getenvlist(pam);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (user && !call->root) {
		if (initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
			setuid(user->pw_uid) < 0) {
			tell("cannot become %s: %s", call->user, strerror(errno));
			_exit(EXIT_REFUSED);
		}
		setenv("HOME", user->pw_dir, 1);
		setenv("USER", user->pw_name, 1);
		setenv("LOGNAME", user->pw_name, 1);
	}
	for (; environment && *environment; environment++)
		putenv(*environment);
	execvp(call->command[0], call->command);
	tell("%s: %s", call->command[0], strerror(errno));
	_exit(127);
}

/* Before 2.42 login took whatever wait() gave it first for its shell; since then it waits for all. A holder
 * that were the caller's child would be taken for the shell by the one, and keep the other waiting for ever.
 */
static int wait_for(pid_t command, bool all)
{
	int status = 0, result = 0, strangers = 0;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			break;
		if (pid == command) {
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			if (!all)
				break;
		} else {
			tell("stranger: %d", (int)pid);
			strangers++;
		}
	}
	return strangers > 0 ? EXIT_STRANGER : result;
}

static void set_alarm(int milliseconds)
{
	const struct timeval interval = {
		.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
	const struct itimerval timer = {.it_interval = interval, .it_value = interval};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Whether this process is the parent, whose children have ended. */
static bool fork_children(const struct call *call)
{
	for (int i = 0; i < call->children; i++) {
		pid_t pid = fork();

		if (pid == 0)
			return false;
		if (pid < 0 || waitpid(pid, NULL, 0) < 0)
			tell("fork: %s", strerror(errno));
	}
	return call->children > 0;
}

/* Ends the PAM handle too. */
static int session(pam_handle_t *pam, const struct call *call)
{
	int result = 0, opened = 0, code;
	char *before = NULL;
	pid_t pid;

	if (call->state)
		before = state();
	if (call->account) {
		code = pam_acct_mgmt(pam, call->flags);
		tell("acct_mgmt: %d %s", code, pam_strerror(pam, code));
	}
	if (call->bare)
		for (int fd = 0; fd <= STDERR_FILENO; fd++)
			close(fd);
	if (call->switch_to)
		pam_set_item(pam, PAM_USER, call->switch_to);
	if (fork_children(call)) {
		pam_end(pam, PAM_SUCCESS);
		return 0;
	}
	set_alarm(call->alarm);
	for (int i = 0; i < call->open; i++) {
		code = pam_open_session(pam, call->flags);
		tell("open_session: %d %s", code, pam_strerror(pam, code));
		if (code == PAM_SUCCESS)
			opened++;
		else
			result = EXIT_REFUSED;
	}
	set_alarm(0);
	if (call->command[0] && (opened > 0 || call->open == 0)) {
		if (call->exec)
			run(pam, call);
		pid = fork();
		if (pid == 0)
			run(pam, call);
		if (pid < 0)
			tell("fork: %s", strerror(errno));
		result = pid < 0 ? EXIT_REFUSED : wait_for(pid, call->wait_all);
	}
	for (int i = 0; i < call->close && (opened > 0 || call->open == 0); i++) {
		code = pam_close_session(pam, call->flags);
		tell("close_session: %d %s", code, pam_strerror(pam, code));
	}
	if (call->end)
		pam_end(pam, PAM_SUCCESS);
	if (call->state) {
		char *after = state();

		if (!state_unchanged(before, after))
			result = EXIT_STATE;
		free(before);
		free(after);
	}
	if (!call->end)
		pam_end(pam, PAM_SUCCESS);
	return result;
}

struct in_thread {
	pam_handle_t *pam;
	const struct call *call;
	int result;
};

static void *run_in_thread(void *data)
{
	struct in_thread *in_thread = data;

	in_thread->result = session(in_thread->pam, in_thread->call);
	return NULL;
}

static int session_in_thread(pam_handle_t *pam, const struct call *call)
{
	struct in_thread in_thread = {.pam = pam, .call = call, .result = 2};
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_in_thread, &in_thread) == 0)
		pthread_join(thread, NULL);
	return in_thread.result;
}

static const struct option options[] = {
	{"service", required_argument, NULL, 's'},
	{"user", required_argument, NULL, 'u'},
	{"tty", required_argument, NULL, 't'},
	{"rhost", required_argument, NULL, 'h'},
	{"ruser", required_argument, NULL, 'U'},
	{"silent", no_argument, NULL, 'S'},
	{"account", no_argument, NULL, 'a'},
	{"switch", required_argument, NULL, 'i'},
	{"children", required_argument, NULL, 'C'},
	{"open", required_argument, NULL, 'o'},
	{"close", required_argument, NULL, 'c'},
	{"root", no_argument, NULL, 'r'},
	{"wait-all", no_argument, NULL, 'w'},
	{"exec", no_argument, NULL, 'x'},
	{"hold", required_argument, NULL, 'm'},
	{"threads", required_argument, NULL, 'T'},
	{"in-thread", no_argument, NULL, 'I'},
	{"bare", no_argument, NULL, 'B'},
	{"alarm", required_argument, NULL, 'A'},
	{"descriptors", required_argument, NULL, 'd'},
	{"block-signals", no_argument, NULL, 'b'},
	{"state", no_argument, NULL, 'D'},
	{"end", no_argument, NULL, 'E'},
	{NULL, 0, NULL, 0},
};

static int parse(int argc, char **argv, struct call *call)
{
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 's': call->service = optarg; break;
		case 'u': call->user = optarg; break;
		case 't': call->tty = optarg; break;
		case 'h': call->rhost = optarg; break;
		case 'U': call->ruser = optarg; break;
		case 'S': call->flags = (int)PAM_SILENT; break;
		case 'a': call->account = true; break;
		case 'i': call->switch_to = optarg; break;
		case 'C': call->children = atoi(optarg); break;
		case 'o': call->open = atoi(optarg); break;
		case 'c': call->close = atoi(optarg); break;
		case 'r': call->root = true; break;
		case 'w': call->wait_all = true; break;
		case 'x': call->exec = true; break;
		case 'm': call->hold = atol(optarg); break;
		case 'T': call->threads = atoi(optarg); break;
		case 'I': call->in_thread = true; break;
		case 'B': call->bare = true; break;
		case 'A': call->alarm = atoi(optarg); break;
		case 'd': call->descriptors = atoi(optarg); break;
		case 'b': call->block_signals = true; break;
		case 'D': call->state = true; break;
		case 'E': call->end = true; break;
		default: return -1;
		}
	}
	call->command = argv + optind;
	return call->user ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct call call = {.service = "session", .open = 1, .close = 1};
	const struct pam_conv conversation = {converse, NULL};
	pam_handle_t *pam;
	int code;

	if (parse(argc, argv, &call) < 0) {
		fprintf(stderr, "usage: session --user NAME [OPTION]... [-- COMMAND [ARGUMENT...]]\n");
		return 2;
	}
	if (dress_up(&call) < 0) {
		tell("%s", strerror(errno));
		return 2;
	}
	/* The connection of syslog(3) stays open once a module has logged; it is the caller's own affair. */
	openlog("session", LOG_PID | LOG_NDELAY, LOG_AUTHPRIV);
	code = pam_start(call.service, call.user, &conversation, &pam);
	if (code != PAM_SUCCESS) {
		tell("start: %d %s", code, pam_strerror(pam, code));
		return EXIT_REFUSED;
	}
	if (call.tty)
		pam_set_item(pam, PAM_TTY, call.tty);
	if (call.rhost)
		pam_set_item(pam, PAM_RHOST, call.rhost);
	if (call.ruser)
		pam_set_item(pam, PAM_RUSER, call.ruser);
	return call.in_thread ? session_in_thread(pam, &call) : session(pam, &call);
}
