/* list: the live boxes. */
#include "boxes.h"
#include "commands.h"
#include "processes.h"

#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* One row of the table that is printed. */
struct cell_source {
	const struct live_box *box;
	bool changed; /* the configuration, since the box was made */
	bool marks;   /* a sign is put behind the policy's name if it has */
};

struct column {
	const char *name;
	const char *json;
	bool by_default;
	bool asks_policy; /* it shows whether the configuration has changed */
	int flags, type;
	/* Writes what the cell holds; an empty text stands for nothing. */
	void (*write)(const struct cell_source *source, char *buf, size_t size);
};

#define TEXT_CELL(function, member)                                                                          \
	static void function(const struct cell_source *source, char *buf, size_t size)                       \
	{                                                                                                    \
		snprintf(buf, size, "%s", source->box->answered ? source->box->member : "");                 \
	}
#define NUMBER_CELL(function, member)                                                                        \
	static void function(const struct cell_source *source, char *buf, size_t size)                       \
	{                                                                                                    \
		snprintf(buf, source->box->answered ? size : 1, "%u", source->box->member);                  \
	}

TEXT_CELL(write_box, record.id)
TEXT_CELL(write_user, record.user)
TEXT_CELL(write_service, record.service)
TEXT_CELL(write_from, record.from)
TEXT_CELL(write_tty, record.tty)
TEXT_CELL(write_hostname, record.hostname)
NUMBER_CELL(write_leases, head.leases)

/* Without a PID namespace of its own a box cannot tell its processes from the host's. */
static void write_processes(const struct cell_source *source, char *buf, size_t size)
{
	bool known = source->box->answered && (source->box->record.namespaces & CLONE_NEWPID);

	snprintf(buf, known ? size : 1, "%u", source->box->head.processes);
}

static void write_policy(const struct cell_source *source, char *buf, size_t size)
{
	if (source->box->answered)
		snprintf(buf, size, "%s%s", source->box->record.policy,
			source->changed && source->marks ? " *" : "");
}

/* One word, that sorts, and that programs can read. */
static void write_since(const struct cell_source *source, char *buf, size_t size)
{
	time_t since = (time_t)source->box->record.since;
	struct tm tm;

	if (source->box->answered && localtime_r(&since, &tm))
		strftime(buf, size, "%Y-%m-%dT%H:%M:%S%z", &tm);
}

static void write_pid(const struct cell_source *source, char *buf, size_t size)
{
	snprintf(buf, size, "%d", (int)source->box->pid);
}

static void write_state(const struct cell_source *source, char *buf, size_t size)
{
	snprintf(buf, size, "%s", boxes_state(source->box));
}

static void write_scope(const struct cell_source *source, char *buf, size_t size)
{
	static const char *const scopes[] = {
		[SCOPE_LOGIN] = "login", [SCOPE_USER] = "user", [SCOPE_POLICY] = "policy"};
	uint32_t scope = source->box->record.scope;

	if (source->box->answered && scope < sizeof(scopes) / sizeof(*scopes))
		snprintf(buf, size, "%s", scopes[scope]);
}

static void write_changed(const struct cell_source *source, char *buf, size_t size)
{
	snprintf(buf, source->box->answered ? size : 1, "%d", source->changed);
}

static void write_note(const struct cell_source *source, char *buf, size_t size)
{
	if (source->box->ended)
		snprintf(buf, size, "nsbox-init has ended, and waits for a process");
	else if (!source->box->answered)
		snprintf(buf, size, "nsbox-init does not answer");
	else if (source->changed)
		snprintf(buf, size, "made under another configuration");
}

static const struct column columns[] = {
	{"BOX", "box", true, false, 0, SCOLS_JSON_STRING, write_box},
	{"USER", "user", true, false, 0, SCOLS_JSON_STRING, write_user},
	{"POLICY", "policy", true, false, 0, SCOLS_JSON_STRING, write_policy},
	{"SERVICE", "service", true, false, 0, SCOLS_JSON_STRING, write_service},
	{"FROM", "from", true, false, 0, SCOLS_JSON_STRING, write_from},
	{"TTY", "tty", true, false, 0, SCOLS_JSON_STRING, write_tty},
	{"SINCE", "since", true, false, 0, SCOLS_JSON_STRING, write_since},
	{"LEASES", "leases", true, false, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, write_leases},
	{"PROCS", "procs", true, false, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, write_processes},
	{"HOSTNAME", "hostname", true, false, 0, SCOLS_JSON_STRING, write_hostname},
	{"PID", "pid", true, false, SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER, write_pid},
	{"STATE", "state", false, false, 0, SCOLS_JSON_STRING, write_state},
	{"SCOPE", "scope", false, false, 0, SCOLS_JSON_STRING, write_scope},
	{"CHANGED", "changed", false, true, SCOLS_FL_RIGHT, SCOLS_JSON_BOOLEAN, write_changed},
	{"NOTE", "note", false, true, 0, SCOLS_JSON_STRING, write_note},
};
#define N_COLUMNS  (sizeof(columns) / sizeof(*columns))
#define MAX_CHOSEN (2 * N_COLUMNS)

void print_columns(void)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		printf("%s\n", columns[i].name);
}

