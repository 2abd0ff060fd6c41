/* Every PAM stack that names the module: whether what it says there does what was meant. */
#include "../policy/callers.h"
#include "../policy/text.h"
#include "doctor.h"
#include "pam_stack.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MODULE "pam_nsbox.so"

static struct place place_of(const struct pam_line *line)
{
	return (struct place){.file = line->file, .line = line->line};
}

static bool has_argument(const struct pam_line *line, const char *argument)
{
	for (size_t i = 0; i < line->n_arguments; i++)
		if (strcmp(line->arguments[i], argument) == 0)
			return true;
	return false;
}

/* A line with neither word, or with both, acts on both halves. */
static bool opens(const struct pam_line *line)
{
	return has_argument(line, "open") || !has_argument(line, "close");
}

static bool closes(const struct pam_line *line)
{
	return has_argument(line, "close") || !has_argument(line, "open");
}

/* --- one line --- */

static void examine_arguments(struct diagnosis *diagnosis, const struct pam_line *line)
{
	for (size_t i = 0; i < line->n_arguments; i++) {
		const char *argument = line->arguments[i];

		if (strcmp(argument, "debug") == 0 || strcmp(argument, "open") == 0 ||
			strcmp(argument, "close") == 0)
			continue;
		if (strncmp(argument, "conf=", 5) != 0) {
			diagnose(diagnosis, SEVERITY_FAULT, "pam-argument", place_of(line),
				"the module ignores what it does not know, so what was meant does not happen",
				"take it out; known are conf=PATH, debug, open, close",
				"unknown argument \"%s\" of " MODULE, argument);
			continue;
		}
		argument += 5;
		if (argument[0] != '/' || access(argument, R_OK) < 0)
			diagnose(diagnosis, SEVERITY_FAULT, "pam-conf", place_of(line),
				"every login by it but root's is refused",
				"name the configuration by its whole path, or take the argument out",
				"conf=%s is %s", argument,
				argument[0] != '/' ? "no absolute path" : "a file that does not exist");
		else
			examine_configuration(diagnosis, argument);
	}
}

/* Takes the next "value=action" off what is left of a bracketed control. */
static bool next_action(const char **control, char value[32], char action[16])
{
	int used = 0;

	if (sscanf(*control, " %31[a-z_] = %15[a-z0-9]%n", value, action, &used) < 2)
		return false;
	*control += used;
	return true;
}

/* What the bracketed control does with a value that the module returns: "bad", "ignore" and so on. */
static void action_for(const char *control, const char *value, char *action, size_t size)
{
	char fallback[16] = "bad", name[32], does[16];

	action[0] = '\0';
	while (next_action(&control, name, does))
		if (strcmp(name, value) == 0)
			snprintf(action, size, "%s", does);
		else if (strcmp(name, "default") == 0)
			snprintf(fallback, sizeof(fallback), "%s", does);
	if (action[0] == '\0')
		snprintf(action, size, "%s", fallback);
}

static bool refusal_counts(const char *control)
{
	char action[16];

	if (strcasecmp(control, "required") == 0 || strcasecmp(control, "requisite") == 0)
		return true;
	if (!strchr(control, '='))
		return false;
	action_for(control, "system_err", action, sizeof(action));
	return strcmp(action, "bad") == 0 || strcmp(action, "die") == 0;
}

static void examine_control(struct diagnosis *diagnosis, const struct pam_line *line)
{
	if (!refusal_counts(line->control))
		diagnose(diagnosis, SEVERITY_FAULT, "pam-control", place_of(line),
			"a login whose box cannot be made is let in without one, whatever OnError says",
			"required instead; OnError = allow in the configuration lets in without a box, and "
			"logs it",
			"\"%s\" does not refuse the login when " MODULE " does", line->control);
	if (line->may_be_missing)
		diagnose(diagnosis, SEVERITY_FAULT, "pam-control", place_of(line),
			"if the module's file is missing libpam refuses every login, and no log tells why",
			"take the \"-\" away", "\"-%s\" keeps a missing " MODULE " out of the log",
			line->type);
}

