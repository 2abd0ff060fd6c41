#include "paths.h"
#include "kernel.h"
#include "links.h"
#include "mounts.h"
#include "network.h"

#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/xattr.h>

/* What a file system in memory may take where the policy does not say: systemd's share of the memory for content, and as
 * much again for inodes, which cost a kilobyte each, but no more of them than systemd gives.
 */
#define MEMORY_SHARE	10
#define MEMORY_OF_INODE 1024
#define MAX_INODES	(400 * 1024)

#define MAX_ROUNDS	5 /* of looks where paths lead; each is an answer for what depends on the one before */

/* --- the plan --- */

/* Which of two rules for the same path gives the content: the one that stands higher here, as in systemd (which has no
 * EphemeralPaths).
 */
static const int rank_of_content[] = {
	[CONTENT_SAME] = 0,
	[CONTENT_STORE] = 1,
	[CONTENT_MQUEUE] = 1,
	[CONTENT_TMPFS] = 2,
	[CONTENT_BIND] = 3,
	[CONTENT_OVERLAY] = 4,
	[CONTENT_NOTHING] = 5,
};

static const enum path_content content_of_kind[] = {
	[PATH_READ_ONLY] = CONTENT_SAME,
	[PATH_READ_WRITE] = CONTENT_SAME,
	[PATH_NO_EXEC] = CONTENT_SAME,
	[PATH_EXEC] = CONTENT_SAME,
	[PATH_BIND] = CONTENT_BIND,
	[PATH_BIND_READ_ONLY] = CONTENT_BIND,
	[PATH_TEMPORARY] = CONTENT_TMPFS,
	[PATH_EPHEMERAL] = CONTENT_OVERLAY,
	[PATH_INACCESSIBLE] = CONTENT_NOTHING,
};

/* Whose word it is; for the same path the earlier one here has the content. */
enum draft_origin { BY_RULE, BY_KEY, BY_MOUNT };

/* A rule on its way to become a node: what it says about writing and executing, or nothing. */
struct draft {
	struct path_node node;
	enum draft_origin origin;
	bool says_read_only, says_read_write, says_no_exec, says_exec;
};

static struct draft draft_of_rule(const struct path_rule *rule)
{
	struct draft draft = {
		.node =
			{
				.path = rule->path,
				.content = content_of_kind[rule->kind],
				.source = rule->source,
				.options = rule->options,
				.recursive = rule->recursive,
				.optional = rule->optional,
				.mount = -1,
			},
		.says_read_only = rule->kind == PATH_READ_ONLY || rule->kind == PATH_BIND_READ_ONLY ||
				  rule->kind == PATH_INACCESSIBLE ||
				  (rule->kind == PATH_TEMPORARY && rule->read_only),
		.says_no_exec = rule->kind == PATH_NO_EXEC || rule->no_exec,
		.says_exec = rule->kind == PATH_EXEC,
	};

	draft.says_read_write = rule->kind == PATH_READ_WRITE ||
				(draft.node.content != CONTENT_SAME && !draft.says_read_only);
	return draft;
}

/* What the box has at path without a rule that says so: left out where there is no such path. */
static struct draft draft_of_own(
	enum draft_origin origin, const char *path, enum path_content content, const char *source)
{
	return (struct draft){
		.node = {.path = path, .content = content, .source = source, .own = true, .mount = -1},
		.origin = origin,
		.says_read_write = true,
	};
}

/* Parents sort before their children, and a folder's children stay together: "/" counts as the lowest byte.
 */
static int compare_paths(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (*a == '/' ? 1 : (unsigned char)*a) - (*b == '/' ? 1 : (unsigned char)*b);
}

static int compare_drafts(const void *a, const void *b)
{
	const struct draft *first = a, *second = b;
	int order = compare_paths(first->node.path, second->node.path);

	if (order != 0)
		return order;
	if (first->origin != second->origin)
		return (int)first->origin - (int)second->origin;
	return rank_of_content[second->node.content] - rank_of_content[first->node.content];
}

static bool is_below(const char *path, const char *above)
{
	size_t length = strcmp(above, "/") == 0 ? 0 : strlen(above);

	return strncmp(path, above, length) == 0 && path[length] == '/' && path[length + 1] != '\0';
}

/* Two drafts for one path become one: the first has the content; restrictions add up, as in systemd. What is ephemeral may
 * come from elsewhere by a bind.
 */
