/* Lets every step of a login go wrong, one at a time, and looks at what is left.
 *
 *	faults [OPTION]... MODE
 *
 * A caller of PAM is forked for each case, and runs under a seccomp filter that hands each of its system calls, and each
 * of the processes that it makes, to this program first (seccomp_unotify(2)). One run without faults records the calls of
 * pam_open_session and pam_close_session: in the caller, the intermediate process, and the holder until it has ended as
 * nsbox-init. Then each is run again, with one thing different:
 *
 *	errors		the call fails, once for each error that its manual page names
 *	kill		the process is killed in place of the call
 *	stop		the process is stopped there, for ever
 *	memory		malloc(3) fails, at each allocation in turn
 *	descriptors	RLIMIT_NOFILE has each small value
 *	limits		every other resource limit is small, as a setuid caller's may be
 *	record		nothing; prints the calls
 *
 *	--allow		the policy has OnError=allow
 *	--user NAME	alice without this
 *	--role ROLE	only calls of caller, intermediate or holder
 *	--confined	the policy has NoNewPrivileges or CapabilityBoundingSet, which cannot be taken back
 *	--account	the account phase comes first, and is a part of the opening
 *	--every N	only every Nth call, for a short test
 *	--one-error	only one error a call
 *	--only INDEX	only this call
 *
 * After each case: the login was refused, or let in by OnError, or is in a box that lacks nothing (as seen from inside, it
 * equals the recorded one); the caller is what it was; nothing is left on the machine; the log names the step. The last
 * line is "N tried, N clean".
 */
#include "errnos.h"

#include <dirent.h>
#include <getopt.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>

/* What poll(3) calls on an architecture without poll(2). */
#ifndef SYS_poll
#define SYS_poll SYS_ppoll
#endif

#define TEXT_SIZE 65536
#define MAX_CALLS 2000

/* A hang ends after this, and is a failure: a login must be refused within 10 seconds. */
#define TOO_LONG_MS 10000
#define MOMENT_MS   4000

enum role { CALLER, INTERMEDIATE, HOLDER, OTHER };
enum phase { BETWEEN, OPENING, CLOSING };
enum action { DO_NOTHING, DO_FAIL, DO_KILL, DO_STOP };

static const char *const role_names[] = {"caller", "intermediate", "holder", "other"};

struct text {
	size_t used;
	char text[TEXT_SIZE];
};

/* What the caller and this program share. */
struct shared {
	volatile int phase, listener, done, go;
	volatile int open_result, close_result, is_boxed, has_children_open, has_children_closed, allocations;
	volatile int64_t open_ms;
	struct text before, opened, closed, inside;
};

/* One case: what is to happen, and where. */
struct fault {
	enum action action;
	enum role role;
	int index;
	int error;
	int allocation; /* that fails; 0: none */
	int resource;	/* that is limited; -1: none */
	unsigned long limit;
};

static struct {
	const char *user, *mode;
	bool allow, one_error, verbose, confined, account;
	int role, every, only;
} options = {.user = "alice", .role = -1, .every = 1, .only = -1};

static struct shared *shared;
static pam_handle_t *pam;
static int log_socket;
static long recorded[OTHER][MAX_CALLS];
static int n_recorded[OTHER];
static int recorded_allocations;
static struct text inside_recorded;
static struct text log_text;

/* --- text --- */

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->text + text->used, sizeof(text->text) - text->used, format, arguments);
	va_end(arguments);
	if (length > 0 && (size_t)length < sizeof(text->text) - text->used)
		text->used += (size_t)length;
}

static void clear(struct text *text)
{
	text->used = 0;
	text->text[0] = '\0';
}

static void put_file(struct text *text, const char *path, const char *const *prefixes)
{
	char line[8192];
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		for (const char *const *prefix = prefixes; *prefix; prefix++)
			if (strncmp(line, *prefix, strlen(*prefix)) == 0)
				put(text, "%s", line);
	if (file)
		fclose(file);
}

static void put_link(struct text *text, const char *path)
{
	char target[4096];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	target[length < 0 ? 0 : length] = '\0';
	put(text, "%s -> %s\n", path, length < 0 ? strerror(errno) : target);
}

static void put_stat(struct text *text, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		put(text, "%s is %lx:%lu\n", path, (unsigned long)st.st_dev, (unsigned long)st.st_ino);
	else
		put(text, "%s: %s\n", path, strerror(errno));
}

static bool has_line(const char *text, const char *line, size_t length)
{
	for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
		if (strcspn(at, "\n") == length && memcmp(at, line, length) == 0)
			return true;
		if (at[strcspn(at, "\n")] == '\0')
			break;
	}
	return false;
}

