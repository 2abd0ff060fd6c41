#include "inside.h"
#include "../namespaces.h"
#include "../policy/file_size.h"
#include "kernel.h"
#include "limits.h"
#include "live.h"
#include "network.h"
#include "procfs.h"
#include "sysfs.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>

#define PROC_SUPER_MAGIC 0x9fa0 /* linux/magic.h */
#define PROC_FLAGS	 (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static bool has(const struct inside *inside, int namespace)
{
	return (inside->policy->namespaces & namespace) != 0;
}

int inside_fail(struct inside *inside, const char *subject, int error)
{
	size_t length = 0;

	for (; subject[length] && length + 1 < sizeof(inside->failure.subject); length++)
		inside->failure.subject[length] = subject[length];
	inside->failure.subject[length] = '\0';
	return error;
}

/* Moves a descriptor to the number under which nsbox-init will look for it. (Where it is there already dup2(2) would leave it
 * close-on-exec.)
 */
static int place_fd(struct inside *inside, int fd, int number)
{
	int result = (fd == number ? fcntl(fd, F_SETFD, 0) : dup2(fd, number)) < 0 ? -errno : 0;

	if (fd != number)
		close(fd);
	inside->is_placed[number] = result == 0;
	return result;
}

/* --- the steps, in order --- */

/* Until nsbox-init watches the caller, the caller's death must be this process's. A change of credentials
 * would take this back (prctl(2)), so it follows one.
 */
static int run_lifeline(struct inside *inside)
{
	(void)inside;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return 0;
}

/* Only lease and record are kept. Each may have the number that is to be the other's. The lease also takes the numbers of
 * those to come, so that no other descriptor gets them.
 */
static int run_descriptors(struct inside *inside)
{
	int record = fcntl(inside->record, F_DUPFD, INIT_FDS), result = 0;

	/* Where it has that number already dup2(2) would leave it close-on-exec. */
	if (record < 0 || (inside->lease == INIT_FD_LEASE ? fcntl(INIT_FD_LEASE, F_SETFD, 0)
							  : dup2(inside->lease, INIT_FD_LEASE)) < 0)
		result = -errno;
	for (int number = 0; number < INIT_FD_LEASE && result == 0; number++)
		if (dup2(number == INIT_FD_RECORD ? record : INIT_FD_LEASE, number) < 0)
			result = -errno;
	if (result < 0)
		return inside_fail(inside, "RLIMIT_NOFILE", result);
	inside->is_placed[INIT_FD_LEASE] = inside->is_placed[INIT_FD_RECORD] = true;
	return sys_close_range(INIT_FDS, UINT_MAX);
}

/* The identity of root alone: a setuid caller such as su has its user's real uid, who could signal this
 * process, and his groups. By system call, because the C library would change the credentials of the caller's
 * threads.
 */
