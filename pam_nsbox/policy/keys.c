#include "keys.h"
#include "values.h"

#include <stdint.h>
#include <string.h>

static const struct word propagations[] = {
	{"rslave", PROPAGATION_RSLAVE},
	{"rprivate", PROPAGATION_RPRIVATE},
	{NULL, 0},
};
static const struct word protect_procs[] = {
	{"default", PROTECT_PROC_DEFAULT},
	{"noaccess", PROTECT_PROC_NOACCESS},
	{"invisible", PROTECT_PROC_INVISIBLE},
	{"ptraceable", PROTECT_PROC_PTRACEABLE},
	{NULL, 0},
};
static const struct word proc_subsets[] = {
	{"all", PROC_SUBSET_ALL},
	{"pid", PROC_SUBSET_PID},
	{NULL, 0},
};
static const struct word scopes[] = {
	{"login", SCOPE_LOGIN},
	{"user", SCOPE_USER},
	{"policy", SCOPE_POLICY},
	{NULL, 0},
};
static const struct word on_errors[] = {
	{"deny", ON_ERROR_DENY},
	{"allow", ON_ERROR_ALLOW},
	{NULL, 0},
};
static const struct word private_tmps[] = {
	{"no", PRIVATE_TMP_NO},
	{"yes", PRIVATE_TMP_YES},
	{"user", PRIVATE_TMP_USER},
	{NULL, 0},
};

/* Rows that only say whom the policy is for: match.c reads them, they fill in nothing. */
#define MATCH_ROW(key, of_what, what)                                                                        \
	{                                                                                                    \
		.name = (key), .parse = parse_match, .matches = true,                                        \
		.allowed = "a comma-separated list of " of_what                                              \
			   ", where * and ? are wildcards and !item excludes",                               \
		.says = (what)                                                                               \
	}
#define WORD_ROW(key, target, list, first, expected, what)                                                   \
	{                                                                                                    \
		.name = (key), .parse = parse_word, .field = offsetof(struct policy, target),                \
		.words = (list), .built_in = (first), .allowed = (expected), .says = (what)                  \
	}
#define BOOLEAN_ROW(key, target, first, what)                                                                \
	{                                                                                                    \
		.name = (key), .parse = parse_boolean, .field = offsetof(struct policy, target),             \
		.built_in = (first), .allowed = "yes or no", .says = (what)                                  \
	}
#define PATHS_ROW(key, path_kind, what)                                                                      \
	{                                                                                                    \
		.name = (key), .parse = parse_paths, .kind = (path_kind),                                    \
		.allowed = "a comma-separated list of absolute paths, each with an optional leading \"-\"",  \
		.says = (what)                                                                               \
	}
#define BINDS_ROW(key, path_kind, what)                                                                      \
	{                                                                                                    \
		.name = (key), .parse = parse_binds, .kind = (path_kind),                                    \
		.allowed = "a comma-separated list of [-]SOURCE[:DESTINATION[:rbind|norbind]]",              \
		.says = (what)                                                                               \
	}
#define LIMIT_ROW(key, reader, target, expected, what)                                                       \
	{                                                                                                    \
		.name = (key), .parse = (reader), .field = offsetof(struct policy, target),                  \
		.allowed = (expected), .says = (what)                                                        \
	}

