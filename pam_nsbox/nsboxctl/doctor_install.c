/* What `make install` put there, the configuration, and what else on the system concerns boxes. */
#include "../box/box.h"
#include "../box/kernel.h"
#include "../box/live.h"
#include "../namespaces.h"
#include "../policy/text.h"
#include "../policy/values.h"
#include "doctor.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <netdb.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define REINSTALL "install pam_nsbox again"

bool examine_executable(struct diagnosis *diagnosis, const char *path, bool is_program, const char *check)
{
	const struct place place = {.file = path};
	const char *why = is_program ? "it is PID 1 of every box, and without it every login that is to be "
				       "boxed is refused"
				     : "it is loaded into sshd, login and su, which run as root";
	struct stat st;
	struct statvfs fs;

	if (stat(path, &st) < 0)
		diagnose(diagnosis, SEVERITY_FAULT, check, place, why, REINSTALL, "it cannot be found: %s",
			strerror(errno));
	else if (!S_ISREG(st.st_mode))
		diagnose(diagnosis, SEVERITY_FAULT, check, place, why, REINSTALL, "it is no regular file");
	else if (st.st_uid != 0)
		diagnose(diagnosis, SEVERITY_FAULT, check, place, "its owner can make root run what he likes",
			"chown root, after you made sure that it is what was installed",
			"it belongs to uid %u, not to root", st.st_uid);
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		diagnose(diagnosis, SEVERITY_FAULT, check, place,
			"who may write it can make root run what he likes",
			"chmod go-w, after you made sure that it is what was installed",
			"others than root may write it (mode %04o)", st.st_mode & 07777);
	else if (is_program && !(st.st_mode & S_IXUSR))
		diagnose(diagnosis, SEVERITY_FAULT, check, place, why, "chmod 0755",
			"it is not executable (mode %04o)", st.st_mode & 07777);
	else if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOEXEC))
		diagnose(diagnosis, SEVERITY_FAULT, check, place, why,
			"mount that file system without noexec, or install under another PREFIX",
			"it lies on a file system that is mounted noexec");
	else
		return true;
	return false;
}

/* Not being born as a box's PID 1, it exits with 2 at once. */
static void run_init(struct diagnosis *diagnosis)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		sys_close_range(0, ~0U);
		execl(NSBOX_INIT, NSBOX_INIT, (char *)NULL);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 2))
		return;
	diagnose(diagnosis, SEVERITY_FAULT, "nsbox-init", (struct place){.file = NSBOX_INIT},
		"it is PID 1 of every box, and without it every login that is to be boxed is refused",
		REINSTALL,
		"it does not run here (it ended with %s %d): it is damaged, or of another architecture",
		WIFEXITED(status) ? "status" : "signal",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void examine_register(struct diagnosis *diagnosis)
{
	const struct place place = {.file = LIVE_DIRECTORY};
	static const char why[] = "live boxes are known by having it open, which nobody but root may";
	struct stat st;

	if (lstat(LIVE_DIRECTORY, &st) < 0)
		return; /* the first login makes it */
	if (!S_ISDIR(st.st_mode))
		diagnose(diagnosis, SEVERITY_FAULT, "register", place, why, "remove it", "it is no folder");
	else if (st.st_uid != 0)
		diagnose(diagnosis, SEVERITY_FAULT, "register", place, why, "chown root",
			"it belongs to uid %u, not to root", st.st_uid);
	else if (st.st_mode & 077)
		diagnose(diagnosis, SEVERITY_FAULT, "register", place, why, "chmod 0700",
			"others than root may use it (mode %04o)", st.st_mode & 07777);
}

void examine_installation(struct diagnosis *diagnosis)
{
	json_object_set_new(diagnosis->system, "version", json_string(NSBOX_VERSION));
	json_object_set_new(diagnosis->system, "nsbox_init", json_string(NSBOX_INIT));
	if (examine_executable(diagnosis, NSBOX_INIT, true, "nsbox-init"))
		run_init(diagnosis);
	examine_register(diagnosis);
}

/* --- the configuration --- */

void examine_configuration(struct diagnosis *diagnosis, const char *conf)
{
	bool is_main = conf == diagnosis->conf;
	struct config *own = is_main ? NULL : config_load(conf, true);
	const struct config *config = is_main ? diagnosis->config : own;
	struct finding *findings = NULL;
	size_t n_findings = 0;

	if (config && config_check(config, &findings, &n_findings) == 0)
		for (size_t i = 0; i < n_findings; i++)
			diagnose(diagnosis, SEVERITY_FAULT, "configuration",
				(struct place){.file = findings[i].file, .line = findings[i].line},
				"logins that it concerns are refused, or get another box than was meant",
				"nsboxctl edit, and nsboxctl check before anybody logs in", "%s",
				findings[i].message);
	findings_free(findings, n_findings);
	config_free(own);
}

/* --- logind --- */

/* Where logind.conf and its drop-ins lie (systemd's CONF_PATHS); what stands first hides its like further down. */
static const char *const logind_folders[] = {
	"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"};

struct kill_user_processes {
	bool is_set;
	char file[512]; /* the last one that says so, and its line */
	unsigned int line;
};

/* False: there is no such file. A value that is none of systemd's words (parse_boolean) is none for systemd either. */
static bool read_kill_user_processes(const char *path, struct kill_user_processes *kill)
{
	FILE *stream = fopen(path, "re");
	char text[512], value[32];
	int boolean;

	if (!stream)
		return false;
	for (unsigned int number = 1; fgets(text, sizeof(text), stream); number++) {
		if (sscanf(text, " KillUserProcesses = %31s", value) != 1)
			continue;
		boolean = boolean_of(value);
		if (boolean < 0)
			continue;
		kill->is_set = boolean;
		snprintf(kill->file, sizeof(kill->file), "%s", path);
		kill->line = number;
	}
	fclose(stream);
	return true;
}

struct drop_in {
	const char *folder;
	char name[NAME_MAX + 1];
};

static int is_conf(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && strcmp(dot, ".conf") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct drop_in *)a)->name, ((const struct drop_in *)b)->name);
}