static int run_identity(struct inside *inside)
{
	(void)inside;
	/* To set none where there are none costs the kernel more than to look. */
	if ((syscall(SYS_getgroups, 0, NULL) != 0 && syscall(SYS_setgroups, 0, NULL) < 0) ||
		syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* No controlling terminal, no process group of the caller's; files get the mode that is asked for. */
static int run_session(struct inside *inside)
{
	(void)inside;
	setsid();
	umask(0);
	return 0;
}

static int run_propagation(struct inside *inside)
{
	bool is_private = inside->policy->propagation == PROPAGATION_RPRIVATE;

	if (!has(inside, CLONE_NEWNS))
		return 0;
	if (mount(NULL, "/", NULL, MS_REC | (is_private ? MS_PRIVATE : MS_SLAVE), NULL) < 0)
		return inside_fail(inside, "/", -errno);
	return 0;
}

/* NoExecPaths of / takes the right to execute from all mounts that are there, and ExecPaths of a folder gives it to another mount of
 * that folder: neither is to be nsbox-init's affair.
 */
static bool is_root_no_exec(const struct paths_plan *plan)
{
	return plan->n_nodes > 0 && strcmp(plan->nodes[0].path, "/") == 0 && plan->nodes[0].no_exec;
}

/* What later steps need from the host's tree is opened before the policy changes that tree. What others than root may
 * write would be run as root.
 */
static int run_init(struct inside *inside)
{
	const char *path = inside->request->init;
	struct stat st;

	if (is_root_no_exec(&inside->plan)) {
		inside->init_fd = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | O_CLOEXEC);
		errno = inside->init_fd < 0 ? -inside->init_fd : 0;
	} else {
		inside->init_fd = open(path, O_PATH | O_CLOEXEC);
	}
	if (inside->init_fd < 0 || fstat(inside->init_fd, &st) < 0)
		return inside_fail(inside, path, -errno);
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return inside_fail(inside, path, -EPERM);
	return 0;
}

/* Before anything is made that is the box's own. */
static int run_links(struct inside *inside)
{
	const char *subject = "";
	int result = paths_look(&inside->plan, &subject);

	inside->is_led = result > 0;
	return result == 0 ? 0 : inside_fail(inside, subject, result < 0 ? result : -ELOOP);
}

/* Opened after the mount namespace was made: a descriptor of the box's tree, not of the host's. And at its number, the lowest
 * that is free then: to close another one the kernel looks for locks of this process's, and goes through those of all
 * shared boxes (locks_remove_posix() in fs/locks.c), 350 us with 2,000.
 */
static int run_registry(struct inside *inside)
{
	int fd;

	close(INIT_FD_REGISTRY);
	fd = live_open();
	if (fd >= 0)
		fd = place_fd(inside, fd, INIT_FD_REGISTRY);
	return fd < 0 ? inside_fail(inside, LIVE_DIRECTORY, fd) : 0;
}

/* For a policy that may hide it; otherwise nsbox-init connects itself. A box without a system log is a box all the same. */
static int run_log(struct inside *inside)
{
	static const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = inside->policy->n_paths > 0 ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)&log, sizeof(log)) == 0)
		return place_fd(inside, fd, INIT_FD_LOG);
	close(fd);
	return 0;
}

/* pam_selinux has asked for a context for the caller's next program, which is to be its user's shell. A child inherits
 * the request (selinux_cred_prepare() copies all of it) and its first execve(2) spends it: nsbox-init would be the
 * user's, or not be allowed to be. It stays in the caller's domain; the caller's own request stays as well. Read first:
 * where nothing is asked for, or nobody would know an answer (EINVAL), nothing is written. What is written counts at the
 * file's beginning alone (proc_pid_attr_write() in fs/proc/base.c), and reading has left it.
 */
static int run_exec_context(struct inside *inside)
{
	static const char path[] = "/proc/thread-self/attr/exec";
	cleanup_fd int fd = -1;
	char context[8];
	ssize_t size;

	if (!sys_may_have_exec_context())
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : inside_fail(inside, path, -errno);
	size = read(fd, context, sizeof(context));
	if (size < 0 && errno == EINVAL)
		return 0;
	if (size > 0)
		size = pwrite(fd, "\n", 1, 0);
	return size < 0 ? inside_fail(inside, path, -errno) : 0;
}

static bool needs_procfs(const struct inside *inside)
{
	return has(inside, CLONE_NEWNS) &&
	       (has(inside, CLONE_NEWPID) || inside->policy->protect_proc != PROTECT_PROC_DEFAULT ||
		       inside->policy->proc_subset != PROC_SUBSET_ALL);
}

static int fill_store(struct inside *inside)
{
	const struct policy *policy = inside->policy;
	bool fails = false;

	if (has(inside, CLONE_NEWIPC))
		fails = fails || mkdirat(INIT_FD_STORE, STORE_SHM, 01777) < 0;
	if (policy->private_tmp == PRIVATE_TMP_YES)
		fails = fails || mkdirat(INIT_FD_STORE, STORE_TMP, 01777) < 0 ||
			mkdirat(INIT_FD_STORE, STORE_VAR_TMP, 01777) < 0;
	return fails ? -errno : 0;
}

/* The file system of the box's own. It is mounted on LIVE_DIRECTORY, into which nobody but root can see,
 * because a detached mount cannot be cloned from before Linux 6.15. Without a mount namespace nothing is
 * cloned from it.
 */
