/* nsboxctl's commands: one row each, one source a family.
 *
 * Parsing, `--help`, completion and the list in nsboxctl(8) come from the rows, so a command or an option
 * cannot be half there. A command writes results to standard output, and what went wrong to standard error
 * through complain().
 */
#ifndef NSBOX_COMMANDS_H
#define NSBOX_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

/* The exit statuses. `try` and `enter` exit with their command's, or 128 and the number of the signal that
 * ended it. */
enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

struct command_option {
	int letter;	      /* what next_option() returns; a short option too if it is a letter */
	const char *name;     /* long, without "--" */
	const char *argument; /* what stands for its argument in the help: "USER"; NULL: it has none */
	const char *says;
};

/* Letters of options that have no short form. */
enum { OPTION_CONF = 256, OPTION_JSON, OPTION_NOHEADINGS, OPTION_NOW, OPTION_SERVICE, OPTION_CALLER };

struct command {
	const char *name;
	const char *arguments; /* of the command line, options left out */
	const char *says;
	const struct command_option *options; /* ends with a row without a name */
	int (*run)(int argc, char **argv);    /* argv[0] is the command's name; returns the exit status */
};

int command_check(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_edit(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_try(int argc, char **argv);
int command_list(int argc, char **argv);
int command_show(int argc, char **argv);
int command_enter(int argc, char **argv);
int command_stop(int argc, char **argv);

/* The letter of the next option of the running command's row; getopt(3)'s optarg and optind are set as it
 * does. -1 where there is none any more: the operands begin at argv[optind], behind "--" if there was one.
 * '?' after it complained: then the command returns STATUS_USAGE.
 */
int next_option(int argc, char **argv);

/* The path as it is from the root on, as a configuration must be named to whom logins go by it (--conf is made so). Until the
 * next call.
 */
const char *whole_path(const char *path);

/* Writes "nsboxctl COMMAND: " and the sentence to standard error, as one line whatever the arguments hold. A
 * sentence says what was tried, on what, why it failed, and what to do.
 */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complains about the call, and how it should be. Returns STATUS_USAGE. */
int complain_about_call(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complains unless the caller is root. */
bool is_root(void);

/* Completion data of things that only their command knows; one word a line. */
void print_columns(void); /* of list */
void print_boxes(void);	  /* ids of live boxes */

#endif
