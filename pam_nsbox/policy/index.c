#include "index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct indexer {
	struct config *config;
	uint32_t file, line;
	size_t section; /* the one that lines belong to, or SIZE_MAX before the first header */
	bool crlf;	/* said already */
	bool nul;	/* likewise */
	bool continued; /* by the line before */
	bool stray;	/* said already, or a broken header says it */
};

struct problem *index_problem(struct config *config, enum fault fault, uint32_t file, uint32_t line,
	size_t section, struct span text)
{
	struct problem *problem = array_append(&config->problems, &config->n_problems, sizeof(*problem));

	if (!problem)
		return NULL;
	problem->fault = fault;
	problem->file = file;
	problem->line = line;
	problem->section = section;
	problem->text = text;
	if (section != SIZE_MAX && config_weight(fault) == WEIGHT_SECTION)
		config->sections[section].faulty = true;
	return problem;
}

/* A problem of the line at hand; 0 or -ENOMEM. */
static int complain(struct indexer *ix, enum fault fault, struct span text)
{
	return index_problem(ix->config, fault, ix->file, ix->line, ix->section, text) ? 0 : -ENOMEM;
}

/* Bytes that need a closer look. */
enum { CONTROL = 1, QUOTE = 2, COMMENT = 4 };

/* Which of these are in the text. Most have none, and a large configuration is looked through once this way.
 */
static unsigned int special_bytes(struct span span)
{
	unsigned int found = 0;

	for (size_t i = 0; i < span.length; i++) {
		unsigned char c = (unsigned char)span.at[i];

		found |= ((c < ' ' && c != '\t') || c == 0x7f ? CONTROL : 0u) |
			 (c == '"' || c == '\'' ? QUOTE : 0u) | (c == '#' || c == ';' ? COMMENT : 0u);
	}
	return found;
}

static bool has_control(struct span span)
{
	return special_bytes(span) & CONTROL;
}

static bool is_comment(char c)
{
	return c == ';' || c == '#';
}

/* A name is shown in the log and in lists, and parts of paths are made of it. */
static bool good_policy_name(struct span name)
{
	return name.length > 0 && name.length <= CONFIG_POLICY_MAX && !has_control(name) &&
	       name.at[0] != '.' && !memchr(name.at, '/', name.length) &&
	       !memchr(name.at, '"', name.length) && !span_equal_ignoring_case(name, "default");
}

/* Splits "policy NAME" and the like at the first blank. */
static void split_header(struct span inside, struct span *kind, struct span *name)
{
	size_t length = 0;

	while (length < inside.length && inside.at[length] != ' ' && inside.at[length] != '\t')
		length++;
	*kind = (struct span){inside.at, length};
	*name = span_trim(span_skip(inside, length));
}

static int index_header(struct indexer *ix, struct span line)
{
	const char *end = memchr(line.at, ']', line.length);
	struct span inside, tail, kind, name;
	struct section *section;
	enum fault fault = FAULT_NONE;

	ix->section = SIZE_MAX;
	ix->stray = true;
	if (!end)
		return complain(ix, FAULT_HEADER_OPEN, line);
	inside = span_trim((struct span){line.at + 1, (size_t)(end - line.at) - 1});
	tail = span_trim(span_skip(line, (size_t)(end - line.at) + 1));
	if (tail.length > 0 && !is_comment(tail.at[0]))
		return complain(ix, FAULT_HEADER_TAIL, tail);
	section = array_append(&ix->config->sections, &ix->config->n_sections, sizeof(*section));
	if (!section)
		return -ENOMEM;
	ix->section = ix->config->n_sections - 1;
	section->file = ix->file;
	section->line = ix->line;
	section->first_entry = ix->config->n_entries;
	split_header(inside, &kind, &name);
	section->is_default = span_equal_ignoring_case(inside, "default");
	section->name = name;
	if (span_equal_ignoring_case(kind, "policy"))
		fault = good_policy_name(name) ? FAULT_NONE : FAULT_POLICY_NAME;
	else if (!section->is_default)
		fault = FAULT_UNKNOWN_KIND;
	section->unknown = fault == FAULT_UNKNOWN_KIND;
	if (section->unknown || section->is_default)
		section->name = inside;
	return fault ? complain(ix, fault, section->name) : 0;
}