static bool is_confinement(const char *sign, const char *line)
{
	return options.confined && strncmp(sign, "inside", 6) != 0 &&
	       (strncmp(line, "CapBnd", 6) == 0 || strncmp(line, "NoNewPrivs", 10) == 0);
}

/* Lines of text that other has not; may_add: but for that many of descriptors. */
static int put_missing(struct text *out, const char *sign, const char *text, const char *other, int may_add)
{
	int missing = 0;

	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		size_t length = strcspn(line, "\n");

		if (has_line(other, line, length) || is_confinement(sign, line))
			continue;
		if (may_add > 0 && strncmp(line, "descriptor ", 11) == 0) {
			may_add--;
			continue;
		}
		put(out, " %s%.*s;", sign, (int)(length < 150 ? length : 150), line);
		missing++;
	}
	return missing;
}

/* --- the caller's state --- */

static const char *const kinds[] = {"mnt", "uts", "ipc", "pid", "pid_for_children", "net", "cgroup", "user"};

static int count_of(const char *folder)
{
	DIR *dir = opendir(folder);
	int count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

static void put_descriptors(struct text *text)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[300];

		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(dir))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%.200s", entry->d_name);
		put(text, "%s flags %x ", "descriptor", (unsigned int)fcntl(atoi(entry->d_name), F_GETFD));
		put_link(text, path);
	}
	if (dir)
		closedir(dir);
}

static void put_state(struct text *text)
{
	static const char *const status[] = {"Uid", "Gid", "Groups", "Threads", "SigBlk", "SigIgn", "SigCgt",
		"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Umask",
		"Cpus_allowed:", NULL};
	static const char *const all[] = {"", NULL};
	extern char **environ;
	char **list, path[100];
	struct utsname uts;

	closelog(); /* the connection is the C library's */
	clear(text);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", kinds[i]);
		put_link(text, path);
	}
	put_link(text, "/proc/self/cwd");
	put_link(text, "/proc/self/root");
	put_stat(text, "/");
	put_stat(text, ".");
	put_file(text, "/proc/self/status", status);
	put_file(text, "/proc/self/limits", all);
	put_descriptors(text);
	for (char **variable = environ; *variable; variable++)
		put(text, "environment %s\n", *variable);
	list = pam ? pam_getenvlist(pam) : NULL;
	for (char **variable = list; list && *variable; variable++)
		put(text, "PAM environment %s\n", *variable);
	uname(&uts);
	put(text, "name %s, session %d, group %d, dumpable %d, keepcaps %d, securebits %d\n", uts.nodename,
		(int)getsid(0), (int)getpgrp(), prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS),
		prctl(PR_GET_SECUREBITS));
}

/* --- the box as seen from inside, by a child of the caller's --- */

static void put_mounts(struct text *text)
{
	char line[8192];
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && fgets(line, sizeof(line), file)) {
		char *rest = line, *field;

		if (strstr(line, " /var/cache/") || strstr(line, " /var/tmp/"))
			continue;
		for (int i = 0; (field = strsep(&rest, " ")); i++) {
			/* Numbers differ each time: of the mount, its parent, its device, its peer groups. */
			if (i < 3)
				continue;
			if (strncmp(field, "master:", 7) == 0 || strncmp(field, "shared:", 7) == 0)
				field[6] = '\0';
			put(text, "%s%s", i == 3 ? "mount " : " ", field);
		}
	}
	if (file)
		fclose(file);
}

static void put_inside(struct text *text)
{
	static const char *const status[] = {"Uid", "Gid", "Groups", "SigBlk", "SigIgn", "CapInh", "CapPrm",
		"CapEff", "CapBnd", "CapAmb", "NoNewPrivs", NULL};
	static const char *const files[] = {"/etc/hosts", "/dev/shm", "/tmp", "/var/tmp", NULL};
	struct utsname uts;
	struct stat st;

	clear(text);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		char path[100], link[200], line[400];
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		length = readlink(path, link, sizeof(link) - 1);
		link[length < 0 ? 0 : length] = '\0';
		snprintf(line, sizeof(line), "/proc/thread-self/ns/%s -> %s", kinds[i], link);
		put(text, "namespace %s %s\n", kinds[i],
			has_line(shared->before.text, line, strlen(line)) ? "the host's" : "its own");
	}
	put_mounts(text);
	put_file(text, "/proc/self/status", status);
	put_link(text, "/proc/self/cwd");
	put_link(text, "/proc/self/root");
	put_link(text, "/proc/1/exe");
	for (const char *const *file = files; *file; file++)
		if (stat(*file, &st) == 0)
			put(text, "%s mode %o size %ld owner %u\n", *file, st.st_mode,
				S_ISREG(st.st_mode) ? (long)st.st_size : 0L, st.st_uid);
	uname(&uts);
	put(text, "name %s, %d processes\n", uts.nodename, count_of("/proc/self/task"));
}