static void module_path(const struct pam_line *line, char *path, size_t size)
{
	if (line->module[0] == '/')
		snprintf(path, size, "%s", line->module);
	else
		snprintf(path, size, "%s/%s", NSBOX_PAMDIR, line->module);
}

static void examine_file(struct diagnosis *diagnosis, const struct pam_line *line)
{
	char path[4200];
	void *handle;

	module_path(line, path, sizeof(path));
	if (line->module[0] == '/' && access(path, F_OK) < 0) {
		diagnose(diagnosis, SEVERITY_FAULT, "module", place_of(line),
			"libpam refuses every login of a stack that names a module that is not there",
			"write " MODULE " alone, which libpam looks for in " NSBOX_PAMDIR, "it names %s: %s",
			path, strerror(errno));
		return;
	}
	if (!examine_executable(diagnosis, path, false, "module"))
		return;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle)
		dlclose(handle);
	else
		diagnose(diagnosis, SEVERITY_FAULT, "module", (struct place){.file = path},
			"libpam cannot load it either, and refuses every login of a stack that names it",
			"install pam_nsbox again, with the libraries that it needs",
			"it cannot be loaded: %s", dlerror());
}

#define NEAR 2 /* letters that may be wrong in a name that was meant to be ours */

/* Whether the line was meant to name the module, but names a file that is not there: pam_nsbox, pam_Nsbox.so. */
static bool is_misspelt(const struct pam_line *line)
{
	const char *slash = strrchr(line->module, '/'), *name = slash ? slash + 1 : line->module;
	char path[4200];

	if (line->is_missing_file || line->is_substack || strcmp(name, MODULE) == 0)
		return false;
	if (!strcasestr(name, "nsbox") &&
		(strlen(name) > SPAN_DISTANCE_MAX || span_distance(span_of(name), span_of(MODULE)) > NEAR))
		return false;
	module_path(line, path, sizeof(path));
	return access(path, F_OK) < 0;
}

static void examine_misspelt(struct diagnosis *diagnosis, const struct pam_line *line)
{
	diagnose(diagnosis, SEVERITY_FAULT, "module", place_of(line),
		"for libpam a module that is not there has failed: every login is refused, or, where the "
		"control flag lets it in, not boxed",
		"write " MODULE, "it names \"%s\", which is not there; it looks like " MODULE, line->module);
}

/* --- the session stack --- */

static bool is_session_module(const struct pam_line *line)
{
	return !line->is_missing_file && !line->is_substack && !line->unknown_type &&
	       strcasecmp(line->type, "session") == 0;
}

/* Modules that may well follow: they look at nothing that a box changes. */
static bool may_follow(const struct pam_line *line)
{
	static const char *const harmless[] = {
		"pam_permit.so", "pam_deny.so", "pam_warn.so", "pam_debug.so", MODULE};

	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		if (pam_line_is(line, "session", harmless[i]))
			return true;
	return pam_line_is(line, "session", "pam_selinux.so") && has_argument(line, "close");
}