static void merge(struct draft *into, const struct draft *from)
{
	struct path_node *node = &into->node;
	bool optional = node->optional && (from->node.optional || from->origin != BY_RULE);

	if (node->content == CONTENT_SAME && from->node.content != CONTENT_SAME) {
		*node = from->node;
		if (from->origin != BY_RULE) {
			node->own = optional;
			optional = false;
		}
	} else if (node->content == CONTENT_OVERLAY && !node->source && from->node.content == CONTENT_BIND) {
		node->source = from->node.source;
		node->is_original = true;
	} else if (node->content == CONTENT_OVERLAY && from->node.content == CONTENT_OVERLAY) {
		node->is_original = node->is_original || from->node.is_original;
	}
	node->optional = optional;
	into->says_read_only = into->says_read_only || from->says_read_only;
	into->says_read_write = into->says_read_write || from->says_read_write;
	into->says_no_exec = into->says_no_exec || from->says_no_exec;
	into->says_exec = into->says_exec || from->says_exec;
}

/* Turns the sorted drafts into nodes. Attributes are inherited from the nearest node above; nothing exists
 * below an inaccessible path.
 */
static void make_nodes(struct draft *drafts, size_t n_drafts, struct paths_plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < n_drafts; i++) {
		struct path_node *node = &plan->nodes[n];
		const struct path_node *parent = NULL;
		struct draft draft = drafts[i];

		while (i + 1 < n_drafts && strcmp(drafts[i + 1].node.path, draft.node.path) == 0)
			merge(&draft, &drafts[++i]);
		for (size_t j = n; j-- > 0 && !parent;)
			if (is_below(draft.node.path, plan->nodes[j].path))
				parent = &plan->nodes[j];
		if (parent && parent->content == CONTENT_NOTHING)
			continue;

		*node = draft.node;
		node->read_only =
			draft.says_read_only || (!draft.says_read_write && parent && parent->read_only);
		node->no_exec = draft.says_no_exec || (!draft.says_exec && parent && parent->no_exec);
		node->above = !parent				? -1
			      : parent->content == CONTENT_SAME ? parent->above
								: (int)(parent - plan->nodes);
		/* What is ephemeral above is so here. */
		if (node->content == CONTENT_OVERLAY && !node->is_original && node->above >= 0 &&
			plan->nodes[node->above].content == CONTENT_OVERLAY)
			node->content = CONTENT_SAME;
		n++;
	}
	plan->n_nodes = n;
}

/* The drafts as they are collected; they grow. */
struct drafts {
	struct paths_plan *plan;
	const struct policy *policy;
	const struct paths_links *links;
	struct draft *of;
	size_t n;
};

/* Where a path leads, as far as that is known. */
static const char *led(const struct paths_links *links, const char *path)
{
	for (size_t i = 0; i < links->n; i++)
		if (strcmp(links->of[i].from, path) == 0)
			return links->of[i].to;
	return path;
}

static int add(struct drafts *drafts, struct draft draft)
{
	struct draft *more = reallocarray(drafts->of, drafts->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	drafts->of = more;
	draft.node.path = led(drafts->links, draft.node.path);
	more[drafts->n++] = draft;
	return 0;
}

/* A string that lives as long as the plan, or NULL. */
static char *keep(struct paths_plan *plan, char *text)
{
	char **more = text ? reallocarray(plan->strings, plan->n_strings + 1, sizeof(*more)) : NULL;

	if (!more) {
		free(text);
		return NULL;
	}
	plan->strings = more;
	return more[plan->n_strings++] = text;
}

/* A user's folder under USER_TMP_DIRECTORY is named by uid: a name may hold any byte, a number cannot. */
static int add_user_tmp(struct drafts *drafts, const struct account *account)
{
	struct paths_plan *plan = drafts->plan;
	unsigned long uid = account->uid;
	int result;

	if (asprintf(&plan->user_tmp, USER_TMP_DIRECTORY "/%lu/" STORE_TMP, uid) < 0 ||
		asprintf(&plan->user_var_tmp, USER_TMP_DIRECTORY "/%lu/" STORE_VAR_TMP, uid) < 0)
		return -ENOMEM;
	result = add(drafts, draft_of_own(BY_KEY, "/tmp", CONTENT_BIND, plan->user_tmp));
	return result < 0 ? result
			  : add(drafts, draft_of_own(BY_KEY, "/var/tmp", CONTENT_BIND, plan->user_var_tmp));
}

/* As ip-netns(8) does: each file of /etc/netns/NAME over the one in /etc, where there is one. */
static int add_netns_files(struct drafts *drafts, bool with_hosts)
{
	struct paths_plan *plan = drafts->plan;
	char folder[PATH_MAX];
	struct dirent *entry;
	int result = 0;
	DIR *dir;

	if (!network_etc(drafts->policy->netns_path, folder, sizeof(folder)))
		return 0;
	dir = opendir(folder);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (result == 0 && (errno = 0, entry = readdir(dir))) {
		const char *name = entry->d_name;
		char *source = NULL, *path = NULL;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
			(with_hosts && strcmp(name, "hosts") == 0)) /* its text is in the box's hosts file */
			continue;
		if (asprintf(&source, "%s/%s", folder, name) < 0)
			source = NULL;
		if (asprintf(&path, "/etc/%s", name) < 0)
			path = NULL;
		source = keep(plan, source);
		path = keep(plan, path);
		result = source && path ? add(drafts, draft_of_own(BY_KEY, path, CONTENT_BIND, source))
					: -ENOMEM;
	}
	if (result == 0 && errno != 0)
		result = -errno;
	closedir(dir);
	return result;
}

