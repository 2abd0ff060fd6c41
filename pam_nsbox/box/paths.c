#include "paths.h"
#include "kernel.h"
#include "mounts.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* What tmpfs may take where the policy does not say: systemd's share of the memory for a TemporaryFileSystem,
 * and enough inodes for a large build.
 */
#define TMPFS_SIZE     "10%"
#define TMPFS_N_INODES "400k"

#define MAX_LINKS      40 /* as many as the kernel follows, path_resolution(7) */

/* --- the plan --- */

/* Which of two rules for the same path gives the content: the later in this order, as in systemd, where what
 * hides more wins.
 */
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

/* A rule on its way to become a node: what it says about writing and executing, or nothing. */
struct draft {
	struct path_node node;
	bool implied; /* not written by the administrator: an explicit content for the same path wins */
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
		.says_no_exec = rule->kind == PATH_NO_EXEC,
		.says_exec = rule->kind == PATH_EXEC,
	};

	draft.says_read_write = rule->kind == PATH_READ_WRITE ||
				(draft.node.content != CONTENT_SAME && !draft.says_read_only);
	return draft;
}

static struct draft draft_of_own(const char *path, enum path_content content, const char *source)
{
	return (struct draft){
		.node = {.path = path, .content = content, .source = source, .optional = true, .mount = -1},
		.implied = true,
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
	if (first->implied != second->implied)
		return first->implied ? 1 : -1;
	return (int)second->node.content - (int)first->node.content;
}

static bool is_below(const char *path, const char *above)
{
	size_t length = strcmp(above, "/") == 0 ? 0 : strlen(above);

	return strncmp(path, above, length) == 0 && path[length] == '/' && path[length + 1] != '\0';
}

/* Two drafts for one path become one: the first has the content; restrictions add up, as in systemd. An
 * implied draft has no say where the administrator's rule brings content of its own.
 */
static void merge(struct draft *into, const struct draft *from)
{
	bool content_is_settled = into->node.content != CONTENT_SAME;

	if (!content_is_settled && from->node.content != CONTENT_SAME) {
		bool optional = into->node.optional && from->node.optional;

		into->node.content = from->node.content;
		into->node.source = from->node.source;
		into->node.options = from->node.options;
		into->node.recursive = from->node.recursive;
		into->node.optional = optional;
	} else {
		into->node.optional = into->node.optional && from->node.optional;
	}
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
	for (size_t i = 0; i < n_drafts; i++) {
		struct path_node *node = &plan->nodes[plan->n_nodes];
		const struct path_node *parent = NULL;
		struct draft draft = drafts[i];

		while (i + 1 < n_drafts && strcmp(drafts[i + 1].node.path, draft.node.path) == 0)
			merge(&draft, &drafts[++i]);
		for (size_t j = plan->n_nodes; j-- > 0 && !parent;)
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
		plan->need_nothing = plan->need_nothing || node->content == CONTENT_NOTHING;
		plan->n_overlays += node->content == CONTENT_OVERLAY;
		plan->n_nodes++;
	}
}

/* A user's folder under USER_TMP_DIRECTORY is named by uid: a name may hold any byte, a number cannot. */
static int plan_user_tmp(const struct account *account, struct paths_plan *plan)
{
	if (asprintf(&plan->user_tmp, USER_TMP_DIRECTORY "/%lu/" STORE_TMP, (unsigned long)account->uid) <
			0 ||
		asprintf(&plan->user_var_tmp, USER_TMP_DIRECTORY "/%lu/" STORE_VAR_TMP,
			(unsigned long)account->uid) < 0)
		return -ENOMEM;
	return 0;
}

int paths_plan_make(
	const struct policy *policy, const struct account *account, bool with_hosts, struct paths_plan *plan)
{
	struct draft *drafts = calloc(policy->n_paths + 5, sizeof(*drafts));
	size_t n = 0;
	int result = 0;

	*plan = (struct paths_plan){.nodes = calloc(policy->n_paths + 5, sizeof(*plan->nodes))};
	if (!drafts || !plan->nodes)
		result = -ENOMEM;
	if (result == 0 && policy->private_tmp == PRIVATE_TMP_USER)
		result = plan_user_tmp(account, plan);
	if (result == 0) {
		for (size_t i = 0; i < policy->n_paths; i++)
			drafts[n++] = draft_of_rule(&policy->paths[i]);
		if (policy->namespaces & CLONE_NEWIPC) {
			drafts[n++] = draft_of_own("/dev/shm", CONTENT_STORE, STORE_SHM);
			drafts[n++] = draft_of_own("/dev/mqueue", CONTENT_MQUEUE, NULL);
		}
		if (policy->private_tmp == PRIVATE_TMP_YES) {
			drafts[n++] = draft_of_own("/tmp", CONTENT_STORE, STORE_TMP);
			drafts[n++] = draft_of_own("/var/tmp", CONTENT_STORE, STORE_VAR_TMP);
		} else if (policy->private_tmp == PRIVATE_TMP_USER) {
			drafts[n++] = draft_of_own("/tmp", CONTENT_BIND, plan->user_tmp);
			drafts[n++] = draft_of_own("/var/tmp", CONTENT_BIND, plan->user_var_tmp);
		}
		if (with_hosts)
			drafts[n++] = draft_of_own("/etc/hosts", CONTENT_STORE, STORE_HOSTS);
		qsort(drafts, n, sizeof(*drafts), compare_drafts);
		make_nodes(drafts, n, plan);
	}
	free(drafts);
	return result;
}

void paths_plan_free(struct paths_plan *plan)
{
	free(plan->nodes);
	free(plan->user_tmp);
	free(plan->user_var_tmp);
}

/* --- from a path to a descriptor --- */

/* Whether nobody but root can change what a folder holds. */
static bool is_roots_alone(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0;
}

/* The way of paths_open() where there is a symbolic link. todo holds what is left of the path. */
static int walk(const char *path, int flags)
{
	char todo[2 * PATH_MAX], link[PATH_MAX];
	cleanup_fd int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool trusted = dir >= 0 && is_roots_alone(dir);
	int links = 0;
	char *next = todo;

	if (dir < 0 || strlen(path) >= PATH_MAX)
		return dir < 0 ? -errno : -ENAMETOOLONG;
	strcpy(todo, path);
	for (;;) {
		while (*next == '/')
			next++;
		if (*next == '\0')
			return take_fd(&dir);

		char *name = next;
		bool is_last;
		struct stat st;
		cleanup_fd int fd = -1;

		next += strcspn(next, "/");
		is_last = next[strspn(next, "/")] == '\0';
		if (*next)
			*next++ = '\0';
		fd = openat(
			dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (is_last ? 0 : flags & ~O_DIRECTORY));
		if (fd < 0 || fstat(fd, &st) < 0)
			return -errno;
		if (S_ISLNK(st.st_mode)) {
			ssize_t length = readlinkat(fd, "", link, sizeof(link));
			size_t rest = strlen(next);

			if (!trusted || ++links > MAX_LINKS)
				return -ELOOP;
			if (length < 0 || (size_t)length == sizeof(link))
				return length < 0 ? -errno : -ENAMETOOLONG;
			if ((size_t)length + 1 + rest >= sizeof(todo))
				return -ENAMETOOLONG;
			memmove(todo + length + 1, next, rest + 1);
			memcpy(todo, link, (size_t)length);
			todo[length] = '/';
			next = todo;
			if (link[0] == '/') {
				close(dir);
				dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
				trusted = dir >= 0 && is_roots_alone(dir);
				if (dir < 0)
					return -errno;
			}
			continue;
		}
		if (is_last && (flags & O_DIRECTORY) && !S_ISDIR(st.st_mode))
			return -ENOTDIR;
		close(dir);
		dir = take_fd(&fd);
		trusted = trusted && (is_last || is_roots_alone(dir));
	}
}

int paths_open(const char *path, int flags)
{
	const struct nsbox_open_how how = {
		.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
		.resolve = NSBOX_RESOLVE_NO_SYMLINKS,
	};
	int fd = sys_openat2(AT_FDCWD, path, &how);

	return fd == -ELOOP ? walk(path, flags) : fd;
}

/* --- carrying the plan out --- */

struct applied {
	struct paths_plan *plan;
	int store, proc;
};

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

static int make_file_system(const char *type, const char *options, const char *more_options)
{
	cleanup_fd int fs = sys_fsopen(type);
	int result = fs < 0 ? fs : 0;

	if (result == 0 && options)
		result = configure(fs, options);
	if (result == 0 && more_options)
		result = configure(fs, more_options);
	if (result == 0)
		result = sys_fsconfig(fs, NSBOX_FSCONFIG_CREATE, NULL, NULL, 0);
	return result < 0 ? result : sys_fsmount(fs, NSBOX_MOUNT_ATTR_NOSUID | NSBOX_MOUNT_ATTR_NODEV);
}

/* An overlay whose layers all lie in the store, the lower one mounted there for the purpose: so every layer
 * is a short path from the working directory, and none is resolved on the host's view.
 */
static int make_overlay(const struct applied *applied, const char *path, unsigned int number)
{
	char options[128], lower[32], upper[32], work[32];
	cleanup_fd int tree = clone_path(path, true);
	cleanup_fd int original = -1, upper_fd = -1;
	struct stat st;
	int result;

	if (tree < 0 || fstat(tree, &st) < 0)
		return tree < 0 ? tree : -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	snprintf(lower, sizeof(lower), "lower-%u", number);
	snprintf(upper, sizeof(upper), "upper-%u", number);
	snprintf(work, sizeof(work), "work-%u", number);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
	if (mkdirat(applied->store, lower, 0700) < 0 || mkdirat(applied->store, upper, 0700) < 0 ||
		mkdirat(applied->store, work, 0700) < 0)
		return -errno;
	result = sys_move_mount(tree, "", applied->store, lower, MOVE_MOUNT_F_EMPTY_PATH);
	if (result < 0)
		return result;
	upper_fd = openat(applied->store, upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper_fd < 0 || fchown(upper_fd, st.st_uid, st.st_gid) < 0 ||
		fchmod(upper_fd, st.st_mode & 07777) < 0)
		return -errno;
	if (fchdir(applied->store) < 0)
		return -errno;
	return make_file_system("overlay", options, NULL);
}

static bool is_there(const char *path)
{
	cleanup_fd int fd = paths_open(path, 0);

	return fd != -ENOENT;
}

/* Takes or makes what will lie at the node's path, detached from the tree. Content that is the same as before
 * is taken by take_same().
 */
static int take(const struct applied *applied, struct path_node *node, unsigned int *n_overlays)
{
	struct stat st;
	cleanup_fd int fd = -1;

	/* To make a mount that finds no place costs far more than to look first. */
	if (node->optional && node->above < 0 && !is_there(node->path))
		return -ENOENT;
	switch (node->content) {
	case CONTENT_SAME: return -1;
	case CONTENT_BIND: return clone_path(node->source, node->recursive);
	case CONTENT_STORE: return clone_from_store(applied, node->source);
	case CONTENT_TMPFS:
		return make_file_system(
			"tmpfs", "mode=0755,size=" TMPFS_SIZE ",nr_inodes=" TMPFS_N_INODES, node->options);
	case CONTENT_MQUEUE: return make_file_system("mqueue", NULL, NULL);
	case CONTENT_OVERLAY: return make_overlay(applied, node->path, (*n_overlays)++);
	case CONTENT_NOTHING:
		fd = paths_open(node->path, 0);
		if (fd < 0 || fstat(fd, &st) < 0)
			return fd < 0 ? fd : -errno;
		return clone_from_store(applied, S_ISDIR(st.st_mode) ? STORE_NOTHING : STORE_NOTHING_FILE);
	}
	return -EINVAL;
}

/* Takes copies of all nodes that keep their content and lie right below node above (-1: in the tree as it
 * was), before attributes are set there, so that each keeps the attributes that it had.
 */
static int take_same(const struct applied *applied, int above, const char **subject)
{
	struct paths_plan *plan = applied->plan;

	for (size_t i = 0; i < plan->n_nodes; i++) {
		struct path_node *node = &plan->nodes[i];

		if (node->content != CONTENT_SAME || node->above != above || strcmp(node->path, "/") == 0)
			continue;
		node->mount = clone_path(node->path, true);
		if (node->mount < 0 && !(node->optional && node->mount == -ENOENT)) {
			*subject = node->path;
			return node->mount;
		}
	}
	return 0;
}

/* Makes the folder or file on which node will be mounted, and the folders above it, in a file system of the
 * box's own whose root is top. The host's file systems are never written to.
 */
static int make_mount_point(int top, const char *below, const struct path_node *node)
{
	char path[PATH_MAX];
	char *name = path;
	struct stat st;
	bool is_dir = node->mount < 0 || fstat(node->mount, &st) < 0 || S_ISDIR(st.st_mode);
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
			next = openat(dir, name, O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0644);
			if (next < 0)
				return -errno;
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
		result = make_mount_point(top->mount,
			node->path + (strcmp(top->path, "/") == 0 ? 0 : strlen(top->path)) + 1, node);
		if (result < 0) {
			*subject = node->path;
			return result;
		}
	}
	return 0;
}