/* Whether a quotation mark stands where it looks like one of a pair: any '"', and a "'" that begins a word,
 * but not the one inside a name such as O'Brien.
 */
static bool has_quote(struct span value)
{
	for (size_t i = 0; i < value.length; i++)
		if (value.at[i] == '"' ||
			(value.at[i] == '\'' && (i == 0 || strchr(" \t,", value.at[i - 1]))))
			return true;
	return false;
}

/* A value that begins with a quotation mark. iniparser 4.1 ends it at the next such mark whatever stands
 * behind; 4.2 takes a backslash in it as an escape and 4.1 does not.
 */
static enum fault read_quoted(struct span text, struct span *value)
{
	const char *end = memchr(text.at + 1, text.at[0], text.length - 1);
	struct span tail;

	*value = span_skip(text, 1);
	if (!end)
		return FAULT_QUOTE_OPEN;
	tail = span_skip(text, (size_t)(end - text.at) + 1);
	if (span_trim(tail).length > 0 && !is_comment(span_trim(tail).at[0])) {
		*value = text;
		return FAULT_QUOTE_TAIL;
	}
	value->length = (size_t)(end - value->at);
	return memchr(value->at, '\\', value->length) ? FAULT_QUOTE_BACKSLASH : FAULT_NONE;
}

/* Any other value. iniparser ends it at the first ";" or "#", wherever that stands. */
static enum fault read_plain(struct span text, struct span *value)
{
	for (size_t i = 0; i < text.length; i++)
		if (is_comment(text.at[i])) {
			if (i > 0 && text.at[i - 1] != ' ' && text.at[i - 1] != '\t') {
				*value = text;
				return FAULT_COMMENT_GLUED;
			}
			text.length = i;
		}
	*value = span_trim(text);
	return has_quote(*value) ? FAULT_QUOTE_INSIDE : FAULT_NONE;
}

static enum fault read_value(struct span text, struct span *value)
{
	enum fault fault;

	text = span_trim(text);
	if (special_bytes(text) == 0) {
		*value = text;
		return FAULT_NONE;
	}
	fault = text.length > 0 && (text.at[0] == '"' || text.at[0] == '\'') ? read_quoted(text, value)
									     : read_plain(text, value);
	return fault == FAULT_NONE && has_control(*value) ? FAULT_CONTROL_VALUE : fault;
}

/* What is wrong with an entry's key, in this section. */
static enum fault check_key(struct section *section, const struct key *key)
{
	uint64_t bit;

	if (!key)
		return FAULT_UNKNOWN_KEY;
	bit = UINT64_C(1) << key_index(key);
	if (section->seen & bit)
		return FAULT_KEY_TWICE;
	section->seen |= bit;
	return key->matches && section->is_default ? FAULT_MATCH_IN_DEFAULT : FAULT_NONE;
}

/* The problem of an entry, with the row that it is about. */
static int complain_of_entry(struct indexer *ix, enum fault fault, struct span text, const struct key *key)
{
	const struct entry *first;
	struct problem *problem = index_problem(ix->config, fault, ix->file, ix->line, ix->section, text);

	if (!problem)
		return -ENOMEM;
	problem->key = key;
	if (fault == FAULT_KEY_TWICE) {
		first = config_entry(ix->config, &ix->config->sections[ix->section], key);
		problem->other_file = ix->file;
		problem->other_line = first ? first->line : 0;
	}
	return 0;
}