/* File systems whose content is the kernel's own, so that there is nothing to keep changes of. */
static bool is_kernels(const char *type)
{
	static const char *const types[] = {"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs",
		"debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc",
		"pstore", "rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "sysfs", "tracefs"};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* Whether the nearest rule above a mount makes it ephemeral. */
static bool is_ephemeral(const struct mount_entry *entry, const void *data)
{
	const struct drafts *drafts = data;
	const char *nearest = NULL;
	bool is_ephemeral = false;

	for (size_t i = 0; i < drafts->policy->n_paths; i++) {
		const struct path_rule *rule = &drafts->policy->paths[i];
		const char *path = led(drafts->links, rule->path);

		if (content_of_kind[rule->kind] != CONTENT_SAME && is_below(entry->path, path) &&
			(!nearest || is_below(path, nearest) ||
				(strcmp(path, nearest) == 0 && rule->kind != PATH_EPHEMERAL))) {
			nearest = path;
			is_ephemeral = rule->kind == PATH_EPHEMERAL;
		}
	}
	return is_ephemeral;
}

/* An overlay shows the file system that it lies on and nothing of what is mounted on that. So each mount below an
 * ephemeral path becomes ephemeral itself; or stays as it is where it is the kernel's; or cannot be written where it is
 * FUSE, which may be a user's program that lets nobody read, root included.
 */
static int add_mount(const struct mount_entry *entry, void *data)
{
	struct drafts *drafts = data;
	bool is_fuse = strncmp(entry->type, "fuse.", 5) == 0 || strcmp(entry->type, "fuse") == 0;
	struct draft draft;
	char *path = keep(drafts->plan, strdup(entry->path));

	if (!path)
		return -ENOMEM;
	if (is_fuse || is_kernels(entry->type)) {
		draft = draft_of_own(BY_MOUNT, path, CONTENT_BIND, path);
		draft.says_read_only = is_fuse;
	} else {
		draft = draft_of_own(BY_MOUNT, path, CONTENT_OVERLAY, NULL);
		draft.node.is_original = true;
	}
	return add(drafts, draft);
}

static int add_mounts(struct drafts *drafts)
{
	const struct mount_search search = {
		.asks = MOUNT_PATH,
		.needs = MOUNT_PATH | MOUNT_TYPE,
		.wants = is_ephemeral,
		.visit = add_mount,
		.data = drafts,
	};

	for (size_t i = 0; i < drafts->policy->n_paths; i++)
		if (drafts->policy->paths[i].kind == PATH_EPHEMERAL)
			return mounts_search(-1, &search);
	return 0;
}

static int collect(struct drafts *drafts, const struct account *account, bool with_hosts)
{
	const struct policy *policy = drafts->policy;
	int result = 0;

	for (size_t i = 0; i < policy->n_paths && result == 0; i++)
		result = add(drafts, draft_of_rule(&policy->paths[i]));
	if (result == 0 && (policy->namespaces & CLONE_NEWIPC)) {
		result = add(drafts, draft_of_own(BY_KEY, "/dev/shm", CONTENT_STORE, STORE_SHM));
		if (result == 0)
			result = add(drafts, draft_of_own(BY_KEY, "/dev/mqueue", CONTENT_MQUEUE, NULL));
	}
	if (result == 0 && policy->private_tmp == PRIVATE_TMP_YES) {
		result = add(drafts, draft_of_own(BY_KEY, "/tmp", CONTENT_STORE, STORE_TMP));
		if (result == 0)
			result = add(drafts, draft_of_own(BY_KEY, "/var/tmp", CONTENT_STORE, STORE_VAR_TMP));
	} else if (result == 0 && policy->private_tmp == PRIVATE_TMP_USER) {
		result = add_user_tmp(drafts, account);
	}
	if (result == 0 && with_hosts)
		result = add(drafts, draft_of_own(BY_KEY, "/etc/hosts", CONTENT_STORE, STORE_HOSTS));
	if (result == 0)
		result = add_netns_files(drafts, with_hosts);
	return result == 0 ? add_mounts(drafts) : result;
}

/* What paths_look() has to look at: all paths but those of mounts, which the kernel tells without links. */
static int list_looks(const struct drafts *drafts)
{
	struct paths_plan *plan = drafts->plan;

	plan->looks = calloc(drafts->n, sizeof(*plan->looks));
	if (!plan->looks)
		return -ENOMEM;
	for (size_t i = 0; i < drafts->n; i++) {
		const struct path_node *node = &drafts->of[i].node;

		if (drafts->of[i].origin != BY_MOUNT)
			plan->looks[plan->n_looks++] = (struct paths_look){
				.path = node->path,
				.replaces = node->content != CONTENT_SAME && node->content != CONTENT_OVERLAY,
			};
	}
	return 0;
}

int paths_plan_make(const struct policy *policy, const struct account *account, bool with_hosts,
	const struct paths_links *links, struct paths_plan *plan)
{
	struct drafts drafts = {.plan = plan, .policy = policy, .links = links};
	int result;

	*plan = (struct paths_plan){.nodes = NULL};
	if (!(policy->namespaces & CLONE_NEWNS))
		return 0;
	result = collect(&drafts, account, with_hosts);
	if (result == 0 && drafts.n > 0) {
		plan->nodes = calloc(drafts.n, sizeof(*plan->nodes));
		if (!plan->nodes)
			result = -ENOMEM;
	}
	if (result == 0 && drafts.n > 0) {
		qsort(drafts.of, drafts.n, sizeof(*drafts.of), compare_drafts);
		make_nodes(drafts.of, drafts.n, plan);
		/* What the box has of itself lies in nothing else's way. */
		if (links->n == 0 && (policy->n_paths > 0 || policy->netns_path))
			result = list_looks(&drafts);
	}
	free(drafts.of);
	return result;
}

void paths_plan_free(struct paths_plan *plan)
{
	for (size_t i = 0; i < plan->n_strings; i++)
		free(plan->strings[i]);
	free(plan->strings);
	free(plan->nodes);
	free(plan->looks);
	free(plan->user_tmp);
	free(plan->user_var_tmp);
}

/* --- where paths lead --- */

/* Whether the box has something else at a path, as far as that is known by now: below it no link of the host's counts. */
static bool is_replaced(const char *path, const void *data)
{
	const struct paths_plan *plan = data;

	if (path[0] == '\0') /* the root, as links_lead() has it */
		return false;
	if (strcmp(path, "/proc") == 0) /* where links are each process's own */
		return true;
	for (size_t i = 0; i < plan->n_looks; i++)
		if (plan->looks[i].replaces && strcmp(plan->looks[i].to, path) == 0)
			return true;
	return false;
}

/* Returns 1 if it leads elsewhere than was known. */
static int look_at(struct paths_plan *plan, struct paths_look *look)
{
	const struct nsbox_open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = NSBOX_RESOLVE_NO_SYMLINKS,
	};
	cleanup_fd int fd = sys_openat2(AT_FDCWD, look->path, &how);
	char to[PATH_MAX];
	int result = 0;

	if (fd == -ELOOP)
		result = links_lead(look->path, is_replaced, plan, to);
	else
		snprintf(to, sizeof(to), "%s", look->path);
	if (result < 0 || strcmp(look->to, to) == 0)
		return result;
	strcpy(look->to, to);
	return 1;
}

static bool is_led(const struct paths_plan *plan)
{
	for (size_t i = 0; i < plan->n_looks; i++)
		if (strcmp(plan->looks[i].to, plan->looks[i].path) != 0)
			return true;
	return false;
}

int paths_look(struct paths_plan *plan, const char **subject)
{
	bool is_new = true;

	/* Where one leads can depend on where another one does. */
	for (int round = 0; round < MAX_ROUNDS && is_new; round++) {
		is_new = false;
		for (size_t i = 0; i < plan->n_looks; i++) {
			int result = look_at(plan, &plan->looks[i]);

			if (result < 0) {
				*subject = plan->looks[i].path;
				return result;
			}
			is_new = is_new || result > 0;
		}
		is_new = is_new && is_led(plan);
	}
	return is_led(plan);
}

int paths_links_take(struct paths_links *links, const struct paths_plan *plan)
{
	links->of = calloc(plan->n_looks, sizeof(*links->of));
	if (!links->of)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_looks; i++) {
		const struct paths_look *look = &plan->looks[i];
		struct paths_link *link = &links->of[links->n];

		if (strcmp(look->path, look->to) == 0)
			continue;
		*link = (struct paths_link){.from = strdup(look->path), .to = strdup(look->to)};
		links->n++;
		if (!link->from || !link->to)
			return -ENOMEM;
	}
	return 0;
}