/* nsbox-init lets the host's procfs go, which nobody can reach, when it has answered: wait for that. */
static void look_inside(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		for (int i = 0; i < 2000; i++) {
			put_inside(&shared->inside);
			if (!strstr(shared->inside.text, " /proc/old-"))
				break;
			usleep(1000);
		}
		_exit(0);
	}
	if (pid < 0)
		put(&shared->inside, "fork: %s\n", strerror(errno));
	else
		waitpid(pid, &status, 0);
}

/* --- the caller --- */

static int failing_allocation;

/* AddressSanitizer has an allocator of its own, and ends the process that it gets no memory for. */
#ifdef __SANITIZE_ADDRESS__
#define WITH_ADDRESS_SANITIZER true
#else
#define WITH_ADDRESS_SANITIZER false

/* Interposed: every allocation in the process asks here. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static bool allocation_fails(void)
{
	if (!shared || shared->phase == BETWEEN)
		return false;
	shared->allocations++;
	if (shared->allocations != failing_allocation)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return allocation_fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	return allocation_fails() ? NULL : __libc_realloc(memory, size);
}
#endif

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void install_filter(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)};
	const struct sock_fprog program = {.len = 1, .filter = code};

	shared->listener = (int)syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	/* From here on every call waits until the parent has fetched the listener. */
	if (shared->listener < 0)
		_exit(1);
	close(shared->listener);
}

static bool has_children(void)
{
	return !(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
}

static void set_limit(const struct fault *fault)
{
	const struct rlimit limit = {.rlim_cur = fault->limit, .rlim_max = fault->limit};

	if (fault->resource >= 0)
		setrlimit((__rlimit_resource_t)fault->resource, &limit);
}

static void end_pam(int status)
{
	if (pam)
		pam_end(pam, status);
	pam = NULL;
}

static _Noreturn void run_caller(const struct fault *fault)
{
	int64_t start;

	signal(SIGXFSZ, SIG_IGN); /* what a limit of file sizes would send */
	put_state(&shared->before);
	failing_allocation = fault->allocation;
	if (fault->resource < 0)
		install_filter();
	/* After the filter, before the call: what the limit does to this program's own looking does not matter. */
	set_limit(fault);
	if (fault->resource >= 0)
		put_state(&shared->before);

	start = now_ms();
	shared->phase = OPENING;
	shared->open_result = options.account ? pam_acct_mgmt(pam, 0) : PAM_SUCCESS;
	if (shared->open_result == PAM_SUCCESS)
		shared->open_result = pam_open_session(pam, 0);
	shared->phase = BETWEEN;
	shared->open_ms = now_ms() - start;
	shared->has_children_open = has_children();
	shared->is_boxed = pam_getenv(pam, "NSBOX") != NULL;
	if (shared->is_boxed) {
		look_inside();
	} else {
		/* What the account phase has left for a session that was never reached goes with PAM. */
		if (options.account)
			end_pam(shared->open_result);
		put_state(&shared->opened);
	}
	if (shared->open_result == PAM_SUCCESS || shared->is_boxed) {
		shared->phase = CLOSING;
		/* Where another part of the stack failed, an application does not close but ends. */
		if (shared->open_result == PAM_SUCCESS)
			shared->close_result = pam_close_session(pam, 0);
		else
			end_pam(shared->open_result);
		/* What ends the session where PAM itself cannot call the module. */
		if (shared->close_result != PAM_SUCCESS)
			end_pam(shared->close_result);
		shared->phase = BETWEEN;
		shared->has_children_closed = has_children();
		put_state(&shared->closed);
	}
	shared->done = 1;
	while (!shared->go)
		syscall(SYS_futex, &shared->go, FUTEX_WAIT, 0, NULL, NULL, 0);
	end_pam(PAM_SUCCESS);
	_exit(0);
}

/* --- the machine --- */

struct machine {
	struct text processes, mounts, files, locks;
};

static void put_folder(struct text *text, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			put(text, "file %s/%s\n", path, entry->d_name);
	if (dir)
		closedir(dir);
}

/* Every process but this one and caller; how many descriptors it has, so that a leaked lease is seen. */
static void put_processes(struct text *text, pid_t caller)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);
		char path[300], comm[64] = "";
		FILE *file;

		if (pid <= 0 || pid == caller || pid == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		file = fopen(path, "re");
		if (!file || !fgets(comm, sizeof(comm), file))
			comm[0] = '\0';
		if (file)
			fclose(file);
		comm[strcspn(comm, "\n")] = '\0';
		snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
		put(text, "process %d %s with %d descriptors\n", (int)pid, comm, count_of(path));
	}
	if (dir)
		closedir(dir);
}

