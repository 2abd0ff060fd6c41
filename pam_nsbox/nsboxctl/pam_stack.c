#include "pam_stack.h"
#include "../policy/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* libpam looks into both, the first wins. */
static const char *const folders[] = {"/etc/pam.d", "/usr/lib/pam.d"};

#define MAX_DEPTH 16 /* of includes; libpam stops at 16 too */

struct reading {
	struct pam_stack *stack;
	const char *only_type; /* one of find_type's; NULL: every type */
	int level;
	int depth;
};

static int read_file(const char *name, const struct reading *reading);

static FILE *open_stack(const char *name, char *path, size_t size)
{
	FILE *file;

	if (name[0] == '/') {
		snprintf(path, size, "%s", name);
		return fopen(path, "re");
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		snprintf(path, size, "%s/%s", folders[i], name);
		file = fopen(path, "re");
		if (file)
			return file;
	}
	snprintf(path, size, "%s/%s", folders[0], name);
	return NULL;
}

/* One line with those that a backslash at its end joins to it, and without its comment. Returns how many lines it took,
 * 0 at the end of the file.
 */
static unsigned int read_line(FILE *file, char **text)
{
	char *part = NULL, *whole = NULL;
	size_t room = 0, length = 0;
	unsigned int lines = 0;
	ssize_t size;
	bool more = true;

	while (more && getline(&part, &room, file) > 0) {
		char *joined;

		lines++;
		part[strcspn(part, "#\n")] = '\0';
		size = (ssize_t)strlen(part);
		more = size > 0 && part[size - 1] == '\\';
		if (more)
			part[size - 1] = ' ';
		joined = realloc(whole, length + (size_t)size + 1);
		if (!joined)
			break;
		whole = joined;
		memcpy(whole + length, part, (size_t)size + 1);
		length += (size_t)size;
	}
	free(part);
	*text = whole;
	return lines;
}

/* The next word, cut out in place; one in brackets, without them, may hold blanks. NULL: there is none. */
static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t"), *end;

	if (*word == '\0')
		return NULL;
	if (*word == '[') {
		end = ++word;
		while (*end && *end != ']')
			end += end[0] == '\\' && end[1] ? 2 : 1;
	} else {
		end = word + strcspn(word, " \t");
	}
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

/* The type that a word names, as libpam writes it; NULL: none. */
static const char *find_type(const char *word)
{
	static const char *const types[] = {"auth", "account", "password", "session"};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcasecmp(word, types[i]) == 0)
			return types[i];
	return NULL;
}

static struct pam_line *add_line(const struct reading *reading, const char *path, unsigned int number)
{
	struct pam_line *line = array_append(&reading->stack->lines, &reading->stack->n_lines, sizeof(*line));

	if (!line)
		return NULL;
	line->file = strdup(path);
	line->line = number;
	line->level = reading->level;
	return line->file ? line : NULL;
}

/* A line for a file, in place of a module. */
static struct pam_line *add_file(const struct reading *reading, const char *path, unsigned int number,
	const char *type, const char *name)
{
	struct pam_line *line = add_line(reading, path, number);

	if (!line || asprintf(&line->text, "%s%c%s", type, '\0', name) < 0)
		return NULL;
	line->type = line->text;
	line->module = line->text + strlen(type) + 1;
	line->control = "";
	return line;
}

static int read_included(const struct reading *outer, const char *path, unsigned int number, const char *type,
	const char *name, bool as_substack)
{
	struct reading reading = *outer;
	struct pam_line *line;
	int result;

	reading.only_type = type ? type : outer->only_type;
	if (++reading.depth > MAX_DEPTH)
		return 0;
	if (as_substack) {
		line = add_file(outer, path, number, type, name);
		if (!line)
			return -ENOMEM;
		line->is_substack = true;
		reading.level++;
	}
	result = read_file(name, &reading);
	if (result != -ENOENT)
		return result;
	line = add_file(outer, path, number, type ? type : "session", name);
	if (!line)
		return -ENOMEM;
	line->is_missing_file = true;
	return 0;
}