static int index_entry(struct indexer *ix, struct span name, struct span text)
{
	struct section *section = &ix->config->sections[ix->section];
	const struct key *key = key_find(name), *nearest = key;
	struct entry *entry;
	struct span value;
	enum fault key_fault = check_key(section, key), value_fault = read_value(text, &value);
	int r = 0;

	if (key_fault == FAULT_UNKNOWN_KEY)
		nearest = key_nearest(name);
	if (key_fault)
		r = complain_of_entry(ix, key_fault, name, nearest);
	if (r == 0 && value_fault)
		r = complain_of_entry(ix, value_fault, value, key);
	if (r < 0)
		return r;
	entry = array_append(&ix->config->entries, &ix->config->n_entries, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	section->n_entries++;
	entry->key = key || (nearest && nearest->matches) ? nearest : NULL;
	section->decides |= entry->key && entry->key->matches;
	entry->value = value;
	entry->line = ix->line;
	entry->fault = key_fault ? key_fault : value_fault;
	return 0;
}

/* Whether iniparser appends the next line, be it a header and this one a comment. It takes off more kinds of
 * white space before it looks for the backslash.
 */
static bool is_continued(struct span line)
{
	while (line.length > 0 && strchr(" \t\r\v\f", line.at[line.length - 1]))
		line.length--;
	return line.length > 0 && line.at[line.length - 1] == '\\';
}

/* What makes the line unreadable whatever it means to say. */
static enum fault check_line(struct span raw)
{
	if (raw.length > CONFIG_LINE_MAX)
		return FAULT_LONG_LINE;
	if (memchr(raw.at, '\0', raw.length))
		return FAULT_NUL;
	return is_continued(raw) ? FAULT_BACKSLASH : FAULT_NONE;
}

static int index_line(struct indexer *ix, struct span raw)
{
	struct span line = span_trim(raw), name;
	const char *equals;
	enum fault fault;
	bool continued;

	continued = ix->continued;
	fault = check_line(raw);
	ix->continued = fault == FAULT_BACKSLASH;
	if (fault == FAULT_NUL && ix->nul)
		return 0;
	ix->nul |= fault == FAULT_NUL;
	if (fault)
		return complain(ix, fault, fault == FAULT_LONG_LINE ? raw : line);
	if (line.length == 0)
		return 0;
	if (is_comment(line.at[0]))
		return 0;
	if (line.at[0] == '[')
		return index_header(ix, line);
	equals = memchr(line.at, '=', line.length);
	if (!equals)
		return continued ? 0 : complain(ix, FAULT_NO_EQUALS, line);
	name = span_trim((struct span){line.at, (size_t)(equals - line.at)});
	if (name.length == 0)
		return complain(ix, FAULT_NO_KEY, line);
	if (has_control(name))
		return complain(ix, FAULT_CONTROL_KEY, name);
	if (ix->section == SIZE_MAX) {
		fault = ix->stray ? FAULT_NONE : FAULT_NO_SECTION;
		ix->stray = true;
		return fault ? complain(ix, fault, name) : 0;
	}
	return index_entry(ix, name, span_skip(line, (size_t)(equals + 1 - line.at)));
}

/* Lets the section's body reach up to here. */
static void end_body(struct indexer *ix, const char *end)
{
	struct section *section;

	if (ix->section == SIZE_MAX)
		return;
	section = &ix->config->sections[ix->section];
	section->body.length = (size_t)(end - section->body.at);
}

static int index_lines(struct indexer *ix, struct span text)
{
	while (text.length > 0) {
		const char *end = memchr(text.at, '\n', text.length);
		struct span line = {text.at, end ? (size_t)(end - text.at) : text.length};
		size_t before = ix->section;
		int r;

		ix->line++;
		text = span_skip(text, line.length + (end ? 1 : 0));
		if (line.length > 0 && line.at[line.length - 1] == '\r') {
			line.length--;
			if (!ix->crlf && complain(ix, FAULT_CRLF, line) < 0)
				return -ENOMEM;
			ix->crlf = true;
		}
		r = index_line(ix, line);
		if (r < 0)
			return r;
		if (ix->section != before && ix->section != SIZE_MAX)
			ix->config->sections[ix->section].body.at = text.at;
		end_body(ix, text.at);
		if (!end && complain(ix, FAULT_NO_NEWLINE, line) < 0)
			return -ENOMEM;
	}
	return 0;
}

int index_file(struct config *config, uint32_t file)
{
	struct indexer ix = {.config = config, .file = file, .section = SIZE_MAX};
	struct span text = {config->files[file].text, config->files[file].size};

	if (!text.at)
		return 0;
	if (span_starts(text, "\xef\xbb\xbf")) {
		ix.line = 1;
		if (complain(&ix, FAULT_BOM, (struct span){text.at, 3}) < 0)
			return -ENOMEM;
		ix.line = 0;
		text = span_skip(text, 3);
	}
	return index_lines(&ix, text);
}

/* FNV-1a, to find sections of one name without comparing each with each. */
static uint64_t hash(struct span name)
{
	uint64_t value = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < name.length; i++)
		value = (value ^ (unsigned char)name.at[i]) * UINT64_C(1099511628211);
	return value;
}

