/* nsboxctl: the administrator's door. */
#include "commands.h"

#include <ctype.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONF                                                                                                 \
	{                                                                                                    \
		OPTION_CONF, "conf", "FILE", "another configuration than " NSBOX_CONF                        \
	}
#define JSON                                                                                                 \
	{                                                                                                    \
		OPTION_JSON, "json", NULL, "as JSON"                                                         \
	}
#define SERVICE                                                                                              \
	{                                                                                                    \
		OPTION_SERVICE, "service", "SERVICE", "the PAM service of the login, such as sshd"           \
	}

static const struct command_option no_options[] = {{0}};
static const struct command_option explain_options[] = {
	SERVICE,
	{OPTION_CALLER, "caller", "PROGRAM", "the program that opens the session, such as /usr/bin/sudo"},
	JSON,
	CONF,
	{0},
};
static const struct command_option edit_options[] = {CONF, {0}};
static const struct command_option doctor_options[] = {JSON, CONF, {0}};
static const struct command_option try_options[] = {SERVICE, CONF, {0}};
static const struct command_option list_options[] = {
	JSON,
	{OPTION_NOHEADINGS, "noheadings", NULL, "without the line of headings"},
	{'o', "output", "COLUMNS", "these columns, comma-separated"},
	CONF,
	{0},
};
static const struct command_option show_options[] = {CONF, {0}};
static const struct command_option enter_options[] = {
	{'u', "user", "USER", "as this user, root without it"},
	{0},
};
static const struct command_option stop_options[] = {
	{OPTION_NOW, "now", NULL, "without asking the processes first"},
	{0},
};

/* The other families come with their own sources. */

static const struct command commands[] = {
	{"check", "[FILE...]", "say everything that is wrong in the configuration", no_options,
		command_check},
	{"explain", "USER", "say which policy decides for a login, and where each setting comes from",
		explain_options, command_explain},
	{"edit", "[DROP-IN]", "edit a copy of the configuration, check it, install it in one step",
		edit_options, command_edit},
	{"doctor", "", "say what is wrong with this system and its PAM stacks, and the mend", doctor_options,
		command_doctor},
	{"try", "USER [-- COMMAND...]", "run a shell or command in a box as a login would get it",
		try_options, command_try},
	{"list", "", "list the live boxes", list_options, command_list},
	{"show", "BOX", "tell everything about one box", show_options, command_show},
	{"enter", "BOX [-- COMMAND...]", "run a shell or command in a live box", enter_options,
		command_enter},
	{"stop", "BOX...", "end boxes, politely, and wait until they are gone", stop_options, command_stop},
};
#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static const struct command *running;

/* --- what is said --- */

static void __attribute__((format(printf, 1, 0))) say_line(const char *format, va_list arguments)
{
	char line[2048];

	vsnprintf(line, sizeof(line), format, arguments);
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	fflush(stdout);
	fprintf(stderr, "nsboxctl%s%s: %s\n", running ? " " : "", running ? running->name : "", line);
}

void complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_line(format, arguments);
	va_end(arguments);
}

int complain_about_call(const char *format, ...)
{
	char sentence[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	complain("%s; see nsboxctl%s%s --help", sentence, running ? " " : "", running ? running->name : "");
	return STATUS_USAGE;
}

bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	complain("only root can do this; call it with sudo");
	return false;
}

