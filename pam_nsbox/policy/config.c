#include "config.h"
#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the administrator reads: before, then the text that is wrong, then after. */
static const struct {
	enum weight weight;
	const char *before, *after;
} faults[N_FAULTS] = {
	[FAULT_UNREADABLE] = {WEIGHT_FILE, NULL, NULL},
	[FAULT_NUL] = {WEIGHT_FILE, "a NUL byte stands in the line ",
		", so this is no text file; write it anew"},
	[FAULT_BOM] = {WEIGHT_FILE, "the file begins with a byte order mark ", "; save it without one"},
	[FAULT_LONG_LINE] = {WEIGHT_FILE, "the line ", NULL},
	[FAULT_BACKSLASH] = {WEIGHT_FILE, "the line ",
		" ends in a backslash, and lines cannot be continued; "
		"write it on one line"},
	[FAULT_CONTROL_KEY] = {WEIGHT_FILE, "the key ", " holds a control character; remove it"},
	[FAULT_NO_EQUALS] = {WEIGHT_FILE, "the line ", " is neither KEY = VALUE nor [SECTION] nor a comment"},
	[FAULT_NO_KEY] = {WEIGHT_FILE, "the line ", " has no key before its \"=\""},
	[FAULT_NO_SECTION] = {WEIGHT_FILE, "the key ",
		" stands before the first section; begin with [default] or "
		"[policy NAME]"},
	[FAULT_HEADER_OPEN] = {WEIGHT_FILE, "the section header ", " has no closing \"]\""},
	[FAULT_HEADER_TAIL] = {WEIGHT_FILE, "the text ",
		" stands behind a section header; only a comment can"},
	[FAULT_UNKNOWN_SECTION] = {WEIGHT_FILE, "the section ", " is neither [default] nor [policy NAME]"},
	[FAULT_UNKNOWN_KIND] = {WEIGHT_SECTION, "the section ", " is neither [default] nor [policy NAME]"},
	[FAULT_POLICY_NAME] = {WEIGHT_SECTION, "the policy name ",
		" is not valid; expected 1 to 64 bytes without \"/\", quotation marks or control characters, "
		"not "
		"beginning with \".\" and not \"default\""},
	[FAULT_SECTION_TWICE] = {WEIGHT_SECTION, "the section ", " is given twice"},
	[FAULT_UNKNOWN_KEY] = {WEIGHT_SECTION, "the key ", " is not known"},
	[FAULT_KEY_TWICE] = {WEIGHT_SECTION, "the key ", " is given twice in this section"},
	[FAULT_MATCH_IN_DEFAULT] = {WEIGHT_SECTION, "the key ",
		" says whom a policy is for, and [default] is for everybody; move it to a [policy NAME]"},
	[FAULT_QUOTE_OPEN] = {WEIGHT_SECTION, "the quotation mark before ", " is never closed"},
	[FAULT_QUOTE_TAIL] = {WEIGHT_SECTION, "in the value ",
		" text stands behind the closing quotation mark; put the whole value between one pair of "
		"marks, or "
		"none"},
	[FAULT_QUOTE_INSIDE] = {WEIGHT_SECTION, "in the value ",
		" a quotation mark stands inside; put the whole value between one pair of marks, or none"},
	[FAULT_QUOTE_BACKSLASH] = {WEIGHT_SECTION, "in the quoted value ",
		" a backslash stands, which versions of iniparser read differently; leave the marks out"},
	[FAULT_COMMENT_GLUED] = {WEIGHT_SECTION, "in the value ",
		" a \";\" or \"#\" follows without a space; quote the value if it belongs to it, or put a "
		"space before "
		"the comment"},
	[FAULT_CONTROL_VALUE] = {WEIGHT_SECTION, "the value ", " holds a control character; remove it"},
	[FAULT_DECIDES_NOBODY] = {WEIGHT_NOTE, "the policy ",
		" has no Users, Groups or Services, so it is for nobody; expected at least one of them"},
	[FAULT_CRLF] = {WEIGHT_NOTE, "the line ",
		" ends in CR LF, as on Windows; save the file with LF alone"},
	[FAULT_NO_NEWLINE] = {WEIGHT_NOTE, "the last line ",
		" has no end of line, so the file may have been cut off; end it with a newline"},
};

enum weight config_weight(enum fault fault)
{
	return faults[fault].weight;
}

const struct entry *config_entry(
	const struct config *config, const struct section *section, const struct key *key)
{
	for (size_t i = 0; i < section->n_entries; i++)
		if (config->entries[section->first_entry + i].key == key)
			return &config->entries[section->first_entry + i];
	return NULL;
}

char *config_place(const struct config *config, const struct section *section, uint32_t line)
{
	char *place;

	return asprintf(&place, "%s:%u", config->files[section->file].path, line) < 0 ? NULL : place;
}

/* What stands behind the sentence's fixed parts: where else, which key, how long. */
static void describe_rest(const struct config *config, const struct problem *problem, char *buf, size_t size)
{
	buf[0] = '\0';
	if (problem->other_line > 0)
		snprintf(buf, size, CONFIG_STANDS_FIRST "%s:%u", config->files[problem->other_file].path,
			problem->other_line);
	else if (problem->fault == FAULT_LONG_LINE)
		snprintf(buf, size, " has %zu bytes; iniparser reads at most %d", problem->text.length,
			CONFIG_LINE_MAX);
	else if (problem->fault == FAULT_UNKNOWN_KEY && problem->key)
		snprintf(buf, size, "; did you mean %s?", problem->key->name);
	else if (problem->fault == FAULT_UNKNOWN_KEY)
		snprintf(buf, size, "; nsbox.conf(5) lists all keys");
}