const struct key keys[] = {
	[KEY_USERS] =
		MATCH_ROW("Users", "user names", "the users that the policy is for; root only if named"),
	[KEY_GROUPS] = MATCH_ROW("Groups", "group names", "the groups, one of which a user must be in"),
	[KEY_SERVICES] =
		MATCH_ROW("Services", "PAM service names", "the PAM services that the policy is for"),
	BOOLEAN_ROW("Enabled", enabled, "yes", "no: these logins are not boxed"),
	{
		.name = "Namespaces",
		.parse = parse_namespaces,
		.field = offsetof(struct policy, namespaces),
		.built_in = "mount, uts, ipc, pid",
		.allowed = "a comma-separated list of mount, uts, ipc, pid, net and cgroup",
		.says = "the kinds of namespaces that the box has of its own",
	},
	WORD_ROW("Propagation", propagation, propagations, "rslave", "rslave or rprivate",
		"rslave: mounts made on the host appear in the box; rprivate: they do not"),
	{
		.name = "Hostname",
		.parse = parse_hostname,
		.field = offsetof(struct policy, hostname),
		.built_in = "%l-%u",
		.allowed = "a name with specifiers such as %l-%u, or nothing to keep the host's",
		.says = "the box's host name",
	},
	WORD_ROW("ProtectProc", protect_proc, protect_procs, "default",
		"default, noaccess, invisible or ptraceable",
		"what users see of each other's processes in /proc"),
	WORD_ROW("ProcSubset", proc_subset, proc_subsets, "all", "all or pid",
		"pid: /proc shows processes and nothing else"),
	WORD_ROW("Scope", scope, scopes, "login", "login, user or policy",
		"one box for each login, for each user, or for all users of the policy"),
	BOOLEAN_ROW(
		"Linger", linger, "no", "yes: the box outlives its last login until its last process ends"),
	{
		.name = "TimeoutStopSec",
		.parse = parse_timeout,
		.field = offsetof(struct policy, timeout_stop_ms),
		.built_in = "5s",
		.allowed = "a time such as 5s, 500ms or 1min 30s, shorter than 49 days",
		.says = "how long a stopping box's processes have between the polite signals and the end",
	},
	WORD_ROW("OnError", on_error, on_errors, "deny", "deny or allow",
		"what becomes of a login whose box cannot be made: refused, or let in without a box"),
	WORD_ROW("PrivateTmp", private_tmp, private_tmps, "no", "no, yes or user",
		"yes: /tmp and /var/tmp are the box's own; user: they are the user's own, kept between "
		"logins"),
	{
		.name = "TemporaryFileSystem",
		.parse = parse_temporary,
		.kind = PATH_TEMPORARY,
		.allowed = "a comma-separated list of absolute paths, each with optional "
			   ":size=N,nr_inodes=N,mode=OCTAL,ro,rw,noexec,nosuid,nodev",
		.says = "paths that get an empty file system in memory",
	},
	BINDS_ROW("BindPaths", PATH_BIND, "host paths that appear in the box"),
	BINDS_ROW("BindReadOnlyPaths", PATH_BIND_READ_ONLY, "host paths that appear in the box, read-only"),
	PATHS_ROW("ReadOnlyPaths", PATH_READ_ONLY, "paths that cannot be written"),
	PATHS_ROW("ReadWritePaths", PATH_READ_WRITE, "paths that can be written, below read-only ones"),
	PATHS_ROW("InaccessiblePaths", PATH_INACCESSIBLE, "paths that cannot be reached"),
	PATHS_ROW("NoExecPaths", PATH_NO_EXEC, "paths under which no program can be run"),
	PATHS_ROW("ExecPaths", PATH_EXEC, "paths under which programs can be run, below NoExecPaths"),
	PATHS_ROW("EphemeralPaths", PATH_EPHEMERAL, "paths whose changes are gone at the end of the box"),
	{
		.name = "NetworkNamespacePath",
		.parse = parse_one_path,
		.field = offsetof(struct policy, netns_path),
		.allowed = "one absolute path, such as /run/netns/%u",
		.says = "a named network namespace that the box joins",
	},
	BOOLEAN_ROW(
		"NoNewPrivileges", no_new_privileges, "no", "yes: no program gains privileges by being run"),
	{
		.name = "CapabilityBoundingSet",
		.parse = parse_capabilities,
		.field = offsetof(struct policy, bounding_set),
		.allowed = "a comma-separated list of capabilities such as CAP_NET_RAW; a leading \"~\" "
			   "inverts it",
		.says = "the capabilities that programs in the box can have at most",
	},
	LIMIT_ROW("TasksMax", parse_tasks, tasks_max, "a number above 0, a percentage or infinity",
		"how many tasks the login may have"),
	LIMIT_ROW("MemoryMax", parse_memory, memory_max,
		"bytes with an optional K, M, G or T, a percentage or infinity",
		"how much memory the login may use"),
	LIMIT_ROW("CPUWeight", parse_weight, cpu_weight, "a number from 1 to 10000 or idle",
		"the login's share of processor time; 100 is usual"),
	LIMIT_ROW("IOWeight", parse_weight, io_weight, "a number from 1 to 10000",
		"the login's share of disk bandwidth; 100 is usual"),
	LIMIT_ROW("RuntimeMaxSec", parse_runtime, runtime_max_sec,
		"a time such as 8h or 1day 12h, or infinity", "how long a login may last"),
};
const size_t n_keys = sizeof(keys) / sizeof(*keys);

_Static_assert(sizeof(keys) / sizeof(*keys) < KEYS_MAX, "rows are counted in the bits of a uint64_t");

size_t key_index(const struct key *key)
{
	return (size_t)(key - keys);
}

const struct key *key_find(struct span name)
{
	/* A large configuration asks this tens of thousands of times: most rows fall at their first letter.
	 */
	for (size_t i = 0; i < n_keys; i++)
		if (name.length > 0 && text_lower(keys[i].name[0]) == text_lower(name.at[0]) &&
			span_equal_ignoring_case(name, keys[i].name))
			return &keys[i];
	return NULL;
}

#define NAME_LONGEST  SPAN_DISTANCE_MAX /* no key is longer, and no longer name is near to one */
#define PART_SHORTEST 3			/* as Tmp, Max */

/* Whether one of the two begins or ends with all of the other. */
static bool is_part(struct span a, struct span b)
{
	struct span longer = a.length > b.length ? a : b, part = a.length > b.length ? b : a;
	char text[NAME_LONGEST + 1];

	snprintf(text, sizeof(text), "%.*s", (int)part.length, part.at);
	return part.length >= PART_SHORTEST &&
	       (span_equal_ignoring_case((struct span){longer.at, part.length}, text) ||
		       span_equal_ignoring_case(span_skip(longer, longer.length - part.length), text));
}

const struct key *key_nearest(struct span name)
{
	const struct key *nearest = NULL, *part = NULL;
	size_t best = SIZE_MAX, best_part = SIZE_MAX;

	if (name.length > NAME_LONGEST)
		return NULL;
	for (size_t i = 0; i < n_keys; i++) {
		struct span other = span_of(keys[i].name);
		size_t far = span_distance(name, other);

		/* Of a name that is wrong in more than two letters in five nobody can say what was meant; but for one that is
		 * cut, or goes on. */
		if (far < best && far * 5 <= other.length * 2) {
			best = far;
			nearest = &keys[i];
		} else if (far < best_part && is_part(name, other)) {
			best_part = far;
			part = &keys[i];
		}
	}
	return nearest ? nearest : part;
}