void paths_links_free(struct paths_links *links)
{
	for (size_t i = 0; i < links->n; i++) {
		free(links->of[i].from);
		free(links->of[i].to);
	}
	free(links->of);
}

/* --- from a path to a descriptor --- */

int paths_open(const char *path, int flags)
{
	const struct nsbox_open_how how = {
		.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
		.resolve = NSBOX_RESOLVE_NO_SYMLINKS,
	};
	int fd = sys_openat2(AT_FDCWD, path, &how);

	return fd == -ELOOP ? links_open(path, flags) : fd;
}

/* --- carrying the plan out --- */

struct applied {
	struct paths_plan *plan;
	int store, proc;
	unsigned int n_overlays;
};

/* Whether a path led nowhere. */
static bool is_missing(int result)
{
	return result == -ENOENT || result == -ENOTDIR;
}

static int clone_of(int fd, bool recursive)
{
	return sys_open_tree(
		fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0U));
}

static int clone_path(const char *path, bool recursive)
{
	cleanup_fd int fd = paths_open(path, 0);

	return fd < 0 ? fd : clone_of(fd, recursive);
}

static int clone_from_store(const struct applied *applied, const char *name)
{
	return sys_open_tree(applied->store, name, OPEN_TREE_CLONE | O_CLOEXEC);
}