void config_describe_alone(const struct config *config, const struct problem *problem, struct sentence *out)
{
	char shown[PRINTABLE_SIZE], rest[SENTENCE_SIZE];

	if (problem->sentence) {
		sentence_set(out, "%s", problem->sentence);
		return;
	}
	describe_rest(config, problem, rest, sizeof(rest));
	sentence_set(out, "%s%s%s%s", faults[problem->fault].before, printable(problem->text, shown),
		faults[problem->fault].after ? faults[problem->fault].after : "", rest);
}

void config_describe(const struct config *config, const struct problem *problem, struct sentence *out)
{
	struct sentence what = {.text = ""};

	config_describe_alone(config, problem, &what);
	sentence_set(out, "%s:%u: %s", config->files[problem->file].path, problem->line, what.text);
}

/* Appends a file without text; path becomes its own. Also frees path when it fails. */
static struct file *add_file(struct config *config, char *path)
{
	struct file *file = path ? array_append(&config->files, &config->n_files, sizeof(*file)) : NULL;

	if (!file) {
		free(path);
		return NULL;
	}
	file->path = path;
	return file;
}

/* The last file (or folder) is not to be trusted. */
static int distrust(struct config *config, const struct sentence *why)
{
	struct problem *problem = index_problem(
		config, FAULT_UNREADABLE, (uint32_t)config->n_files - 1, 1, SIZE_MAX, (struct span){NULL, 0});

	if (problem)
		problem->sentence = strdup(why->text);
	return problem && problem->sentence ? 0 : -ENOMEM;
}

/* Reads one file, if it exists. Takes path. */
static int load_file(struct config *config, int folder, const char *name, char *path, bool trusted)
{
	struct file *file = add_file(config, path);
	struct sentence why = {.text = ""};
	int r;

	if (!file)
		return -ENOMEM;
	r = files_read(folder, name, trusted, file, &why);
	if (r == -ENOENT) {
		free(file->path);
		config->n_files--;
		return 0;
	}
	if (r == -ENOMEM)
		return r;
	return r < 0 ? distrust(config, &why) : index_file(config, (uint32_t)config->n_files - 1);
}

static char *join(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* Opens a folder; -ENOENT if there is none. What is wrong with it becomes a problem, and *fd is -1. */
static int open_folder(
	struct config *config, int parent, const char *name, const char *path, bool trusted, int *fd)
{
	struct sentence why = {.text = ""};

	*fd = files_open_folder(parent, name, parent == AT_FDCWD, trusted, &why);
	if (*fd >= 0 || *fd == -ENOENT)
		return *fd < 0 ? -ENOENT : 0;
	*fd = -1;
	return add_file(config, strdup(path)) ? distrust(config, &why) : -ENOMEM;
}

/* Reads FILE.d beside the file. */
static int load_drop_ins(struct config *config, int folder, const char *name, const char *path, bool trusted)
{
	AUTO_FREE char *drop_name = NULL, *drop_path = NULL;
	AUTO_CLOSE int fd = -1;
	char **names = NULL;
	size_t n_names = 0;
	int r;

	if (asprintf(&drop_name, "%s.d", name) < 0 || asprintf(&drop_path, "%s.d", path) < 0)
		return -ENOMEM;
	r = open_folder(config, folder, drop_name, drop_path, trusted, &fd);
	if (r == 0 && fd >= 0)
		r = files_list(fd, &names, &n_names);
	for (size_t i = 0; i < n_names; i++) {
		if (r == 0 && names[i])
			r = load_file(config, fd, names[i], join(drop_path, names[i]), trusted);
		free(names[i]);
	}
	free(names);
	return r == -ENOENT ? 0 : r;
}

/* Whoever names a file wants that file, and not the built-in policy in its place. */
static int refuse_named(struct config *config, const char *path, const char *what)
{
	struct sentence why;

	sentence_set(&why, "%s", what);
	return add_file(config, strdup(path)) ? distrust(config, &why) : -ENOMEM;
}

static int load_folder(struct config *config, const char *path, bool trusted)
{
	AUTO_FREE char *for_folder = strdup(path), *for_name = strdup(path);
	AUTO_CLOSE int folder = -1;
	const char *name;
	int r;

	if (!for_folder || !for_name)
		return -ENOMEM;
	name = basename(for_name); /* libgen's, which makes a dirname's counterpart */
	r = open_folder(config, AT_FDCWD, dirname(for_folder), path, trusted, &folder);
	if (r == 0 && folder >= 0) {
		r = load_file(config, folder, name, strdup(path), trusted);
		if (r == 0)
			r = load_drop_ins(config, folder, name, path, trusted);
	}
	return r == -ENOENT ? 0 : r;
}

static int load(struct config *config, const char *path, bool trusted)
{
	bool named = path && trusted;
	int r;

	if (named && path[0] != '/')
		r = refuse_named(config, path,
			"a path that does not begin with \"/\" leads elsewhere from every directory; name "
			"the "
			"configuration by its whole path");
	else
		r = load_folder(config, path ? path : NSBOX_CONF, trusted);
	if (r == 0 && named && config->n_files == 0)
		r = refuse_named(config, path,
			"the configuration is to be here, and is not; make the file, or do not name it");
	return r == 0 ? index_finish(config) : r;
}

struct config *config_load(const char *path, bool trusted)
{
	struct config *config = calloc(1, sizeof(*config));

	if (config && load(config, path, trusted) < 0) {
		config_free(config);
		config = NULL;
	}
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_files; i++) {
		free(config->files[i].path);
		free(config->files[i].text);
	}
	for (size_t i = 0; i < config->n_problems; i++)
		free(config->problems[i].sentence);
	free(config->files);
	free(config->sections);
	free(config->entries);
	free(config->problems);
	free(config);
}