/* [default] is one section however it is written; policies' names keep their case. A header that is neither says
 * nothing about the policy whose name it may have.
 */
static bool same_section(const struct section *a, const struct section *b)
{
	if (a->unknown != b->unknown)
		return false;
	if (a->is_default || b->is_default)
		return a->is_default && b->is_default;
	return a->name.length == b->name.length && memcmp(a->name.at, b->name.at, a->name.length) == 0;
}

static uint64_t hash_section(const struct section *section)
{
	return section->is_default ? 0 : hash(section->name);
}

/* Puts a section in its place in the table, or says that its name is taken. */
static int enter(struct config *config, size_t *table, size_t mask, size_t index)
{
	struct section *section = &config->sections[index];
	struct problem *problem;

	for (size_t at = hash_section(section) & mask;; at = (at + 1) & mask) {
		const struct section *other;

		if (table[at] == SIZE_MAX) {
			table[at] = index;
			return 0;
		}
		other = &config->sections[table[at]];
		if (!same_section(other, section))
			continue;
		problem = index_problem(
			config, FAULT_SECTION_TWICE, section->file, section->line, index, section->name);
		if (!problem)
			return -ENOMEM;
		problem->other_file = other->file;
		problem->other_line = other->line;
		/* Whichever of the two decides, it is not known which was meant. */
		config->sections[table[at]].faulty = true;
		return 0;
	}
}

static int find_twins(struct config *config)
{
	AUTO_FREE size_t *table = NULL;
	size_t size = 16;
	int r = 0;

	while (size < 2 * config->n_sections)
		size *= 2;
	table = malloc(size * sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table, 0xff, size * sizeof(*table)); /* SIZE_MAX everywhere */
	for (size_t i = 0; i < config->n_sections && r == 0; i++)
		r = enter(config, table, size - 1, i);
	return r;
}

/* A header of no known kind is a policy's if its section says for whom; else it may be meant for everybody.
 * Finds the first problem that leaves nothing to rely on.
 */
static void weigh_problems(struct config *config)
{
	config->untrusted = SIZE_MAX;
	for (size_t i = 0; i < config->n_problems; i++) {
		struct problem *problem = &config->problems[i];

		if (problem->fault == FAULT_UNKNOWN_KIND && !config->sections[problem->section].decides)
			problem->fault = FAULT_UNKNOWN_SECTION;
		if (config->untrusted == SIZE_MAX && config_weight(problem->fault) == WEIGHT_FILE)
			config->untrusted = i;
	}
}

int index_finish(struct config *config)
{
	int r = find_twins(config);

	weigh_problems(config);
	config->default_section = SIZE_MAX;
	for (size_t i = 0; i < config->n_sections && r == 0; i++) {
		struct section *section = &config->sections[i];

		if (section->is_default && config->default_section == SIZE_MAX)
			config->default_section = i;
		/* Of a file with broken lines this would be said for want of one of them. */
		if (!section->is_default && !section->decides && !section->unknown &&
			config->untrusted == SIZE_MAX &&
			!index_problem(
				config, FAULT_DECIDES_NOBODY, section->file, section->line, i, section->name))
			r = -ENOMEM;
	}
	return r;
}