/* --- the table, read --- */

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (commands[i].run && strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_synopsis(const struct command *command)
{
	printf("nsboxctl %s", command->name);
	for (const struct command_option *option = command->options; option->name; option++) {
		if (option->letter < 256)
			printf(" [-%c", option->letter);
		else
			printf(" [--%s", option->name);
		printf("%s%s]", option->argument ? " " : "", option->argument ? option->argument : "");
	}
	printf("%s%s\n", command->arguments[0] ? " " : "", command->arguments);
}

static int help_command(const struct command *command)
{
	printf("Usage: ");
	print_synopsis(command);
	printf("\n%c%s.\n", command->says[0] - 'a' + 'A', command->says + 1);
	if (command->options->name)
		printf("\n");
	for (const struct command_option *option = command->options; option->name; option++) {
		char words[64];
		int used = option->letter < 256 ? snprintf(words, sizeof(words), "-%c, ", option->letter) : 0;

		snprintf(words + used, sizeof(words) - (size_t)used, "--%s%s%s", option->name,
			option->argument ? " " : "", option->argument ? option->argument : "");
		printf("  %-24s %s\n", words, option->says);
	}
	return STATUS_DONE;
}

static int help(void)
{
	printf("Usage: nsboxctl COMMAND [OPTION...] [ARGUMENT...]\n\n"
	       "Boxes of pam_nsbox: what the configuration says, and what is live.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (commands[i].run)
			printf("  %-10s %s\n", commands[i].name, commands[i].says);
	printf("\n  nsboxctl COMMAND --help tells the options of a command, nsboxctl --version the version.\n"
	       "  Exit status: 0 done, 1 it is wrong or failed, 2 the call was wrong.\n");
	return STATUS_DONE;
}

/* For programs: the completion, and whoever writes the list in nsboxctl(8). One line a command, its fields
 * separated by tabs: name, arguments, what it says, and then each option as "--name", "--name=ARGUMENT" or
 * "-x|--name=ARGUMENT".
 */
static int print_table(void)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!commands[i].run)
			continue;
		printf("%s\t%s\t%s", commands[i].name, commands[i].arguments, commands[i].says);
		for (const struct command_option *option = commands[i].options; option->name; option++) {
			printf("\t");
			if (option->letter < 256)
				printf("-%c|", option->letter);
			printf("--%s%s%s", option->name, option->argument ? "=" : "",
				option->argument ? option->argument : "");
		}
		printf("\n");
	}
	return STATUS_DONE;
}

/* --- parsing --- */

static void fill_getopt(const struct command *command, char *letters, struct option *longs)
{
	*letters++ = ':'; /* a missing argument is told apart */
	for (const struct command_option *option = command->options; option->name; option++) {
		if (option->letter < 256) {
			*letters++ = (char)option->letter;
			if (option->argument)
				*letters++ = ':';
		}
		*longs++ = (struct option){
			.name = option->name,
			.has_arg = option->argument ? required_argument : no_argument,
			.val = option->letter,
		};
	}
	*letters = '\0';
	*longs = (struct option){0};
}

const char *whole_path(const char *path)
{
	static char whole[2 * PATH_MAX];
	char folder[PATH_MAX];

	if (path[0] == '/' || !getcwd(folder, sizeof(folder)) || strlen(path) >= PATH_MAX)
		return path;
	snprintf(whole, sizeof(whole), "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
	return whole;
}

/* libpam makes a service's name lower case, whoever sets it (pam_start.c, pam_item.c): no login meets a policy by another.
 * In place.
 */
static void lower_case(char *name)
{
	for (char *at = name; *at; at++)
		*at = (char)tolower((unsigned char)*at);
}

int next_option(int argc, char **argv)
{
	char letters[32];
	struct option longs[16];
	int letter;

	opterr = 0;
	fill_getopt(running, letters, longs);
	letter = getopt_long(argc, argv, letters, longs, NULL);
	if (letter == ':')
		complain_about_call("%s needs an argument", argv[optind - 1]);
	else if (letter == '?' && optopt > 0 && optopt < 256)
		complain_about_call("there is no option -%c", optopt);
	else if (letter == '?')
		complain_about_call("there is no option %s, or it takes no argument", argv[optind - 1]);
	else if (letter == OPTION_CONF)
		optarg = (char *)whole_path(optarg);
	else if (letter == OPTION_SERVICE)
		lower_case(optarg);
	return letter == ':' ? '?' : letter;
}

/* Behind "--" a command's own words begin. */
static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

static int run_command(int argc, char **argv)
{
	int status;

	running = find_command(argv[0]);
	if (!running)
		return complain_about_call(
			argv[0][0] == '-' ? "there is no option %s" : "there is no command %s", argv[0]);
	if (wants_help(argc, argv))
		return help_command(running);
	status = running->run(argc, argv);
	/* A full disk or a closed pipe must not pass for success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == STATUS_DONE) {
		complain("standard output could not be written");
		return STATUS_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} data[] = {{"--print-columns", print_columns}, {"--print-boxes", print_boxes}};

	if (argc < 2)
		return complain_about_call("which command?");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		printf("nsboxctl %s\n", NSBOX_VERSION);
		return STATUS_DONE;
	}
	if (strcmp(argv[1], "--print-commands") == 0)
		return print_table();
	for (size_t i = 0; i < sizeof(data) / sizeof(*data); i++)
		if (strcmp(argv[1], data[i].name) == 0) {
			data[i].print();
			return STATUS_DONE;
		}
	return run_command(argc - 1, argv + 1);
}