/* Gives "key=value,key,..." to a file system that is being configured. */
static int configure(int fs, const char *options)
{
	char text[256];
	char *rest = text, *option;

	if (strlen(options) >= sizeof(text))
		return -EINVAL;
	strcpy(text, options);
	while ((option = strsep(&rest, ","))) {
		char *key = strsep(&option, "=");
		int result = sys_fsconfig(fs, NSBOX_FSCONFIG_SET_STRING, key, option ? option : "", 0);

		if (result < 0)
			return result;
	}
	return 0;
}

int paths_make_file_system(
	const char *type, const char *options, const char *more_options, unsigned int attributes)
{
	cleanup_fd int fs = sys_fsopen(type);
	int result = fs < 0 ? fs : 0;

	if (result == 0 && options)
		result = configure(fs, options);
	if (result == 0 && more_options)
		result = configure(fs, more_options);
	if (result == 0)
		result = sys_fsconfig(fs, NSBOX_FSCONFIG_CREATE, NULL, NULL, 0);
	return result < 0 ? result : sys_fsmount(fs, attributes);
}

void paths_tmpfs_options(const char *mode, char *buf, size_t size)
{
	struct sysinfo memory;
	unsigned long long inodes = MAX_INODES;

	if (sysinfo(&memory) == 0) {
		unsigned long long fit = (unsigned long long)memory.totalram * memory.mem_unit /
					 MEMORY_SHARE / MEMORY_OF_INODE;

		inodes = fit < inodes ? fit : inodes;
	}
	snprintf(buf, size, "mode=%s,size=%d%%,nr_inodes=%llu", mode, MEMORY_SHARE, inodes);
}

static int make_tmpfs(const char *more_options)
{
	char options[PATHS_TMPFS_OPTIONS_SIZE];

	paths_tmpfs_options("0755", options, sizeof(options));
	return paths_make_file_system(
		"tmpfs", options, more_options, NSBOX_MOUNT_ATTR_NOSUID | NSBOX_MOUNT_ATTR_NODEV);
}

/* What a folder has beside owner and mode: the top of an overlay shows its upper layer's. */
static void copy_attributes(int from, int to)
{
	static const char *const names[] = {
		"security.selinux",
		"system.posix_acl_access",
		"system.posix_acl_default",
	};
	char value[4096];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		ssize_t size = fgetxattr(from, names[i], value, sizeof(value));

		if (size > 0)
			fsetxattr(to, names[i], value, (size_t)size, 0);
	}
}

/* The flags that a mount keeps when an overlay takes its place. */
static int attributes_of(int fd, unsigned int *attributes)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0)
		return -errno;
	*attributes = (fs.f_flag & ST_NOSUID ? NSBOX_MOUNT_ATTR_NOSUID : 0U) |
		      (fs.f_flag & ST_NODEV ? NSBOX_MOUNT_ATTR_NODEV : 0U) |
		      (fs.f_flag & ST_NOEXEC ? NSBOX_MOUNT_ATTR_NOEXEC : 0U);
	return 0;
}