static bool is_hidden(const struct drop_in *drop_ins, size_t n_drop_ins, const char *name)
{
	for (size_t i = 0; i < n_drop_ins; i++)
		if (strcmp(drop_ins[i].name, name) == 0)
			return true;
	return false;
}

/* The drop-ins in the order in which systemd reads them (conf-files.c): by name, whatever the folder. Owned. */
static struct drop_in *list_drop_ins(size_t *n_drop_ins)
{
	struct drop_in *drop_ins = NULL;
	char folder[64];

	*n_drop_ins = 0;
	for (size_t i = 0; i < sizeof(logind_folders) / sizeof(*logind_folders); i++) {
		struct dirent **entries = NULL;
		int n;

		snprintf(folder, sizeof(folder), "%s/logind.conf.d", logind_folders[i]);
		n = scandir(folder, &entries, is_conf, NULL);
		for (int j = 0; j < n; j++) {
			struct drop_in *drop_in =
				is_hidden(drop_ins, *n_drop_ins, entries[j]->d_name)
					? NULL
					: array_append(&drop_ins, n_drop_ins, sizeof(*drop_in));

			if (drop_in) {
				drop_in->folder = logind_folders[i];
				snprintf(drop_in->name, sizeof(drop_in->name), "%s", entries[j]->d_name);
			}
			free(entries[j]);
		}
		free(entries);
	}
	if (drop_ins)
		qsort(drop_ins, *n_drop_ins, sizeof(*drop_ins), by_name);
	return drop_ins;
}

void examine_logind(struct diagnosis *diagnosis)
{
	struct kill_user_processes kill = {.is_set = false};
	size_t n_drop_ins;
	AUTO_FREE struct drop_in *drop_ins = list_drop_ins(&n_drop_ins);
	char path[512];
	struct place lingers;
	bool found = false;

	for (size_t i = 0; !found && i < sizeof(logind_folders) / sizeof(*logind_folders); i++) {
		snprintf(path, sizeof(path), "%s/logind.conf", logind_folders[i]);
		found = read_kill_user_processes(path, &kill);
	}
	for (size_t i = 0; i < n_drop_ins; i++) {
		snprintf(path, sizeof(path), "%s/logind.conf.d/%s", drop_ins[i].folder, drop_ins[i].name);
		read_kill_user_processes(path, &kill);
	}
	if (!kill.is_set || (!config_sets(diagnosis->config, "Linger", "yes,true,on,1", &lingers) &&
				    !config_sets(diagnosis->config, "Scope", "user,policy", &lingers)))
		return;
	snprintf(path, sizeof(path),
		"%s:%u keeps a box after the session that made it, and logind ends all processes of that "
		"session with it, "
		"nsbox-init too",
		lingers.file, lingers.line);
	diagnose(diagnosis, SEVERITY_FAULT, "logind", (struct place){.file = kill.file, .line = kill.line},
		path,
		"KillUserProcesses=no, or KillExcludeUsers= with those users; or Scope = login and Linger = "
		"no",
		"KillUserProcesses=yes, while a policy keeps boxes");
}