static const char *why_not_after(const struct pam_line *line)
{
	static const struct {
		const char *module, *why;
	} reasons[] = {
		{"pam_loginuid.so", "it writes /proc/self/loginuid, and the caller has no /proc/self in the "
				    "box: it fails, "
				    "and what the user does is not audited as his"},
		{"pam_selinux.so",
			"its open line writes /proc/self/attr, and the caller has no /proc/self in the box"},
		{"pam_limits.so", "it sets the limits after nsbox-init was started, which then has others, "
				  "as has whoever "
				  "enters the box"},
		{"pam_systemd.so", "it tells logind the number and namespaces of a process that is in the "
				   "box already, and "
				   "the box's own processes are outside the session's cgroup and limits"},
		{"pam_elogind.so", "it tells logind of a process that is in the box already, and the box's "
				   "own processes are "
				   "outside the session's cgroup"},
		{"pam_namespace.so", "what it mounts is mounted in the box alone, and at close the module "
				     "has left the box, so "
				     "that it undoes its mounts on the host"},
		{"pam_mount.so", "what it mounts is mounted in the box alone, and at close the module has "
				 "left the box"},
		{"pam_mkhomedir.so", "it makes the home after the box was made, whose policy for paths in it "
				     "found nothing"},
		{"pam_exec.so", "what it runs is run in the box at open, and on the host at close"},
		{"pam_keyinit.so", "nsbox-init keeps the keyring of whoever called before"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (pam_line_is(line, "session", reasons[i].module))
			return reasons[i].why;
	return "it runs in the box at open, where the host's files, processes and /proc/self are not seen, "
	       "and on the host at "
	       "close, when the module has left the box";
}

static void examine_order(struct diagnosis *diagnosis, const struct pam_stack *stack, size_t opening)
{
	const struct pam_line *ours = &stack->lines[opening];

	for (size_t i = opening + 1; i < stack->n_lines; i++) {
		const struct pam_line *line = &stack->lines[i];

		if (!is_session_module(line) || may_follow(line))
			continue;
		diagnose(diagnosis, SEVERITY_FAULT,
			pam_line_is(line, "session", "pam_systemd.so") ? "pam-systemd-after" : "pam-order",
			place_of(line), why_not_after(line),
			"move the line of " MODULE " to the end of the session stack",
			"%s stands after " MODULE " (%s:%u)", line->module, ours->file, ours->line);
	}
}

/* The next line of the same type, n_lines: there is none. */
static size_t next_of_type(const struct pam_stack *stack, size_t at)
{
	size_t next = at + 1;

	while (next < stack->n_lines && strcasecmp(stack->lines[next].type, stack->lines[at].type) != 0)
		next++;
	return next;
}

/* Whether a jump over so many lines goes past the line that is over. libpam (pam_dispatch.c) counts the lines of the type,
 * a substack with all that lies in it as one, and never leaves the substack in which the jump begins.
 */
static bool goes_past(const struct pam_stack *stack, size_t from, unsigned long n_jump, size_t over)
{
	int level = stack->lines[from].level;
	size_t next = next_of_type(stack, from);

	while (n_jump-- > 0 && next < stack->n_lines && stack->lines[next].level >= level)
		do {
			if (next == over)
				return true;
			next = next_of_type(stack, next);
		} while (next < stack->n_lines && stack->lines[next].level > level);
	return false;
}

static bool ends_stack(const struct pam_line *line)
{
	char action[16];

	if (!strchr(line->control, '='))
		return strcasecmp(line->control, "sufficient") == 0;
	action_for(line->control, "success", action, sizeof(action));
	return strcmp(action, "done") == 0;
}

/* The furthest that any return value jumps, 0: none does. */
static unsigned long longest_jump(const struct pam_line *line)
{
	const char *control = line->control;
	char value[32], action[16];
	unsigned long longest = 0;

	while (next_action(&control, value, action)) {
		unsigned long n_jump = strtoul(action, NULL, 10);

		if (n_jump > longest)
			longest = n_jump;
	}
	return longest;
}

/* A line that ends the stack when it succeeds, or jumps, lets logins in without what follows. */
static void examine_shortcuts(struct diagnosis *diagnosis, const struct pam_stack *stack, size_t opening)
{
	const struct pam_line *ours = &stack->lines[opening];

	for (size_t i = 0; i < opening; i++) {
		const struct pam_line *line = &stack->lines[i];

		if (!is_session_module(line))
			continue;
		if (ends_stack(line) && goes_past(stack, i, ULONG_MAX, opening))
			diagnose(diagnosis, SEVERITY_FAULT, "pam-shortcut", place_of(line),
				"when it succeeds the rest of the stack is left out, and the login is not "
				"boxed",
				"required or optional instead, or let it stand after " MODULE,
				"\"%s\" before " MODULE " (%s:%u) ends the stack", line->control, ours->file,
				ours->line);
		else if (goes_past(stack, i, longest_jump(line), opening))
			diagnose(diagnosis, SEVERITY_FAULT, "pam-shortcut", place_of(line),
				"a login that takes the jump is not boxed, and no log tells",
				"jump over fewer lines; Users, Groups and Services of a policy say who is "
				"boxed",
				"\"%s\" jumps over " MODULE " (%s:%u)", line->control, ours->file,
				ours->line);
	}
}

struct service {
	const char *name;
	const struct pam_stack *stack;
	size_t n_opening, n_closing, first_opening, first_closing;
	bool has_account, has_systemd;
};

static void examine_halves(struct diagnosis *diagnosis, const struct service *service)
{
	const struct pam_line *lines = service->stack->lines;

	if (service->n_opening > 0 && service->n_closing == 0)
		diagnose(diagnosis, SEVERITY_FAULT, "pam-halves", place_of(&lines[service->first_opening]),
			"the caller never goes back to the host's view, and the box stays until the caller "
			"ends",
			"add \"session required " MODULE " close\" as the first line of the session stack",
			"\"open\" without a line with \"close\" in the stack of %s", service->name);
	else if (service->n_opening == 0 && service->n_closing > 0)
		diagnose(diagnosis, SEVERITY_FAULT, "pam-halves", place_of(&lines[service->first_closing]),
			"no login of this service is boxed",
			"add \"session required " MODULE " open\" as the last line of the session stack",
			"\"close\" without a line with \"open\" in the stack of %s", service->name);
	if (service->n_opening > 1)
		diagnose(diagnosis, SEVERITY_FAULT, "pam-twice", place_of(&lines[service->first_opening]),
			"the first of the lines acts, so the modules between them stand after it; the others "
			"do nothing",
			"keep the last one", MODULE " stands %zu times in the session stack of %s",
			service->n_opening, service->name);
}

/* What callers.c knows of services; doctor says it, too. */
static void examine_caller(struct diagnosis *diagnosis, const struct service *service)
{
	const struct caller *caller = caller_find(service->name, NULL);
	size_t at = service->n_opening > 0 ? service->first_opening : service->first_closing;

	if (caller && service->n_opening + service->n_closing > 0)
		diagnose(diagnosis, SEVERITY_NOTE, caller->no_box ? "pam-not-boxed" : "pam-no-pid-namespace",
			place_of(&service->stack->lines[at]), caller->reason,
			caller->no_box ? "none is needed; the line does nothing there" : "none is needed",
			caller->no_box ? "%s is not boxed" : "%s gets a box without a PID namespace",
			service->name);
}

static void examine_limits(struct diagnosis *diagnosis, const struct service *service)
{
	struct place limit;
	char why[4500];

	if (service->n_opening == 0 ||
		!config_sets(diagnosis->config, "TasksMax,MemoryMax,CPUWeight,IOWeight,RuntimeMaxSec", NULL,
			&limit))
		return;
	snprintf(why, sizeof(why),
		"%s:%u sets a limit, which pam_systemd.so applies, told by the module's account line",
		limit.file, limit.line);
	if (!service->has_account)
		diagnose(diagnosis, SEVERITY_FAULT, "pam-account",
			place_of(&service->stack->lines[service->first_opening]), why,
			"add \"account required " MODULE "\"",
			"no account line of " MODULE " in the stack of %s", service->name);
	if (!service->has_systemd)
		diagnose(diagnosis, SEVERITY_FAULT, "pam-systemd-missing",
			place_of(&service->stack->lines[service->first_opening]), why,
			"add \"session optional pam_systemd.so\" before " MODULE,
			"no pam_systemd.so in the session stack of %s", service->name);
}

static void examine_line(struct diagnosis *diagnosis, struct service *service, size_t i)
{
	const struct pam_line *line = &service->stack->lines[i];

	examine_file(diagnosis, line);
	if (line->unknown_type) {
		diagnose(diagnosis, SEVERITY_FAULT, "pam-type", place_of(line),
			"libpam does not run the module, and counts the line as failed in the stack that "
			"includes it, or else in auth: logins are refused, or, as with an SSH key, which "
			"asks no auth, let in without a box",
			"write session, or account for limits", "\"%s\" is no type that libpam knows",
			line->unknown_type);
		return;
	}
	if (strcasecmp(line->type, "auth") == 0 || strcasecmp(line->type, "password") == 0) {
		diagnose(diagnosis, SEVERITY_FAULT, "pam-type", place_of(line),
			"the module authenticates nobody and changes no password: libpam counts it as "
			"failed, or it stands "
			"there in vain",
			"take the line out; session, and account for limits, are the types it has",
			MODULE " in the %s stack of %s", line->type, service->name);
		return;
	}
	examine_arguments(diagnosis, line);
	if (strcasecmp(line->type, "account") == 0) {
		service->has_account = true;
		return;
	}
	examine_control(diagnosis, line);
	if (opens(line) && service->n_opening++ == 0)
		service->first_opening = i;
	if (closes(line) && service->n_closing++ == 0)
		service->first_closing = i;
}

static bool is_ours(const struct pam_line *line)
{
	return pam_line_is(line, line->type, MODULE);
}

static void examine_stack(struct diagnosis *diagnosis, const char *name, const struct pam_stack *stack)
{
	struct service service = {.name = name, .stack = stack};

	for (size_t i = 0; i < stack->n_lines; i++) {
		const struct pam_line *line = &stack->lines[i];

		if (line->is_missing_file)
			diagnose(diagnosis, SEVERITY_FAULT, "pam-include", place_of(line),
				"libpam refuses every login of a service whose stack it cannot read",
				"name a file that exists", "it includes %s, which cannot be read",
				line->module);
		service.has_systemd =
			service.has_systemd ||
			(is_session_module(line) && (pam_line_is(line, "session", "pam_systemd.so") ||
							    pam_line_is(line, "session", "pam_elogind.so")));
		if (is_misspelt(line))
			examine_misspelt(diagnosis, line);
		else if (is_ours(line))
			examine_line(diagnosis, &service, i);
	}
	examine_caller(diagnosis, &service);
	examine_halves(diagnosis, &service);
	if (service.n_opening > 0) {
		examine_order(diagnosis, stack, service.first_opening);
		examine_shortcuts(diagnosis, stack, service.first_opening);
	}
	examine_limits(diagnosis, &service);
}

void examine_pam(struct diagnosis *diagnosis)
{
	json_t *services = json_array();
	char **names = NULL;
	size_t n_names = 0;
	bool any = false;

	pam_services(&names, &n_names);
	for (size_t i = 0; i < n_names; i++) {
		struct pam_stack stack;
		bool ours = false;

		if (names[i] && pam_stack_read(names[i], &stack) == 0)
			for (size_t j = 0; j < stack.n_lines; j++)
				ours = ours || is_ours(&stack.lines[j]) || is_misspelt(&stack.lines[j]);
		if (ours) {
			examine_stack(diagnosis, names[i], &stack);
			json_array_append_new(services, json_string(names[i]));
			any = true;
		}
		pam_stack_free(&stack);
		free(names[i]);
	}
	free(names);
	json_object_set_new(diagnosis->system, "services", services);
	if (!any)
		diagnose(diagnosis, SEVERITY_NOTE, "pam-unused", (struct place){.file = "/etc/pam.d"},
			"no login is boxed",
			"add \"session required " MODULE "\" as the last line of a service, such as sshd",
			"no service names " MODULE);
}
