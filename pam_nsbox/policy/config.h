/* nsbox.conf and nsbox.conf.d: where every section and key stands, and all that is wrong with them.
 *
 * The index made here knows every line, for messages and for matching; it costs one pass over the text. The
 * values that take effect are read with iniparser (settings.c), and index and iniparser must agree on each.
 *
 * Problems weigh differently. One of the file makes it unsure where sections begin and end, or whose text it
 * is: nobody's policy is known. One of a section concerns only logins that this section decides, or, in
 * [default], whose settings start there. A note refuses nobody.
 */
#ifndef NSBOX_POLICY_CONFIG_H
#define NSBOX_POLICY_CONFIG_H

#include "files.h"
#include "keys.h"
#include "text.h"

#include <stdint.h>

#ifndef NSBOX_CONF
#define NSBOX_CONF "/etc/security/nsbox.conf"
#endif

/* iniparser reads lines of at most 1,024 bytes with the line's end and a NUL, and refuses the file for a
 * longer one.
 */
#define CONFIG_LINE_MAX	  1022
#define CONFIG_POLICY_MAX 64 /* bytes of a policy's name */

enum weight { WEIGHT_FILE, WEIGHT_SECTION, WEIGHT_NOTE };

enum fault {
	FAULT_NONE,
	/* of a file */
	FAULT_UNREADABLE,
	FAULT_NUL,
	FAULT_BOM,
	FAULT_LONG_LINE,
	FAULT_BACKSLASH,
	FAULT_CONTROL_KEY,
	FAULT_NO_EQUALS,
	FAULT_NO_KEY,
	FAULT_NO_SECTION,
	FAULT_HEADER_OPEN,
	FAULT_HEADER_TAIL,
	FAULT_UNKNOWN_SECTION,
	/* of a section */
	FAULT_UNKNOWN_KIND,
	FAULT_POLICY_NAME,
	FAULT_SECTION_TWICE,
	FAULT_UNKNOWN_KEY,
	FAULT_KEY_TWICE,
	FAULT_MATCH_IN_DEFAULT,
	FAULT_QUOTE_OPEN,
	FAULT_QUOTE_TAIL,
	FAULT_QUOTE_INSIDE,
	FAULT_QUOTE_BACKSLASH,
	FAULT_COMMENT_GLUED,
	FAULT_CONTROL_VALUE,
	/* notes */
	FAULT_DECIDES_NOBODY,
	FAULT_CRLF,
	FAULT_NO_NEWLINE,
	N_FAULTS
};

struct problem {
	enum fault fault;
	uint32_t file, line; /* index of files; counted from 1, which also stands for the whole file */
	uint32_t other_file, other_line; /* where it stands first, if twice; line 0: nowhere */
	size_t section;			 /* index of sections, or SIZE_MAX */
	struct span text;		 /* what is wrong */
	const struct key *key;		 /* the key that it is about, or the nearest one; or NULL */
	char *sentence;			 /* FAULT_UNREADABLE: why; owned */
};

/* One line KEY = VALUE. */
struct entry {
	/* The row. Of an unknown name whose nearest row says whom a policy is for, that row, so that a typo
	 * there concerns those alone that were meant; of any other unknown name NULL.
	 */
	const struct key *key;
	struct span value; /* unquoted; as good as can be told, if there is a fault */
	uint32_t line;
	enum fault fault;
};

struct section {
	bool is_default;
	bool unknown; /* neither [default] nor [policy NAME] */
	bool decides; /* it has Users, Groups or Services, or a typo of them */
	bool faulty;  /* some problem of weight WEIGHT_SECTION is its own */
	uint32_t file, line;
	struct span name; /* of a policy, in its own case; for messages, if it is neither */
	struct span body; /* the text between this header and the next */
	size_t first_entry, n_entries;
	uint64_t seen; /* the rows that have an entry */
};

struct config {
	struct file *files;
	size_t n_files;
	struct section *sections; /* in the order of reading */
	size_t n_sections;
	struct entry *entries;
	size_t n_entries;
	struct problem *problems;
	size_t n_problems;
	size_t default_section; /* index, or SIZE_MAX */
	size_t untrusted;	/* index of the first problem of weight WEIGHT_FILE, or SIZE_MAX */
};

/* Reads path (NULL: NSBOX_CONF) and path.d/ *.conf. Where trusted is false, as for a draft that an
 * administrator checks, it does not matter whom files belong to, nor whether there are any. A path that is
 * named and trusted must be absolute, and a file must be there. What is wrong is no error of this function but
 * stands in problems; NULL is returned for want of memory alone. config_free takes NULL.
 */
struct config *config_load(const char *path, bool trusted);
void config_free(struct config *config);

enum weight config_weight(enum fault fault);

/* The entry of the section for this row that counts, or NULL: the first one, since a second is an error. */
const struct entry *config_entry(
	const struct config *config, const struct section *section, const struct key *key);

/* Writes the problem as "file:line: sentence", or the sentence alone. */
void config_describe_alone(const struct config *config, const struct problem *problem, struct sentence *out);
void config_describe(const struct config *config, const struct problem *problem, struct sentence *out);

/* "file:line" of a line of a section, in new memory, or NULL. */
char *config_place(const struct config *config, const struct section *section, uint32_t line);

/* What a message says before "file:line" of another place, at its end. */
#define CONFIG_STANDS_FIRST "; it stands first at "

/* Everything that is wrong, for `nsboxctl check`: the problems of the index, and those of every value of
 * every section, in order of file and line. Owned by the caller: findings_free.
 */
struct finding {
	const char *file; /* the config's */
	uint32_t line;
	enum weight weight;
	uint64_t order; /* what they are sorted by */
	char *message;	/* one sentence, without file and line */
};
int config_check(const struct config *config, struct finding **findings, size_t *n_findings);
void findings_free(struct finding *findings, size_t n_findings);

#endif