/* --- a real box --- */

enum { BOX_WORKS, BOX_FAILS, NAME_DOES_NOT_RESOLVE };

static int resolve_own_name(void)
{
	char name[POLICY_HOSTNAME_MAX + 1] = "";
	struct addrinfo *addresses = NULL;
	int result;

	alarm(10); /* whoever asks a directory or a DNS that is down waits long; SIGALRM ends this process */
	result = gethostname(name, sizeof(name) - 1) < 0 ? EAI_SYSTEM
							 : getaddrinfo(name, NULL, NULL, &addresses);
	alarm(0);
	if (addresses)
		freeaddrinfo(addresses);
	return result == 0 ? BOX_WORKS : NAME_DOES_NOT_RESOLVE;
}

/* In a child, which may be left in any state. */
static int try_box(int sentences)
{
	char user[] = "root", home[] = "/", name[] = "doctor", source[] = "built-in", id[BOX_ID_SIZE],
	     sentence[640];
	struct policy policy = {
		.name = name,
		.source = source,
		.enabled = true,
		.namespaces = namespaces_by_default(),
		.hostname = "nsboxctl-doctor-box",
		.timeout_stop_ms = 1000,
	};
	struct account account = {.name = user, .home = home};
	const struct box_request request = {.policy = &policy,
		.account = &account,
		.id = id,
		.service = "nsboxctl-doctor",
		.init = NSBOX_INIT};
	struct box_entry entry;
	struct box_failure failure;
	struct box *box;
	pid_t pid;
	int status = 0;

	box_new_id(id);
	if (chdir("/") < 0 || box_open(&request, &box, &entry, &failure) < 0) {
		box_failure_sentence(&failure, &request, sentence, sizeof(sentence));
		if (write(sentences, sentence, strlen(sentence)) < 0)
			return BOX_FAILS;
		return BOX_FAILS;
	}
	pid = fork();
	if (pid == 0)
		_exit(resolve_own_name());
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		status = 0;
	box_close(box, &failure);
	return WIFEXITED(status) ? WEXITSTATUS(status) : NAME_DOES_NOT_RESOLVE;
}

void examine_box(struct diagnosis *diagnosis)
{
	char sentence[640] = "";
	int ends[2], status = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(try_box(ends[1]));
	close(ends[1]);
	if (pid > 0) {
		ssize_t size = read(ends[0], sentence, sizeof(sentence) - 1);

		sentence[size > 0 ? size : 0] = '\0';
		waitpid(pid, &status, 0);
	}
	close(ends[0]);
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == BOX_FAILS)
		diagnose(diagnosis, SEVERITY_FAULT, "box", (struct place){.file = "box"},
			"a login would fail in the same way",
			"as the sentence says; nsboxctl try USER tries it again", "no box can be made: %s",
			sentence[0] ? sentence : "the attempt ended early");
	else if (WEXITSTATUS(status) == NAME_DOES_NOT_RESOLVE)
		diagnose(diagnosis, SEVERITY_FAULT, "hostname",
			(struct place){
				.file = access("/etc/hosts", F_OK) < 0 ? "/etc/hosts" : "/etc/nsswitch.conf"},
			"sudo, mail programs and X look their own host up, and wait or warn; a box has its "
			"name in its own "
			"/etc/hosts",
			"have an /etc/hosts, and \"files\" (or \"myhostname\") in the line hosts: of "
			"/etc/nsswitch.conf",
			"the name of a box does not resolve inside it");
}