/* text becomes the new line's. */
static int take_line(const struct reading *reading, const char *path, unsigned int number, char *text)
{
	char *rest = text, *word = next_word(&rest), *control, *module;
	const char *type, *unknown_type = NULL;
	struct pam_line *line;
	bool may_be_missing;
	int result = 0;

	if (!word) {
		free(text);
		return 0;
	}
	if (strcasecmp(word, "@include") == 0) {
		module = next_word(&rest);
		if (module)
			result = read_included(reading, path, number, NULL, module, false);
		free(text);
		return result;
	}
	may_be_missing = *word == '-';
	word += may_be_missing;
	type = find_type(word);
	/* libpam (pam_handlers.c) takes a word that is no type for the type that is included, or else for auth. It runs no
	 * module there, but counts PAM_PERM_DENIED as what one returned.
	 */
	if (!type) {
		unknown_type = word;
		type = reading->only_type ? reading->only_type : "auth";
	}
	control = next_word(&rest);
	module = control ? next_word(&rest) : NULL;
	if (!module || (reading->only_type && strcasecmp(type, reading->only_type) != 0)) {
		free(text);
		return 0;
	}
	if (strcasecmp(control, "include") == 0 || strcasecmp(control, "substack") == 0) {
		result = read_included(
			reading, path, number, type, module, strcasecmp(control, "substack") == 0);
		free(text);
		return result;
	}
	line = add_line(reading, path, number);
	if (!line) {
		free(text);
		return -ENOMEM;
	}
	line->text = text;
	line->may_be_missing = may_be_missing;
	line->type = type;
	line->unknown_type = unknown_type;
	line->control = control;
	line->module = module;
	while ((word = next_word(&rest)))
		if (line->n_arguments < sizeof(line->arguments) / sizeof(*line->arguments))
			line->arguments[line->n_arguments++] = word;
	return 0;
}

static int read_file(const char *name, const struct reading *reading)
{
	char path[4200], *text;
	FILE *file = open_stack(name, path, sizeof(path));
	unsigned int number = 1, lines;
	int result = 0;

	if (!file)
		return -ENOENT;
	while (result == 0 && (lines = read_line(file, &text)) > 0) {
		result = text ? take_line(reading, path, number, text) : -ENOMEM;
		number += lines;
	}
	fclose(file);
	return result;
}

int pam_stack_read(const char *service, struct pam_stack *stack)
{
	const struct reading reading = {.stack = stack};

	*stack = (struct pam_stack){.lines = NULL};
	return read_file(service, &reading);
}

void pam_stack_free(struct pam_stack *stack)
{
	for (size_t i = 0; i < stack->n_lines; i++) {
		free(stack->lines[i].text);
		free(stack->lines[i].file);
	}
	free(stack->lines);
}

bool pam_line_is(const struct pam_line *line, const char *type, const char *module)
{
	const char *slash = strrchr(line->module, '/');

	return !line->is_missing_file && !line->is_substack && strcasecmp(line->type, type) == 0 &&
	       strcmp(slash ? slash + 1 : line->module, module) == 0;
}

/* --- services --- */

/* What packages and editors leave behind is nobody's service. */
static int is_service(const struct dirent *entry)
{
	static const char *const leftovers[] = {".dpkg-old", ".dpkg-new", ".dpkg-dist", ".dpkg-bak",
		".dpkg-tmp", ".rpmnew", ".rpmsave", ".rpmorig", "~"};
	size_t length = strlen(entry->d_name);

	for (size_t i = 0; i < sizeof(leftovers) / sizeof(*leftovers); i++) {
		size_t tail = strlen(leftovers[i]);

		if (length >= tail && strcmp(entry->d_name + length - tail, leftovers[i]) == 0)
			return 0;
	}
	return entry->d_name[0] != '.';
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_in(char *const *names, size_t n_names, const char *name)
{
	for (size_t i = 0; i < n_names; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

int pam_services(char ***names, size_t *n_names)
{
	*names = NULL;
	*n_names = 0;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		struct dirent **entries = NULL;
		int n = scandir(folders[i], &entries, is_service, NULL), result = 0;

		for (int j = 0; j < n; j++) {
			char **name = is_in(*names, *n_names, entries[j]->d_name)
					      ? NULL
					      : array_append(names, n_names, sizeof(*name));

			if (name)
				*name = strdup(entries[j]->d_name);
			if (name && !*name)
				result = -ENOMEM;
			free(entries[j]);
		}
		free(entries);
		if (result < 0)
			return result;
	}
	if (*n_names > 0)
		qsort(*names, *n_names, sizeof(**names), by_name);
	return 0;
}