struct view {
	bool json, no_headings, marks;
	const char *conf;
	const struct column *chosen[MAX_CHOSEN];
	size_t n_chosen;
};

/* JSON shows all: a program takes what it needs. */
static void choose_default(struct view *view)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		if (columns[i].by_default || view->json)
			view->chosen[view->n_chosen++] = &columns[i];
	view->marks = !view->json;
}

static bool choose(struct view *view, char *list)
{
	char *rest;

	for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		const struct column *column = columns;

		while (column < columns + N_COLUMNS && strcasecmp(column->name, name) != 0)
			column++;
		if (column == columns + N_COLUMNS || view->n_chosen == MAX_CHOSEN) {
			complain_about_call(
				"there is no column \"%s\"; nsboxctl --print-columns lists them", name);
			return false;
		}
		view->chosen[view->n_chosen++] = column;
	}
	if (view->n_chosen == 0)
		complain_about_call("no column is named");
	return view->n_chosen > 0;
}

static struct libscols_table *make_table(const struct view *view)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	scols_table_set_name(table, "boxes");
	scols_table_enable_json(table, view->json);
	scols_table_enable_noheadings(table, view->no_headings);
	for (size_t i = 0; i < view->n_chosen; i++) {
		const struct column *shown = view->chosen[i];
		struct libscols_column *column = scols_table_new_column(
			table, view->json ? shown->json : shown->name, 0, shown->flags);

		if (!column || scols_column_set_json_type(column, shown->type) != 0) {
			scols_unref_table(table);
			return NULL;
		}
	}
	return table;
}

static int fill_row(struct libscols_table *table, const struct view *view, const struct cell_source *source)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	for (size_t i = 0; line && i < view->n_chosen; i++) {
		char text[300] = "";

		view->chosen[i]->write(source, text, sizeof(text));
		if (text[0] && scols_line_set_data(line, i, text) != 0)
			return -ENOMEM;
	}
	return line ? 0 : -ENOMEM;
}

static bool must_ask_policy(const struct view *view)
{
	bool must = view->marks;

	for (size_t i = 0; i < view->n_chosen; i++)
		must = must || view->chosen[i]->asks_policy;
	return must;
}

static int print(const struct view *view, const struct boxes *boxes)
{
	struct libscols_table *table = make_table(view);
	bool ask = must_ask_policy(view), any_changed = false;
	int result = table ? 0 : -ENOMEM;

	for (size_t i = 0; i < boxes->n && result == 0; i++) {
		struct cell_source source = {.box = &boxes->all[i], .marks = view->marks};

		source.changed = ask && boxes_policy_changed(source.box, view->conf);
		any_changed = any_changed || source.changed;
		result = fill_row(table, view, &source);
	}
	if (result == 0)
		result = scols_print_table(table) != 0 ? -EIO : 0;
	if (result == 0 && any_changed && view->marks && !view->no_headings && isatty(STDOUT_FILENO))
		printf("* made under another configuration than today's\n");
	scols_unref_table(table);
	if (result < 0)
		complain("the table could not be printed: %s", strerror(-result));
	return result;
}

/* Returns whether something is wrong that root has to mend; what any user can bring about is only told. */
static bool complain_of_silence(const struct live_box *box)
{
	int pid = (int)box->pid;
	char keeper[300];

	if (!box->ended)
		complain("the nsbox-init with PID %d does not answer within %d s; "
			 "if it was stopped by hand, kill -CONT %d, to end its box, kill -KILL %d",
			pid, LIVE_TIMEOUT_MS / 1000, pid, pid);
	else if (processes_tell_what_keeps(box->pid, keeper, sizeof(keeper)))
		complain("note: the nsbox-init with PID %d has ended, and its box has not: %s", pid, keeper);
	return !box->ended;
}

static int list(const struct view *view)
{
	struct boxes boxes;
	int status =
		boxes_collect(&boxes, true) == 0 && print(view, &boxes) == 0 ? STATUS_DONE : STATUS_FAILED;

	for (size_t i = 0; i < boxes.n; i++)
		if (!boxes.all[i].answered && complain_of_silence(&boxes.all[i]))
			status = STATUS_FAILED;
	boxes_free(&boxes);
	return status;
}

int command_list(int argc, char **argv)
{
	struct view view = {.json = false};
	char *output = NULL;
	int letter;

	while ((letter = next_option(argc, argv)) != -1)
		switch (letter) {
		case OPTION_JSON: view.json = true; break;
		case OPTION_NOHEADINGS: view.no_headings = true; break;
		case OPTION_CONF: view.conf = optarg; break;
		case 'o': output = optarg; break;
		default: return STATUS_USAGE;
		}
	if (optind < argc)
		return complain_about_call("list takes no argument such as \"%s\"", argv[optind]);
	if (output && !choose(&view, output))
		return STATUS_USAGE;
	if (!output)
		choose_default(&view);
	return is_root() ? list(&view) : STATUS_FAILED;
}

void print_boxes(void)
{
	struct boxes boxes = {.n = 0};

	if (geteuid() != 0 || boxes_collect(&boxes, false) < 0)
		return;
	for (size_t i = 0; i < boxes.n; i++)
		if (boxes.all[i].answered)
			printf("%s\n", boxes.all[i].record.id);
	boxes_free(&boxes);
}