static void put_locks(struct text *text)
{
	char line[256], place[64];
	FILE *file = fopen("/proc/locks", "re");
	struct stat st;

	if (stat("/run/nsbox", &st) == 0) {
		snprintf(place, sizeof(place), ":%lu ", (unsigned long)st.st_ino);
		while (file && fgets(line, sizeof(line), file))
			if (strstr(line, place) && !strstr(line, " -1 ") && strchr(line, ':'))
				put(text, "lock%s", strchr(line, ' '));
	}
	if (file)
		fclose(file);
}

/* All but those in folders of which the machine that the tests run on may take some away meanwhile. */
static void put_machine_mounts(struct text *text)
{
	char line[8192];
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && fgets(line, sizeof(line), file))
		if (!strstr(line, " /var/cache/") && !strstr(line, " /var/tmp/") && !strstr(line, " /mnt/"))
			put(text, "mount %s", line);
	if (file)
		fclose(file);
}

static void look_at_machine(struct machine *machine, pid_t caller)
{
	static const char *const folders[] = {
		"/run", "/run/nsbox", "/tmp", "/dev/shm", "/dev/mqueue", "/var/lib/nsbox/tmp", NULL};

	clear(&machine->processes);
	clear(&machine->mounts);
	clear(&machine->files);
	clear(&machine->locks);
	put_processes(&machine->processes, caller);
	put_machine_mounts(&machine->mounts);
	for (const char *const *folder = folders; *folder; folder++)
		put_folder(&machine->files, *folder);
	put_locks(&machine->locks);
}

static struct machine baseline, now;

static bool compare_machine(pid_t caller, struct text *why)
{
	int differences = 0;

	clear(why);
	look_at_machine(&now, caller);
	differences += put_missing(why, "+", now.processes.text, baseline.processes.text, 0);
	differences += put_missing(why, "-", baseline.processes.text, now.processes.text, 0);
	differences += put_missing(why, "+", now.mounts.text, baseline.mounts.text, 0);
	differences += put_missing(why, "-", baseline.mounts.text, now.mounts.text, 0);
	differences += put_missing(why, "+", now.files.text, baseline.files.text, 0);
	differences += put_missing(why, "+", now.locks.text, baseline.locks.text, 0);
	return differences == 0;
}

/* --- watching the calls --- */

struct watch {
	const struct fault *fault;
	int listener;
	pid_t caller, pids[OTHER], strangers[8];
	pid_t stopped;
	int n_strangers, counts[OTHER];
	bool happened, moved, record;
};

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512], *end;
	int fd;
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[size < 0 ? 0 : size] = '\0';
	end = strrchr(text, ')');
	return end && strlen(end) > 4 ? atoi(end + 4) : -1;
}

static enum role role_of(struct watch *watch, pid_t pid)
{
	pid_t parent;

	for (int role = CALLER; role < OTHER; role++)
		if (watch->pids[role] == pid)
			return (enum role)role;
	for (int i = 0; i < watch->n_strangers; i++)
		if (watch->strangers[i] == pid)
			return OTHER;
	parent = parent_of(pid);
	if (parent == watch->caller && shared->phase == OPENING && !watch->pids[INTERMEDIATE]) {
		watch->pids[INTERMEDIATE] = pid;
		return INTERMEDIATE;
	}
	if (parent != watch->caller && watch->pids[INTERMEDIATE] && !watch->pids[HOLDER]) {
		watch->pids[HOLDER] = pid;
		return HOLDER;
	}
	if (watch->n_strangers < 8)
		watch->strangers[watch->n_strangers++] = pid;
	return OTHER;
}

static bool is_target(struct watch *watch, enum role role, long number)
{
	int index;

	if (role == OTHER || (role == CALLER && shared->phase == BETWEEN))
		return false;
	index = watch->counts[role]++;
	if (watch->record && index < MAX_CALLS) {
		recorded[role][index] = number;
		n_recorded[role] = index + 1;
	}
	if (watch->fault->action == DO_NOTHING || role != watch->fault->role || index != watch->fault->index)
		return false;
	watch->moved = number != recorded[role][index];
	watch->happened = !watch->moved;
	return watch->happened;
}