/* The upper layer's top, like the lower one's. Neither descriptor may be O_PATH: such ones have no attributes. */
static int make_upper(int store, const char *lower, const char *upper)
{
	cleanup_fd int from = openat(store, lower, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int to = -1;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0 || mkdirat(store, upper, 0700) < 0)
		return -errno;
	to = openat(store, upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0 || fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
		return -errno;
	copy_attributes(from, to);
	return 0;
}

/* An overlay whose layers all lie in the store, the lower one mounted there for the purpose: so every layer is a short
 * path from the working directory, and none is resolved on the host's view.
 */
static int make_overlay(struct applied *applied, const char *path)
{
	char options[128], lower[32], upper[32], work[32];
	unsigned int number = applied->n_overlays++, attributes = 0;
	cleanup_fd int dir = paths_open(path, O_DIRECTORY);
	cleanup_fd int tree = dir < 0 ? dir : clone_of(dir, false);
	int result;

	if (tree < 0)
		return tree;
	snprintf(lower, sizeof(lower), "lower-%u", number);
	snprintf(upper, sizeof(upper), "upper-%u", number);
	snprintf(work, sizeof(work), "work-%u", number);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
	if (mkdirat(applied->store, lower, 0700) < 0 || mkdirat(applied->store, work, 0700) < 0)
		return -errno;
	result = attributes_of(tree, &attributes);
	if (result == 0)
		result = sys_move_mount(tree, "", applied->store, lower, MOVE_MOUNT_F_EMPTY_PATH);
	if (result == 0)
		result = make_upper(applied->store, lower, upper);
	if (result == 0 && fchdir(applied->store) < 0)
		result = -errno;
	return result < 0 ? result : paths_make_file_system("overlay", options, NULL, attributes);
}

/* Something that cannot be reached, of the kind that lies at path. A folder is told from a file by opening it as one,
 * which asks neither FUSE nor a server.
 */
static int make_nothing(const struct applied *applied, const char *path)
{
	cleanup_fd int dir = paths_open(path, O_DIRECTORY);
	cleanup_fd int file = dir == -ENOTDIR ? paths_open(path, 0) : -1;
	const char *name = dir >= 0 ? "nothing" : "nothing-file";
	int result;

	if (dir < 0 && file < 0)
		return dir == -ENOTDIR ? file : dir;
	result = dir >= 0 ? mkdirat(applied->store, name, 0) : mknodat(applied->store, name, S_IFREG, 0);
	return result < 0 && errno != EEXIST ? -errno : clone_from_store(applied, name);
}

/* Whether this content must be taken from what the nodes above have made of the tree, and not from the tree as it was. */
static bool is_of_above(const struct path_node *node)
{
	return node->content == CONTENT_SAME || node->content == CONTENT_NOTHING ||
	       (node->content == CONTENT_OVERLAY && !node->is_original);
}

/* Takes or makes what will lie at the node's path, detached from the tree. -ENOENT or -ENOTDIR: it is not there. */
static int take(struct applied *applied, const struct path_node *node)
{
	switch (node->content) {
	case CONTENT_SAME: return clone_path(node->path, true);
	case CONTENT_BIND: return clone_path(node->source, node->recursive);
	case CONTENT_STORE: return clone_from_store(applied, node->source);
	case CONTENT_TMPFS: return make_tmpfs(node->options);
	case CONTENT_MQUEUE:
		return paths_make_file_system(
			"mqueue", NULL, NULL, NSBOX_MOUNT_ATTR_NOSUID | NSBOX_MOUNT_ATTR_NODEV);
	case CONTENT_OVERLAY: return make_overlay(applied, node->source ? node->source : node->path);
	case CONTENT_NOTHING: return make_nothing(applied, node->path);
	}
	return -EINVAL;
}

static bool is_there(const char *path)
{
	cleanup_fd int fd = paths_open(path, 0);

	return !is_missing(fd);
}

/* A node that is left out changes nothing for those below it. */
static void leave_out(struct paths_plan *plan, size_t index)
{
	for (size_t i = index + 1; i < plan->n_nodes; i++)
		if (plan->nodes[i].above == (int)index)
			plan->nodes[i].above = plan->nodes[index].above;
}

/* Takes all content that does not depend on the nodes above. */
static int take_originals(struct applied *applied, const char **subject)
{
	struct paths_plan *plan = applied->plan;

	for (size_t i = 0; i < plan->n_nodes; i++) {
		struct path_node *node = &plan->nodes[i];

		if (is_of_above(node))
			continue;
		/* To make a mount that finds no place costs far more than to look first. */
		if ((node->optional || node->own) && node->above < 0 && !is_there(node->path)) {
			leave_out(plan, i);
			continue;
		}
		node->mount = take(applied, node);
		/* A file that is mounted below an ephemeral path: its changes would stay, so there can be none. */
		if (node->mount == -ENOTDIR && node->content == CONTENT_OVERLAY && node->own) {
			node->content = CONTENT_BIND;
			node->read_only = true;
			node->mount = clone_path(node->path, false);
		}
		if (node->mount >= 0)
			continue;
		if (!node->optional || !is_missing(node->mount)) {
			*subject = node->source && node->content != CONTENT_STORE ? node->source : node->path;
			return node->mount;
		}
		leave_out(plan, i);
	}
	return 0;
}

/* Takes what lies right below node above (-1: in the tree as it was), before attributes are set there: what keeps its
 * content keeps the attributes that it had.
 */
static int take_below(struct applied *applied, int above, const char **subject)
{
	struct paths_plan *plan = applied->plan;

	for (size_t i = 0; i < plan->n_nodes; i++) {
		struct path_node *node = &plan->nodes[i];

		if (!is_of_above(node) || node->above != above ||
			(node->content == CONTENT_SAME && strcmp(node->path, "/") == 0))
			continue;
		node->mount = take(applied, node);
		if (node->mount < 0 && !(node->optional && is_missing(node->mount))) {
			*subject = node->path;
			return node->mount;
		}
	}
	return 0;
}

/* Of a mount's top, without asking its file system, which may be a user's program or a server that is gone. One that does
 * not let root look is a folder: a file of it could not have been named.
 */
static bool is_folder(int mount)
{
	struct statx st;

	return statx(mount, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0 ||
	       S_ISDIR(st.stx_mode);
}

/* Makes the folder or file on which node will be mounted, and the folders above it, in a file system of the box's own
 * whose root is top. The host's file systems are never written to.
 */
static int make_mount_point(int top, const char *below, const struct path_node *node)
{
	char path[PATH_MAX];
	char *name = path;
	bool is_dir = is_folder(node->mount);
	cleanup_fd int dir = openat(top, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || strlen(below) >= sizeof(path))
		return dir < 0 ? -errno : -ENAMETOOLONG;
	strcpy(path, below);
	for (;;) {
		char *slash = strchr(name, '/');
		int next;

		if (slash)
			*slash = '\0';
		if (!slash && !is_dir) {
			next = openat(dir, name, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0644);
			if (next < 0)
				return errno == EEXIST ? 0 : -errno;
			close(next);
			return 0;
		}
		if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (!slash)
			return 0;
		next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -errno;
		close(dir);
		dir = next;
		name = slash + 1;
	}
}

static int make_mount_points_below(const struct applied *applied, size_t index, const char **subject)
{
	struct paths_plan *plan = applied->plan;
	const struct path_node *top = &plan->nodes[index];

	for (size_t i = index + 1; i < plan->n_nodes; i++) {
		const struct path_node *node = &plan->nodes[i];
		int result;

		if (node->above != (int)index || node->mount < 0)
			continue;
		result = make_mount_point(top->mount, node->path + strlen(top->path) + 1, node);
		if (result < 0) {
			*subject = node->path;
			return result;
		}
	}
	return 0;
}

struct remount {
	const struct applied *applied;
	const char *path;
	unsigned long flags;
};

/* Remounts what fd is the top of, by a name that nobody can have changed meanwhile. */
static int remount_fd(const struct applied *applied, int fd, unsigned long flags)
{
	char name[32];

	if (fchdir(fd) == 0)
		return mount(NULL, ".", NULL, MS_BIND | MS_REMOUNT | flags, NULL) < 0 ? -errno : 0;
	if (errno != ENOTDIR)
		return -errno;
	if (applied->proc >= 0 && fchdir(applied->proc) < 0)
		return -errno;
	snprintf(name, sizeof(name), "%sself/fd/%d", applied->proc >= 0 ? "" : "/proc/", fd);
	return mount(NULL, name, NULL, MS_BIND | MS_REMOUNT | flags, NULL) < 0 ? -errno : 0;
}

/* The way before Linux 5.12: one mount after the other, each keeping the flags that it has. Where mounts lie on each other
 * the one on top is met as often.
 */
static int remount_one(const struct mount_entry *entry, void *data)
{
	static const unsigned long same[][2] = {
		{ST_RDONLY, MS_RDONLY},
		{ST_NOSUID, MS_NOSUID},
		{ST_NODEV, MS_NODEV},
		{ST_NOEXEC, MS_NOEXEC},
		{ST_NOATIME, MS_NOATIME},
		{ST_NODIRATIME, MS_NODIRATIME},
		{ST_RELATIME, MS_RELATIME},
	};
	const struct remount *remount = data;
	unsigned long flags = remount->flags;
	struct statvfs st;
	cleanup_fd int fd = -1;
	int result;

	if (strcmp(entry->path, remount->path) != 0 && !is_below(entry->path, remount->path))
		return 0;
	fd = paths_open(entry->path, 0);
	if (fd < 0) /* covered by another mount, which has its own turn */
		return is_missing(fd) || fd == -EACCES ? 0 : fd;
	if (fstatvfs(fd, &st) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		if (st.f_flag & same[i][0])
			flags |= same[i][1];
	result = remount_fd(remount->applied, fd, flags);
	return result == -EINVAL ? 0 : result; /* no mount's top: it is covered */
}

/* Where a mount lies, as the table of mounts says it: a rule's path may lead there by symbolic links. */
static int name_of(const struct applied *applied, int mount, char *buf, size_t size)
{
	char name[32];
	ssize_t length;

	snprintf(name, sizeof(name), "%sself/fd/%d", applied->proc >= 0 ? "" : "/proc/", mount);
	length = readlinkat(applied->proc >= 0 ? applied->proc : AT_FDCWD, name, buf, size);
	if (length < 0 || (size_t)length == size)
		return length < 0 ? -errno : -ENAMETOOLONG;
	buf[length] = '\0';
	return 0;
}

static int set_attributes(const struct applied *applied, const struct path_node *node)
{
	struct nsbox_mount_attr attr = {
		.attr_set = (node->read_only ? NSBOX_MOUNT_ATTR_RDONLY : 0U) |
			    (node->no_exec ? NSBOX_MOUNT_ATTR_NOEXEC : 0U),
	};
	struct remount remount = {
		.applied = applied,
		.path = node->path,
		.flags = (node->read_only ? MS_RDONLY : 0U) | (node->no_exec ? MS_NOEXEC : 0U),
	};
	char path[PATH_MAX];
	int result;

	if (attr.attr_set == 0)
		return 0;
	if (node->mount >= 0)
		result = sys_mount_setattr(node->mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
	else
		result = sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr);
	if (result != -ENOSYS)
		return result;
	if (node->mount >= 0) {
		result = name_of(applied, node->mount, path, sizeof(path));
		if (result < 0)
			return result;
		remount.path = path;
	}
	result = mounts_each(applied->proc, remount_one, &remount);
	if (fchdir(applied->store) < 0)
		return -errno;
	return result;
}

/* Whether the folder or file that was taken is the one that lies there now: between the two, somebody who owns the folder
 * above could have put another in its place, which would then be without the attributes.
 */
static bool is_same_still(int mount, int target)
{
	struct statx taken, found;
	unsigned int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;

	/* Where root's eyes are shut, nothing can be compared, and nobody else could have changed what is mounted. */
	if (statx(mount, "", (int)flags, STATX_INO, &taken) < 0 ||
		statx(target, "", (int)flags, STATX_INO, &found) < 0)
		return true;
	return taken.stx_ino == found.stx_ino && taken.stx_dev_major == found.stx_dev_major &&
	       taken.stx_dev_minor == found.stx_dev_minor;
}

/* Puts the node's mount at its path, on what the nodes above have made of the tree. Returns 1 if it was put there, 0 if
 * there is no such path and need not be.
 */
static int place(const struct path_node *node)
{
	cleanup_fd int target = paths_open(node->path, 0);
	int result;

	if (target < 0)
		return is_missing(target) && (node->optional || node->own) ? 0 : target;
	if (node->content == CONTENT_SAME && !is_same_still(node->mount, target))
		return -ESTALE;
	result = sys_move_mount(
		node->mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	/* move_mount(2) does not tell what it finds invalid. */
	if (result == -EINVAL && is_folder(node->mount) != is_folder(target))
		result = is_folder(target) ? -EISDIR : -ENOTDIR;
	return result < 0 ? result : 1;
}

static int apply_node(struct applied *applied, size_t index, const char **subject)
{
	struct path_node *node = &applied->plan->nodes[index];
	int result = 1;

	*subject = node->path;
	if (strcmp(node->path, "/") == 0) {
		if (node->content != CONTENT_SAME)
			return -EBUSY;
	} else {
		result = node->mount < 0 ? 0 : place(node);
	}
	if (result <= 0)
		return result;
	if (node->content == CONTENT_TMPFS || node->content == CONTENT_OVERLAY ||
		node->content == CONTENT_STORE)
		result = make_mount_points_below(applied, index, subject);
	if (result >= 0 && node->content != CONTENT_SAME)
		result = take_below(applied, (int)index, subject);
	return result < 0 ? result : set_attributes(applied, node);
}

int paths_apply(struct paths_plan *plan, int store, int proc, const char **subject)
{
	struct applied applied = {.plan = plan, .store = store, .proc = proc};
	int result = take_originals(&applied, subject);

	if (result == 0)
		result = take_below(&applied, -1, subject);
	for (size_t i = 0; i < plan->n_nodes && result == 0; i++)
		result = apply_node(&applied, i, subject);
	for (size_t i = 0; i < plan->n_nodes; i++)
		if (plan->nodes[i].mount >= 0)
			close(plan->nodes[i].mount);
	return result;
}

/* --- PrivateTmp=user --- */

/* A folder that must be root's and, if it was there before, must not be anybody else's. */
static int open_own_directory(int dir, const char *name, mode_t mode)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0)
		return -EPERM;
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return -errno;
	return take_fd(&fd);
}

int paths_make_user_tmp(const struct paths_plan *plan)
{
	cleanup_fd int dir = -1;
	char path[PATH_MAX], *name;
	char *rest = path + strlen("/var/lib/");
	static const char *const leaves[] = {STORE_TMP, STORE_VAR_TMP};

	if (!plan->user_tmp)
		return 0;
	dir = paths_open("/var/lib", O_DIRECTORY);
	if (dir < 0)
		return dir;
	snprintf(path, sizeof(path), "%s", plan->user_tmp);
	*strrchr(path, '/') = '\0';
	while ((name = strsep(&rest, "/"))) {
		int next = open_own_directory(dir, name, 0700);

		if (next < 0)
			return next;
		close(dir);
		dir = next;
	}
	for (size_t i = 0; i < sizeof(leaves) / sizeof(*leaves); i++) {
		int leaf = open_own_directory(dir, leaves[i], 01777);

		if (leaf < 0)
			return leaf;
		close(leaf);
	}
	return 0;
}
