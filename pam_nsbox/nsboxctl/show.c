/* show: everything about one box. */
#include "../box/box.h"
#include "../box/kernel.h"
#include "../namespaces.h"
#include "boxes.h"
#include "commands.h"
#include "processes.h"

#include <ctype.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/capability.h>
#include <time.h>

static void row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void row(const char *name, const char *format, ...)
{
	va_list arguments;

	printf("%-12s ", name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

static void show_record(const struct box_record *record, const struct lease_reply_head *head)
{
	static const char *const scopes[] = {"login", "user", "policy"};
	time_t since = (time_t)record->since;
	char text[64] = "?";
	struct tm tm;

	if (localtime_r(&since, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &tm);
	row("User", "%s", record->user);
	row("Policy", "%s", record->policy);
	row("Service", "%s", record->service);
	row("From", "%s", record->from[0] ? record->from : "-");
	row("TTY", "%s", record->tty[0] ? record->tty : "-");
	row("Since", "%s", text);
	row("Scope", "%s", record->scope < 3 ? scopes[record->scope] : "?");
	row("Linger", "%s", record->linger ? "yes" : "no");
	row("TimeoutStop", "%.1f s", record->timeout_stop_ms / 1000.0);
	row("Hostname", "%s", record->hostname[0] ? record->hostname : "the host's");
	row("Leases", "%u", head->leases);
}

static void show_privileges(const struct box_record *record)
{
	row("NoNewPrivs", "%s", record->no_new_privileges ? "yes" : "no");
	if (!record->bounding_set_given) {
		row("Bounding", "the caller's");
		return;
	}
	printf("%-12s", "Bounding");
	for (cap_value_t capability = 0; CAP_IS_SUPPORTED(capability); capability++)
		if (record->bounding_set & UINT64_C(1) << capability) {
			char *name = cap_to_name(capability);

			printf(" %s", name ? name : "?");
			cap_free(name);
		}
	printf("%s\n", record->bounding_set ? "" : " nothing");
}

static void show_namespaces(pid_t pid, const struct box_record *record)
{
	for (size_t i = 0; i < n_namespace_kinds; i++) {
		const struct namespace_kind *kind = &namespace_kinds[i];
		char name[16];

		snprintf(name, sizeof(name), "%c%s", toupper((unsigned char)kind->name[0]), kind->name + 1);
		row(name, "%lu%s", (unsigned long)process_namespace(pid, kind->proc),
			record->namespaces & (uint32_t)kind->flag ? "" : " (not the box's own)");
	}
}

static void show_mounts(pid_t pid)
{
	char path[64];
	unsigned long lines = 0;
	FILE *file;
	int byte;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while ((byte = getc(file)) != EOF)
		lines += byte == '\n';
	fclose(file);
	row("Mounts", "%lu", lines);
}

/* --- processes --- */

/* Users' names come from NSS; command lines from the users themselves. */
static void show_process(const struct process *process, void *data)
{
	char path[64], command[160] = "";
	const struct passwd *passwd = getpwuid(process->uid);
	FILE *file;

	(void)data;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)process->pid);
	file = fopen(path, "re");
	if (file) {
		size_t size = fread(command, 1, sizeof(command) - 1, file);

		for (size_t i = 0; i < size;) {
			size_t length = box_character(command + i);

			if (length == 0)
				command[i] = command[i] == '\0' ? ' ' : '?';
			i += length > 0 ? length : 1;
		}
		if (size > 0 && command[size - 1] == ' ')
			command[size - 1] = '\0';
		fclose(file);
	}
	printf("  %7d %6d ", (int)process->pid, (int)process->inside);
	if (passwd)
		printf("%-12s", passwd->pw_name);
	else
		printf("%-12u", process->uid);
	printf(" %c %s\n", process->state, command);
}

static void show_processes(const struct live_box *box)
{
	if (!(box->record.namespaces & CLONE_NEWPID)) {
		row("Processes", "unknown: the box has no PID namespace");
		return;
	}
	row("Processes", "%u and nsbox-init:", box->head.processes);
	printf("  %7s %6s %-12s %c %s\n", "PID", "INSIDE", "USER", 'S', "COMMAND");
	processes_each(box->pid, show_process, NULL);
}

static int show(const char *id, const char *conf)
{
	struct live_box box;

	if (boxes_find(id, &box) < 0)
		return STATUS_FAILED;
	row("Box", "%s", box.answered ? box.record.id : id);
	row("State", "%s", boxes_state(&box));
	row("PID", "%d", (int)box.pid);
	if (!box.answered) {
		complain("the nsbox-init of box %s, PID %d, does not answer within %d s; if it was stopped "
			 "by hand, kill "
			 "-CONT %d, to end the box, nsboxctl stop --now %s",
			id, (int)box.pid, LIVE_TIMEOUT_MS / 1000, (int)box.pid, id);
		return STATUS_FAILED;
	}
	show_record(&box.record, &box.head);
	row("Changed", "%s",
		boxes_policy_changed(&box, conf) ? "yes: made under another configuration than today's"
						 : "no");
	show_privileges(&box.record);
	show_namespaces(box.pid, &box.record);
	show_mounts(box.pid);
	show_processes(&box);
	return STATUS_DONE;
}

int command_show(int argc, char **argv)
{
	const char *conf = NULL;
	int letter;

	while ((letter = next_option(argc, argv)) != -1)
		switch (letter) {
		case OPTION_CONF: conf = optarg; break;
		default: return STATUS_USAGE;
		}
	if (argc - optind != 1)
		return complain_about_call(optind == argc ? "which box?" : "one box at a time");
	return is_root() ? show(argv[optind], conf) : STATUS_FAILED;
}