/* Handles what comes within timeout_ms; false if nothing did. */
static bool serve(struct watch *watch, int timeout_ms)
{
	struct pollfd readable = {.fd = watch->listener, .events = POLLIN};
	struct seccomp_notif request;
	struct seccomp_notif_resp response;
	enum action action = DO_NOTHING;

	if (poll(&readable, 1, timeout_ms) <= 0 || !(readable.revents & POLLIN))
		return false;
	memset(&request, 0, sizeof(request));
	if (ioctl(watch->listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return true;
	if (is_target(watch, role_of(watch, (pid_t)request.pid), request.data.nr))
		action = watch->fault->action;
	if (action == DO_KILL) {
		kill((pid_t)request.pid, SIGKILL);
		return true;
	}
	if (action == DO_STOP && shared->phase == OPENING) {
		watch->stopped = (pid_t)request.pid;
		kill(watch->stopped, SIGSTOP);
	}
	memset(&response, 0, sizeof(response));
	response.id = request.id;
	if (action != DO_FAIL)
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	/* brk(2) says no by a break below the one that was asked for, and has no errors. */
	else if (request.data.nr != SYS_brk)
		response.error = -watch->fault->error;
	ioctl(watch->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	return true;
}

static void fetch_listener(struct watch *watch)
{
	int pidfd = sys_pidfd_open(watch->caller);
	int64_t end = now_ms() + 2000;

	while (shared->listener == 0 && now_ms() < end)
		usleep(20);
	watch->listener = (int)syscall(SYS_pidfd_getfd, pidfd, shared->listener, 0);
	if (watch->listener < 0) {
		perror("faults: pidfd_getfd");
		exit(2);
	}
#ifdef SECCOMP_IOCTL_NOTIF_SET_FLAGS
	ioctl(watch->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
#endif
	close(pidfd);
}

static void read_log(void)
{
	char line[4096];
	ssize_t size;

	while ((size = recv(log_socket, line, sizeof(line) - 1, MSG_DONTWAIT)) > 0) {
		line[size] = '\0';
		put(&log_text, "%s\n", line);
	}
}

/* Whether the machine is as it was, within a moment. */
static bool machine_is_clean(struct watch *watch, pid_t caller, struct text *why)
{
	int64_t end = now_ms() + MOMENT_MS;

	for (;;) {
		while (watch->listener >= 0 && serve(watch, 0))
			;
		if (compare_machine(caller, why))
			return true;
		if (now_ms() > end)
			return false;
		if (watch->listener >= 0)
			serve(watch, 1);
		else
			usleep(1000);
	}
}

/* --- one case --- */

/* Faults after which a lease ends with its holder's life, and not before: nsbox-init does not hear of the closing, or the
 * caller does not hear of the lease. A wait that a signal interrupts is none of them.
 */
static bool is_lease_kept(const struct fault *fault)
{
	long number = fault->action == DO_FAIL ? recorded[fault->role][fault->index] : -1;

	return fault->resource == RLIMIT_SIGPENDING ||
	       (fault->role == CALLER && (number == SYS_pidfd_send_signal || number == SYS_recvmsg ||
						 (number == SYS_poll && fault->error != EINTR))) ||
	       (fault->role == HOLDER && (number == SYS_epoll_ctl || number == SYS_read));
}

/* Errors that do not mean that a call failed, but that what it asks for is not there, and that the box has no need of it:
 * a configuration, /etc/hosts, /sys, a folder that no rule of the administrator's names, an old mount.
 */
static bool is_answer(const struct fault *fault)
{
	long number = fault->action == DO_FAIL ? recorded[fault->role][fault->index] : -1;

	if (fault->error == ENOENT && ((fault->role == CALLER && number == SYS_newfstatat) ||
					      (fault->role == HOLDER && number == SYS_openat)))
		return true;
	if (fault->error != ENOENT && fault->error != ENOTDIR && fault->error != EINVAL)
		return false;
	return number == (fault->role == CALLER ? SYS_openat : SYS_openat2) ||
	       (fault->role == HOLDER && number == SYS_umount2);
}

/* The descriptor of a close(2) that was kept from happening is there by construction, as is the child of a wait(2). */
/* What is wrong after the caller did all that it had to do, or nothing. */
static void judge(const struct watch *watch, struct text *why)
{
	const struct fault *fault = watch->fault;
	long number = fault->action == DO_FAIL ? recorded[fault->role][fault->index] : -1;
	bool is_close = number == SYS_close && fault->role == CALLER;
	/* The box may have ended under the caller: nsbox-init was killed, or could not let the host's procfs go. */
	bool is_lost = fault->role == HOLDER && (fault->action == DO_KILL || number == SYS_umount2);
	/* PAM itself refuses an account of which it cannot tell the audit. */
	bool is_audit = options.account && strstr(log_text.text, "PAM audit_");
	bool said = strstr(log_text.text, "step=") || strstr(log_text.text, "no policy") || is_audit;
	bool left_inside = shared->close_result != PAM_SUCCESS && strstr(log_text.text, "closing failed");
	bool is_wait = number == SYS_wait4 && fault->role == CALLER;

	if (shared->open_ms > TOO_LONG_MS)
		put(why, " it took %ld ms;", (long)shared->open_ms);
	if ((shared->has_children_open || shared->has_children_closed) && !is_wait)
		put(why, " the caller has a child;");
	if (!shared->is_boxed) {
		bool is_let_in = shared->open_result == PAM_SUCCESS;

		if (put_missing(why, "opened-", shared->before.text, shared->opened.text, 0) +
				put_missing(
					why, "opened+", shared->opened.text, shared->before.text, is_close) >
			0)
			put(why, " after a refusal;");
		if (is_let_in &&
			!(options.allow && strstr(log_text.text, "let in without a box (OnError=allow)")))
			put(why, " it was let in without a box;");
		/* Without memory or a descriptor syslog(3) cannot say it. */
		if (fault->action != DO_NOTHING && !is_let_in && !is_audit &&
			!strstr(log_text.text, "refused (OnError=deny)"))
			put(why, " refused, but the log does not say so;");
		if (fault->action != DO_NOTHING && !said)
			put(why, " the log names no step: %s;", log_text.text);
	} else if (!is_lost && !is_answer(fault)) {
		if (put_missing(why, "inside-", inside_recorded.text, shared->inside.text, 0) +
				put_missing(why, "inside+", shared->inside.text, inside_recorded.text, 0) >
			0)
			put(why, " the box is not whole;");
	}
	if ((shared->open_result == PAM_SUCCESS || shared->is_boxed) && !left_inside &&
		put_missing(why, "closed-", shared->before.text, shared->closed.text,
			0) + put_missing(why, "closed+", shared->closed.text, shared->before.text, is_close) >
			0)
		put(why, " after closing;");
}

static bool wait_for_caller(struct watch *watch)
{
	int64_t end = now_ms() + 3 * TOO_LONG_MS;
	int status;

	while (!shared->done) {
		if (watch->listener >= 0)
			serve(watch, 20);
		else
			usleep(500);
		if (waitpid(watch->caller, &status, WNOHANG) == watch->caller)
			return false;
		if (now_ms() > end)
			return true; /* judged as too long */
	}
	return true;
}

/* Whoever does not end in time is killed: the next case shall not meet him. */
static bool wait_for_end(struct watch *watch)
{
	int64_t end = now_ms() + TOO_LONG_MS;
	int status;

	while (waitpid(watch->caller, &status, WNOHANG) == 0) {
		if (watch->listener >= 0)
			serve(watch, 1);
		else
			usleep(200);
		if (now_ms() > end) {
			kill(watch->caller, SIGKILL);
			waitpid(watch->caller, &status, 0);
			return false;
		}
	}
	return true;
}

static bool run_case(const struct fault *fault, bool record, bool *moved, struct text *why)
{
	static struct text left;
	struct watch watch = {.fault = fault, .listener = -1, .record = record};
	bool is_alive;

	clear(why);
	clear(&log_text);
	memset((void *)shared, 0, offsetof(struct shared, before));
	clear(&shared->before);
	clear(&shared->opened);
	clear(&shared->closed);
	clear(&shared->inside);
	watch.caller = watch.pids[CALLER] = fork();
	if (watch.caller == 0)
		run_caller(fault);
	if (fault->resource < 0)
		fetch_listener(&watch);
	is_alive = wait_for_caller(&watch);
	if (!shared->done && is_alive)
		put(why, " it hangs;");
	if (is_alive && shared->done) {
		/* Or it said that it stays in the box until it ends. */
		bool stays = shared->close_result != PAM_SUCCESS || is_lease_kept(fault);

		/* One that was stopped too late to keep the login from opening has to go on to end. */
		if (watch.stopped && shared->is_boxed)
			kill(watch.stopped, SIGCONT);
		/* Before the caller ends: what is left then must not hang on its life. */
		if (!stays && !machine_is_clean(&watch, watch.caller, &left))
			put(why, " left while the caller lives:%s", left.text);
		read_log();
		judge(&watch, why);
		shared->go = 1;
		syscall(SYS_futex, &shared->go, FUTEX_WAKE, 1, NULL, NULL, 0);
	} else if (is_alive) {
		kill(watch.caller, SIGKILL);
	} else if (fault->action != DO_KILL || fault->role != CALLER) {
		put(why, " the caller died;");
	}
	if (is_alive && !wait_for_end(&watch))
		put(why, " the caller does not end;");
	if (!machine_is_clean(&watch, 0, &left))
		put(why, " left:%s", left.text);
	read_log();
	if (watch.listener >= 0)
		close(watch.listener);
	*moved = watch.moved || (fault->action != DO_NOTHING && !watch.happened);
	return why->used == 0;
}

/* --- all cases --- */

static int n_tried, n_clean, n_moved;
static int refused, let_in, opened;

static void describe(const struct fault *fault, char *buf, size_t size)
{
	const struct call_errors *call;

	switch (fault->action) {
	case DO_NOTHING:
		if (fault->allocation)
			snprintf(buf, size, "allocation %d fails", fault->allocation);
		else
			snprintf(buf, size, "resource %d limited to %lu", fault->resource, fault->limit);
		return;
	case DO_FAIL:
	case DO_KILL:
	case DO_STOP: break;
	}
	call = find_call(recorded[fault->role][fault->index]);
	snprintf(buf, size, "%s %d %s(%ld) %s", role_names[fault->role], fault->index,
		call ? call->name : "?", recorded[fault->role][fault->index],
		fault->action == DO_FAIL   ? strerrorname_np(fault->error)
		: fault->action == DO_KILL ? "killed"
					   : "stopped");
}

static void try(const struct fault *fault)
{
	static struct text why;
	char name[200];
	bool moved, clean = run_case(fault, false, &moved, &why);

	/* What runs at the same time may come in another order: such a call is looked for again. */
	for (int i = 0; i < 5 && clean && moved; i++)
		clean = run_case(fault, false, &moved, &why);
	describe(fault, name, sizeof(name));
	if (moved && clean) {
		n_moved++;
		if (options.verbose)
			printf("# %s: did not come again\n", name);
		return;
	}
	n_tried++;
	n_clean += clean;
	if (shared->done)
		*(shared->is_boxed ? &opened : shared->open_result == PAM_SUCCESS ? &let_in : &refused) += 1;
	if (!clean)
		printf("not clean: %s (open %d, close %d):%s\n", name, shared->open_result,
			shared->close_result, why.text);
	else if (options.verbose)
		printf("# %s: %s%s\n", name,
			shared->is_boxed ? "opened" : "not boxed: ", shared->is_boxed ? "" : log_text.text);
	fflush(stdout);
}

static void try_call(enum role role, int index, enum action action)
{
	struct fault fault = {.action = action, .role = role, .index = index, .resource = -1};
	const struct call_errors *call = find_call(recorded[role][index]);

	if (WITH_ADDRESS_SANITIZER && action == DO_FAIL && recorded[role][index] == SYS_mmap)
		return;
	/* The C library ends a process whose locks fail. */
	if (action == DO_FAIL && recorded[role][index] == SYS_futex)
		return;
	if (action != DO_FAIL) {
		try(&fault);
		return;
	}
	if (!call) {
		printf("not clean: system call %ld is not in the table of errors\n", recorded[role][index]);
		n_tried++;
		return;
	}
	for (int i = 0; i < MAX_ERRNOS && call->errors[i]; i++) {
		fault.error = call->errors[i];
		try(&fault);
		if (options.one_error)
			break;
	}
}

static void try_calls(enum action action)
{
	for (int role = CALLER; role < OTHER; role++)
		for (int index = 0; index < n_recorded[role]; index++)
			if ((options.role < 0 || options.role == role) &&
				(options.only < 0 || options.only == index) && index % options.every == 0 &&
				(action != DO_STOP || role != CALLER))
				try_call((enum role)role, index, action);
}

static void try_allocations(void)
{
	for (int i = 1; i <= recorded_allocations; i += options.every)
		try(&(struct fault){.allocation = i, .resource = -1});
}

static void try_limits(void)
{
	static const int resources[] = {RLIMIT_AS, RLIMIT_CORE, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS,
		RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO,
		RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK};
	static const unsigned long values[] = {0, 1, 4096, 65536, 1 << 20, 4 << 20};

	for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
		if (WITH_ADDRESS_SANITIZER && (resources[i] == RLIMIT_AS || resources[i] == RLIMIT_DATA))
			continue;
		/* Where in its page a stack begins is the kernel's dice: one try says little. */
		for (int n = resources[i] == RLIMIT_STACK ? 8 : 1; n > 0; n--)
			for (size_t j = 0; j < sizeof(values) / sizeof(*values); j++)
				try(&(struct fault){.resource = resources[i], .limit = values[j]});
	}
}

static void try_descriptors(void)
{
	for (unsigned long limit = 3; limit < 40; limit++)
		try(&(struct fault){.resource = RLIMIT_NOFILE, .limit = limit});
}

static void print_calls(void)
{
	for (int role = CALLER; role < OTHER; role++)
		for (int i = 0; i < n_recorded[role]; i++) {
			const struct call_errors *call = find_call(recorded[role][i]);

			printf("%s %d %s %ld\n", role_names[role], i, call ? call->name : "?",
				recorded[role][i]);
		}
}

static int converse(int n, const struct pam_message **messages, struct pam_response **responses, void *unused)
{
	(void)messages, (void)unused;
	*responses = calloc((size_t)n, sizeof(**responses));
	return *responses ? PAM_SUCCESS : PAM_BUF_ERR;
}

static void listen_to_log(void)
{
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};

	unlink("/dev/log");
	log_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (log_socket < 0 || bind(log_socket, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("faults: /dev/log");
		exit(2);
	}
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {{"allow", no_argument, NULL, 'a'},
		{"user", required_argument, NULL, 'u'}, {"role", required_argument, NULL, 'r'},
		{"every", required_argument, NULL, 'n'}, {"one-error", no_argument, NULL, '1'},
		{"only", required_argument, NULL, 'o'}, {"verbose", no_argument, NULL, 'v'},
		{"confined", no_argument, NULL, 'c'}, {"account", no_argument, NULL, 'A'},
		{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option) {
		case 'a': options.allow = true; break;
		case 'u': options.user = optarg; break;
		case 'n': options.every = atoi(optarg); break;
		case '1': options.one_error = true; break;
		case 'o': options.only = atoi(optarg); break;
		case 'A': options.account = true; break;
		case 'c': options.confined = true; break;
		case 'v': options.verbose = true; break;
		case 'r':
			for (int role = CALLER; role < OTHER; role++)
				if (strcmp(optarg, role_names[role]) == 0)
					options.role = role;
			break;
		default: exit(2);
		}
	options.mode = argv[optind] ? argv[optind] : "";
}

/* The reference: a login without any fault. It is made twice, for what only the first one does in a process. */
static bool record(void)
{
	static struct text why;
	bool moved;

	for (int i = 0; i < 2; i++) {
		memset(n_recorded, 0, sizeof(n_recorded));
		look_at_machine(&baseline, 0);
		clear(&inside_recorded);
		run_case(&(struct fault){.resource = -1}, true, &moved, &why);
		inside_recorded = shared->inside;
		recorded_allocations = shared->allocations;
	}
	look_at_machine(&baseline, 0);
	if (run_case(&(struct fault){.resource = -1}, true, &moved, &why) && shared->is_boxed)
		return true;
	printf("a login without faults is not clean (open %d, close %d):%s\n%s", shared->open_result,
		shared->close_result, why.text, log_text.text);
	return false;
}

int main(int argc, char **argv)
{
	static const struct pam_conv conversation = {converse, NULL};

	parse(argc, argv);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	listen_to_log();
	/* A caller has asked who the user is before. glibc before 2.38 does not survive a lack of memory there. */
	if (!getpwnam(options.user))
		return 2;
	if (pam_start("faults", options.user, &conversation, &pam) != PAM_SUCCESS || !record())
		return 2;
	if (strcmp(options.mode, "errors") == 0)
		try_calls(DO_FAIL);
	else if (strcmp(options.mode, "kill") == 0)
		try_calls(DO_KILL);
	else if (strcmp(options.mode, "stop") == 0)
		try_calls(DO_STOP);
	else if (strcmp(options.mode, "memory") == 0)
		try_allocations();
	else if (strcmp(options.mode, "descriptors") == 0)
		try_descriptors();
	else if (strcmp(options.mode, "limits") == 0)
		try_limits();
	else if (strcmp(options.mode, "record") == 0)
		print_calls();
	else
		return 2;
	if (n_moved > 0)
		printf("%d calls did not come again\n", n_moved);
	printf("%d refused, %d let in, %d opened\n", refused, let_in, opened);
	printf("%d tried, %d clean\n", n_tried, n_clean);
	return n_clean == n_tried && (n_tried > 0 || strcmp(options.mode, "record") == 0) ? 0 : 1;
}