static int run_store(struct inside *inside)
{
	bool is_mounted = has(inside, CLONE_NEWNS);
	char options[PATHS_TMPFS_OPTIONS_SIZE];
	cleanup_fd int tree = -1;
	int fd;

	if (is_mounted) {
		paths_tmpfs_options("0700", options, sizeof(options));
		if (mount("nsbox", LIVE_DIRECTORY, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
			return inside_fail(inside, LIVE_DIRECTORY, -errno);
	} else {
		tree = paths_make_file_system(
			"tmpfs", "mode=0700", NULL, NSBOX_MOUNT_ATTR_NOSUID | NSBOX_MOUNT_ATTR_NODEV);
		if (tree < 0)
			return tree;
	}
	fd = openat(tree, is_mounted ? LIVE_DIRECTORY : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fd = place_fd(inside, fd, INIT_FD_STORE);
	if (fd < 0 || fchdir(INIT_FD_STORE) < 0)
		return fd < 0 ? fd : -errno;
	return fill_store(inside);
}

static int open_hosts(const struct inside *inside)
{
	char path[PATH_MAX];
	int fd = -1;

	if (network_etc(inside->policy->netns_path, path, sizeof(path) - sizeof("/hosts"))) {
		strcat(path, "/hosts");
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	return fd < 0 ? open("/etc/hosts", O_RDONLY | O_CLOEXEC | O_NONBLOCK) : fd;
}

/* The host's hosts file and, before it, a line for the box's name, so that sudo and others can resolve it. */
static int write_hosts(struct inside *inside)
{
	char buf[4096] = "127.0.1.1\t";
	cleanup_fd int host = -1, own = -1;
	size_t used;
	ssize_t size, written;

	if (!inside->has_hosts)
		return 0;
	host = open_hosts(inside);
	if (host < 0 && errno != ENOENT)
		return inside_fail(inside, "/etc/hosts", -errno);
	own = openat(INIT_FD_STORE, STORE_HOSTS, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (own < 0)
		return inside_fail(inside, STORE_HOSTS, -errno);
	strcat(strcat(buf, inside->policy->hostname), "\n");
	used = strlen(buf);
	do {
		size = host < 0 ? 0 : read(host, buf + used, sizeof(buf) - used);
		if (size < 0)
			return inside_fail(inside, "/etc/hosts", -errno);
		used += (size_t)size;
		written = used > 0 ? write(own, buf, used) : 0;
		if (written != (ssize_t)used)
			return inside_fail(inside, STORE_HOSTS, written < 0 ? -errno : -ENOSPC);
		used = 0;
	} while (size > 0);
	return 0;
}

static int run_hosts(struct inside *inside)
{
	struct file_size limit;
	int result;

	file_size_lift(&limit);
	result = write_hosts(inside);
	file_size_restore(&limit);
	return result;
}

/* Linux 5.8 tells. */
static bool may_be_mount_point(const char *path)
{
	struct statx status;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &status) < 0 ||
	       !(status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) ||
	       (status.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* A mount with others on it can only be detached, for which the kernel waits until no CPU can be looking at it
 * (measured: 40 us on an idle machine, a millisecond on a busy one). So it goes into the box's own file system, and
 * nsbox-init detaches it when it has answered.
 */
int inside_move_aside(struct inside *inside, const char *path)
{
	char name[] = LEASE_OLD_MOUNT "0";
	char *digit = &name[sizeof(name) - 2];
	bool has_moved = false;

	for (*digit = (char)(*digit + inside->n_old); *digit <= LEASE_OLD_MOUNT_LAST;
		++*digit, inside->n_old++) {
		int result;

		if (has_moved && !may_be_mount_point(path))
			return 0;
		if (mkdirat(INIT_FD_STORE, name, 0700) < 0 && errno != EEXIST)
			return inside_fail(inside, LEASE_OLD_MOUNT, -errno);
		result = sys_move_mount(AT_FDCWD, path, INIT_FD_STORE, name, 0);
		if (result < 0) /* EINVAL: not a mount point (any more) */
			return result == -EINVAL ? 0 : inside_fail(inside, path, result);
		has_moved = true;
	}
	return inside_fail(inside, path, -ELOOP);
}

/* One that cannot be moved looks like one that is not there. In a user namespace what came with the mount namespace is
 * locked (mount_namespaces(7)) and can only be covered; then root in the box can take off what covers it, and nobody
 * else can, for in a user namespace of his own all of it is locked.
 */
int inside_move_type_aside(struct inside *inside, const char *path, unsigned int type)
{
	struct statfs fs;
	int result = inside_move_aside(inside, path);

	if (result == 0 &&
		(statfs(path, &fs) < 0 || ((unsigned int)fs.f_type == type && in_first_user_namespace())))
		result = inside_fail(inside, path, -EBUSY);
	return result;
}

/* The host's procfs would stay reachable under a new one, and so would any that lies under it. The box's own file system
 * then takes their place, where the new procfs will cover it.
 */
static int run_old_procfs(struct inside *inside)
{
	int result;

	if (!needs_procfs(inside))
		return 0;
	result = inside_move_type_aside(inside, "/proc", PROC_SUPER_MAGIC);
	if (result < 0)
		return result;
	result = sys_move_mount(INIT_FD_STORE, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH);
	return result < 0 ? inside_fail(inside, "/proc", result) : 0;
}

/* The socket is there before the box is registered: whoever finds the box can connect, and waits for nsbox-init. (Where a later
 * step works in another directory for a moment he finds none, and tries again.) And before the policy can make everything
 * read-only.
 */
static int run_socket(struct inside *inside)
{
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = LEASE_SOCKET};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, SOMAXCONN) < 0)
		return -errno;
	return place_fd(inside, fd, INIT_FD_LISTEN);
}

/* After all steps that a file system of somebody else's can make hang: whoever waits there for ever is to be in nobody's way. */
static int run_register(struct inside *inside)
{
	int result = live_register(INIT_FD_REGISTRY, inside->scope_key, INIT_FD_STORE, inside->box_key);

	return result < 0 ? inside_fail(inside, LIVE_DIRECTORY, result) : 0;
}

/* Orphans are the kernel's to reap (sigaction(2)), also before nsbox-init runs. */
static int run_orphans(struct inside *inside)
{
	(void)inside;
	return signal(SIGCHLD, SIG_IGN) == SIG_ERR ? -errno : 0;
}

static const char *proc_options(const struct policy *policy, bool with_subset)
{
	static const char *const options[][2] = {
		[PROTECT_PROC_DEFAULT] = {"", "subset=pid"},
		[PROTECT_PROC_NOACCESS] = {"hidepid=noaccess", "hidepid=noaccess,subset=pid"},
		[PROTECT_PROC_INVISIBLE] = {"hidepid=invisible", "hidepid=invisible,subset=pid"},
		[PROTECT_PROC_PTRACEABLE] = {"hidepid=ptraceable", "hidepid=ptraceable,subset=pid"},
	};

	return options[policy->protect_proc][with_subset];
}

/* Mounted without options that hide, a descriptor of it kept for nsbox-init, then covered by the one that
 * users see: nsbox-init must count processes that hidepid=ptraceable hides even from root without
 * CAP_SYS_PTRACE. Never MS_REMOUNT: that could alter the host's instance.
 */
static int run_procfs(struct inside *inside)
{
	const char *options = proc_options(inside->policy, inside->policy->proc_subset == PROC_SUBSET_PID);
	int fd;

	if (!needs_procfs(inside))
		return 0;
	if (has(inside, CLONE_NEWPID)) {
		if (mount("proc", "/proc", "proc", PROC_FLAGS, NULL) < 0)
			return inside_fail(inside, "/proc", -errno);
		fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return inside_fail(inside, "/proc", -errno);
		fd = place_fd(inside, fd, INIT_FD_PROC);
		if (fd < 0)
			return fd;
	}
	if (options[0] && mount("proc", "/proc", "proc", PROC_FLAGS, options) < 0)
		return inside_fail(inside, options, -errno);
	return 0;
}

static int run_paths(struct inside *inside)
{
	const char *subject = "";
	int result = 0;

	if (has(inside, CLONE_NEWNS))
		result = paths_apply(&inside->plan, INIT_FD_STORE,
			inside->is_placed[INIT_FD_PROC] ? INIT_FD_PROC : -1, &subject);
	return result < 0 ? inside_fail(inside, subject, result) : 0;
}

static int run_store_away(struct inside *inside)
{
	if (!has(inside, CLONE_NEWNS) || needs_procfs(inside))
		return 0;
	return umount2(".", MNT_DETACH) < 0 ? inside_fail(inside, LIVE_DIRECTORY, -errno) : 0;
}

static int run_hostname(struct inside *inside)
{
	const char *name = inside->policy->hostname;

	if (!has(inside, CLONE_NEWUTS) || name[0] == '\0')
		return 0;
	return sethostname(name, strlen(name)) < 0 ? inside_fail(inside, name, -errno) : 0;
}

/* Where root's eyes are shut (NFS with root_squash), the caller's own real user may still see the folder. */
static int run_directory(struct inside *inside)
{
	const char *path = inside->directory;
	int fd;

	if (!path || !has(inside, CLONE_NEWNS))
		return 0;
	fd = paths_open(path, O_DIRECTORY);
	if (fd == -EACCES && inside->real_uid != 0) {
		setfsuid(inside->real_uid);
		fd = paths_open(path, O_DIRECTORY);
		setfsuid(0);
	}
	if (fd < 0)
		return inside_fail(inside, path, fd);
	close(fd);
	return 0;
}

/* From here on nsbox-init holds on to the caller by its lease; it must outlive the process that cloned it. An empty
 * environment, and no argument that would tell.
 */
static int run_exec(struct inside *inside)
{
	char *const arguments[] = {(char[]){INIT_NAME}, NULL}, *const environment[] = {NULL};

	for (int number = 0; number < INIT_FDS; number++)
		if (!inside->is_placed[number])
			close(number);
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return -errno;
	syscall(SYS_execveat, inside->init_fd, "", arguments, environment, AT_EMPTY_PATH);
	return inside_fail(inside, inside->request->init, -errno);
}

#define BY_EXIT	     "the end of the process"
#define BY_NAMESPACE "the end of the namespace"

const struct inside_step inside_steps[] = {
	{"propagation", run_propagation, "keeps mounts made inside from the host", BY_NAMESPACE},
	{"mounts", procfs_ask, "asks whether anything was mounted since the account phase", BY_EXIT},
	{"descriptors", run_descriptors, "closes every descriptor of the caller's", BY_EXIT},
	{"identity", run_identity, "becomes root, and nobody else", BY_EXIT},
	{"lifeline", run_lifeline, "ties the new process to the caller's life", BY_EXIT},
	{"session", run_session, "leaves the caller's terminal and process group", BY_EXIT},
	{"init", run_init, "opens nsbox-init", BY_EXIT},
	{"links", run_links, "finds out where the paths of the policy lead by symbolic links", BY_EXIT},
	{"network-namespace", network_join, "joins the named network namespace", BY_EXIT},
	{"registry", run_registry, "opens the register of boxes", BY_EXIT},
	{"log", run_log, "connects to the system log, if there is one", BY_EXIT},
	{"exec-context", run_exec_context, "drops the SELinux context that is meant for the user's shell",
		BY_EXIT},
	{"store", run_store, "makes the box's own file system", BY_NAMESPACE},
	{"hosts", run_hosts, "writes a hosts file in it", BY_NAMESPACE},
	{"old-procfs", run_old_procfs, "moves the host's procfs aside", BY_NAMESPACE},
	{"socket", run_socket, "makes the socket at which leases are taken", BY_NAMESPACE},
	{"orphans", run_orphans, "leaves orphans to the kernel to reap", BY_EXIT},
	{"procfs", run_procfs, "mounts a procfs of the box's PID namespace on /proc", BY_NAMESPACE},
	{"other-procfs", procfs_detach_others, "detaches the host's procfs from any other place",
		BY_NAMESPACE},
	{"limits", limits_apply, "sets kernel.pid_max of the box for its TasksMax", BY_NAMESPACE},
	{"sysfs", sysfs_replace, "mounts a sysfs of the box's network on /sys", BY_NAMESPACE},
	{"cgroupfs", sysfs_replace_cgroups, "mounts cgroup file systems of the box's cgroup namespace",
		BY_NAMESPACE},
	{"paths", run_paths, "carries out the file-system policy", BY_NAMESPACE},
	{"store-away", run_store_away, "detaches the box's own file system where no procfs covers it",
		BY_NAMESPACE},
	{"hostname", run_hostname, "sets the host name", BY_NAMESPACE},
	{"network", network_loopback, "sets the loopback device up", BY_NAMESPACE},
	{"directory", run_directory, "makes sure that the caller's directory exists inside", BY_EXIT},
	{"register", run_register, "makes the box known to nsboxctl and to its scope", BY_EXIT},
	{"exec", run_exec, "becomes nsbox-init", BY_EXIT},
};
const size_t n_inside_steps = sizeof(inside_steps) / sizeof(*inside_steps);

void inside_run(struct inside *inside)
{
	for (size_t i = 0; i < n_inside_steps; i++) {
		int result = inside_steps[i].run(inside);

		if (result < 0) {
			inside->failure.step = inside_steps[i].name;
			inside->failure.error = -result;
			return;
		}
	}
}