struct remount {
	const char *path;
	unsigned long flags;
};

/* The way before Linux 5.12: one mount after the other, each keeping the flags that it has. */
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

	if (strcmp(entry->path, remount->path) != 0 && !is_below(entry->path, remount->path))
		return 0;
	if (statvfs(entry->path, &st) < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno; /* covered by another mount */
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		if (st.f_flag & same[i][0])
			flags |= same[i][1];
	if (mount(NULL, entry->path, NULL, MS_BIND | MS_REMOUNT | flags, NULL) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

static int set_attributes(const struct applied *applied, const struct path_node *node)
{
	struct nsbox_mount_attr attr = {
		.attr_set = (node->read_only ? NSBOX_MOUNT_ATTR_RDONLY : 0U) |
			    (node->no_exec ? NSBOX_MOUNT_ATTR_NOEXEC : 0U),
	};
	struct remount remount = {
		.path = node->path,
		.flags = (node->read_only ? MS_RDONLY : 0U) | (node->no_exec ? MS_NOEXEC : 0U),
	};
	int result;

	if (attr.attr_set == 0)
		return 0;
	if (node->mount >= 0)
		result = sys_mount_setattr(node->mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr);
	else
		result = sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr);
	return result == -ENOSYS ? mounts_each(applied->proc, remount_one, &remount) : result;
}

/* Puts the node's mount at its path, on what the nodes above have made of the tree. */
static int place(const struct path_node *node)
{
	cleanup_fd int target = paths_open(node->path, 0);

	if (target < 0)
		return target;
	return sys_move_mount(node->mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int apply_node(const struct applied *applied, size_t index, const char **subject)
{
	struct path_node *node = &applied->plan->nodes[index];
	bool is_root = strcmp(node->path, "/") == 0 && node->content == CONTENT_SAME;
	int result = 0;

	*subject = node->path;
	if (node->mount < 0 && !is_root)
		return 0; /* optional, and not there */
	if (!is_root)
		result = place(node);
	if (result == -ENOENT && node->optional)
		return 0;
	if (result == 0 && node->content != CONTENT_SAME) {
		if (node->content == CONTENT_TMPFS || node->content == CONTENT_OVERLAY)
			result = make_mount_points_below(applied, index, subject);
		if (result == 0)
			result = take_same(applied, (int)index, subject);
	}
	return result < 0 ? result : set_attributes(applied, node);
}

int paths_apply(struct paths_plan *plan, int store, int proc, const char **subject)
{
	const struct applied applied = {.plan = plan, .store = store, .proc = proc};
	unsigned int n_overlays = 0;
	int result = take_same(&applied, -1, subject);

	for (size_t i = 0; i < plan->n_nodes && result == 0; i++) {
		struct path_node *node = &plan->nodes[i];

		if (node->content == CONTENT_SAME)
			continue;
		*subject = node->content == CONTENT_BIND ? node->source : node->path;
		node->mount = take(&applied, node, &n_overlays);
		if (node->mount < 0 && !(node->optional && node->mount == -ENOENT))
			result = node->mount;
	}
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
