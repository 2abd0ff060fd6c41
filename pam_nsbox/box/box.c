#include "box.h"
#include "../namespaces.h"
#include "birth.h"
#include "failure.h"
#include "kernel.h"
#include "limits.h"
#include "live.h"
#include "mounts.h"
#include "procfs.h"
#include "record.h"

#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define MAX_KINDS 8

/* How often a box that is there, but ends or is not ready, is looked for again before a login is refused: for 8 s, as
 * LIVE_TIMEOUT_MS. On a machine that is overloaded one box after the other can be found at its end.
 */
#define MAX_TRIES 40

/* A folder, and the mount by which it is seen: the same folder may lie at many places. */
struct place {
	uint32_t major, minor;
	uint64_t inode;
	uint64_t mount; /* Linux 5.8 */
};

/* What the process knows of itself: before the session, if somebody looked ahead. */
struct known {
	bool in_first_user_namespace;
	bool has_own_root; /* the root is there, and is the one to which setns(2) leads */
	struct place root; /* a mount namespace has mounts of its own, so it is known by this as well */
	uint64_t mount_namespace, pid_namespace; /* inode numbers; 0: not known */
};

/* Lives in a page of its own that the kernel wipes in forked children (MADV_WIPEONFORK): a PID alone could
 * not tell them from the process that opened the box, for a child inside may have the number that its parent
 * has outside.
 */
struct box {
	bool is_own;
	bool is_ready;		 /* for a mount namespace: its root is the one that setns(2) leads to */
	int namespaces;		 /* that were entered */
	int way_back[MAX_KINDS]; /* descriptors of the process's own namespaces, in the table's order, or -1
				  */
	int directory;		 /* its working directory, or -1: "/" */
	int self;		 /* pidfd of the box's nsbox-init, or -1 */
	uint32_t lease;
	struct known known;
};

/* --- the way back --- */

static void init_box(struct box *box)
{
	box->is_own = true;
	box->directory = box->self = -1;
	for (size_t i = 0; i < MAX_KINDS; i++)
		box->way_back[i] = -1;
}

static void close_descriptors(const struct box *box)
{
	for (size_t i = 0; i < n_namespace_kinds; i++)
		if (box->way_back[i] >= 0)
			close(box->way_back[i]);
	if (box->directory >= 0)
		close(box->directory);
	if (box->self >= 0)
		close(box->self);
}

static struct box *allocate_page(void)
{
	struct box *box =
		mmap(NULL, sizeof(*box), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (box == MAP_FAILED)
		return NULL;
	if (madvise(box, sizeof(*box), MADV_WIPEONFORK) < 0) {
		munmap(box, sizeof(*box));
		return NULL;
	}
	return box;
}

bool box_is_own(const struct box *box)
{
	return box->is_own;
}

/* Asks the kernel for what save_way_back() otherwise opens by path, at a tenth of the cost. It knows the process's first
 * thread alone, and Linux before 6.11 does not know at all. What is left is the other's to open.
 */
static void save_namespaces_of(struct box *box, int namespaces, int self)
{
	if (!box->known.in_first_user_namespace) {
		cleanup_fd int user = sys_pidfd_namespace(self, NSBOX_PIDFD_USER_NAMESPACE);

		box->known.in_first_user_namespace = user >= 0 && is_first_user_namespace(user);
	}
	if (!box->known.in_first_user_namespace || syscall(SYS_gettid) != getpid())
		return;
	for (size_t i = 0; i < n_namespace_kinds; i++) {
		if (!(namespaces & namespace_kinds[i].flag) || box->way_back[i] >= 0)
			continue;
		box->way_back[i] = raise_fd(sys_pidfd_namespace(self, namespace_kinds[i].pidfd));
		if (box->way_back[i] < 0)
			return;
	}
}

static int way_back_of(const struct box *box, int namespace)
{
	for (size_t i = 0; i < n_namespace_kinds; i++)
		if (namespace_kinds[i].flag == namespace)
			return box->way_back[i];
	return -1;
}

static int open_way_back(const char *path, bool is_first)
{
	cleanup_fd int fd = raise_fd(open(path, O_RDONLY | O_CLOEXEC));
	int owner;

	if (fd < 0)
		return -errno;
	if (!is_first) {
		owner = ioctl(fd, NS_GET_USERNS);
		if (owner < 0)
			return -errno;
		close(owner);
	}
	return take_fd(&fd);
}

/* Descriptors of the namespaces and the directory that the calling thread is in. A pidfd of oneself would not
 * do: it follows its process's current namespaces. Nor does one of a namespace that belongs to a user namespace above
 * the caller's, into which only processes of that one can go. The directory is saved only if it is not "/", to which
 * setns(2) leads anyway: forked children that do not exec, like sshd's, would hold a descriptor of the host's
 * tree.
 */
static int save_way_back(struct box *box, int namespaces, const char *directory, struct box_failure *failure)
{
	char path[64];
	int is_first = -1; /* not asked yet */

	for (size_t i = 0; i < n_namespace_kinds; i++) {
		if (!(namespaces & namespace_kinds[i].flag) || box->way_back[i] >= 0)
			continue;
		if (is_first < 0)
			is_first = in_first_user_namespace();
		snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", namespace_kinds[i].proc);
		box->way_back[i] = open_way_back(path, is_first);
		if (box->way_back[i] < 0)
			return box_fail(failure, "save", path, box->way_back[i]);
	}
	if ((namespaces & CLONE_NEWNS) && box->directory < 0 && strcmp(directory, "/") != 0) {
		box->directory = raise_fd(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
		if (box->directory < 0)
			return box_fail(failure, "save", directory, -errno);
	}
	return 0;
}

/* root may not go where its caller's user may. */
static int restore_directory(const struct box *box)
{
	int result = box->directory < 0 || fchdir(box->directory) == 0 ? 0 : -errno;

	if (result == -EACCES && getuid() != 0) {
		setfsuid(getuid());
		result = fchdir(box->directory) == 0 ? 0 : -errno;
		setfsuid(geteuid());
	}
	return result;
}

static int leave(struct box *box, struct box_failure *failure)
{
	int result = 0;

	for (size_t i = 0; i < n_namespace_kinds; i++)
		if ((box->namespaces & namespace_kinds[i].flag) &&
			setns(box->way_back[i], namespace_kinds[i].flag) < 0)
			result = box_fail(failure, "leave", namespace_kinds[i].name, -errno);
	box->namespaces = 0;
	return result;
}

static int go_back(struct box *box, struct box_failure *failure)
{
	bool with_mounts = (box->namespaces & CLONE_NEWNS) != 0;
	int result = leave(box, failure), restored = with_mounts ? restore_directory(box) : 0;

	return restored < 0 ? box_fail(failure, "leave", "the working directory", restored) : result;
}

/* --- entering --- */

static int try_directory(const char *path)
{
	cleanup_fd int fd = paths_open(path, O_DIRECTORY);

	return fd < 0 ? fd : fchdir(fd) < 0 ? -errno : 0;
}

/* The path was the caller's directory a moment ago, and held no symbolic link. Its user may have put one there since
 * then, to be led by root's hand where he may not go himself; paths_open() does not follow it.
 */
static int change_directory(const char *path)
{
	int result = try_directory(path);

	if (result == -EACCES && getuid() != 0) {
		setfsuid(getuid());
		result = try_directory(path);
		setfsuid(geteuid());
	}
	return result;
}

static int place_of(int dir, const char *path, struct place *place)
{
	struct statx status;

	if (statx(dir, path, AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &status) < 0)
		return -errno;
	*place = (struct place){
		.major = status.stx_dev_major,
		.minor = status.stx_dev_minor,
		.inode = status.stx_ino,
		.mount = status.stx_mnt_id,
	};
	return 0;
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static void drop_watch(int *watch)
{
	if (*watch >= 0)
		close(*watch);
	*watch = -1;
}

static bool is_same_place(const struct place *one, const struct place *other)
{
	return one->major == other->major && one->minor == other->minor && one->inode == other->inode &&
	       one->mount == other->mount;
}

/* setns(2) puts the process at the root of a mount namespace, which is not where a caller in a chroot was, who would be
 * out of it after the session. So it is tried with the caller's own namespace first, which moves the working directory to
 * its root. Returns 1 if that is where the process's root was, 0 if it has been led elsewhere, or a negative errno, and
 * nothing has moved.
 */
static int try_root(int root, int mount_namespace, struct place *place)
{
	struct place after = {0};
	int result = place_of(root, "", place);

	if (result == 0 && setns(mount_namespace, CLONE_NEWNS) < 0)
		result = -errno;
	if (result < 0)
		return result;
	return place_of(AT_FDCWD, "/", &after) == 0 && is_same_place(place, &after);
}

static int return_to_root(int root, struct box_failure *failure)
{
	if (fchdir(root) == 0 && chroot(".") == 0)
		return 0;
	failure->is_astray = true;
	return box_fail(failure, "root", "the caller's root could not be restored", -errno);
}

/* restore_directory() undoes what it does to the working directory. */
static int check_root(const struct box *box, struct box_failure *failure)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct place place = {0};
	int result = root < 0 ? -errno : try_root(root, way_back_of(box, CLONE_NEWNS), &place);

	if (result < 0)
		return box_fail(failure, "enter", "/", result);
	if (result == 1)
		return 0;
	box_fail(failure, "root", "the caller runs in a chroot", -EXDEV);
	if (return_to_root(root, failure) == 0 && restore_directory(box) < 0)
		box_fail(failure, "root", "the caller's directory could not be restored", -errno);
	return -EXDEV;
}

/* That the root is the same is known by then (take_known()); but it may have been detached, or the process have left the mount
 * namespace without its root.
 */
static bool has_own_root_still(const struct box *box)
{
	const struct known *known = &box->known;

	return known->has_own_root && inode_of(way_back_of(box, CLONE_NEWNS)) == known->mount_namespace &&
	       mounts_has(known->root.mount);
}

/* In a thread, the file-system context is split off before anything is moved; otherwise setns(2) would fail, or move root and
 * directory of every thread.
 */
static int prepare_root(struct box *box, struct box_failure *failure)
{
	int result = unshare(CLONE_FS) < 0 ? box_fail(failure, "enter", "/", -errno) : 0;

	if (result == 0 && !has_own_root_still(box))
		result = check_root(box, failure);
	box->is_ready = result == 0;
	return result;
}

/* Out of a box that is none, or not the right one. Whose directory cannot be entered again is out of it all the same. */
static void turn_back(struct box *box, struct box_failure *failure)
{
	struct box_failure ignored;
	bool with_mounts = (box->namespaces & CLONE_NEWNS) != 0;

	if (leave(box, &ignored) < 0)
		failure->is_astray = true;
	if (with_mounts)
		restore_directory(box);
}

/* One setns(2) for all namespaces: the kernel does all of it or nothing. */
static int enter(struct box *box, int namespaces, struct box_failure *failure)
{
	if (setns(box->self, namespaces) < 0)
		return box_fail(failure, "enter", "", -errno);
	box->namespaces = namespaces;
	return 0;
}

/* To the caller's directory, in a box that is complete: its holder may still be mounting when somebody joins it, and what
 * the path leads to then is what the policy is about to hide.
 */
static int arrive(struct box *box, const char *directory, struct box_failure *failure)
{
	int result;

	if (!(box->namespaces & CLONE_NEWNS) || strcmp(directory, "/") == 0)
		return 0;
	result = change_directory(directory);
	if (result < 0) {
		box_fail(failure, "directory", directory, result);
		turn_back(box, failure);
	}
	return result;
}

static void give_lease_back(int self, uint32_t lease)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = LEASE_SIGNAL_LEAVE;
	info.si_code = SI_QUEUE;
	info.si_value.sival_int = (int)lease;
	/* If it cannot be sent, the lease ends with this process. */
	sys_pidfd_send_signal(self, LEASE_SIGNAL_LEAVE, &info);
}

/* --- making a box --- */

/* To the box that serves a scope. */
struct connection {
	struct kept_fd fd;
	pid_t pid; /* of its nsbox-init */
	int64_t scope_key;
};

/* The caller's half of one opening, on its way. */
struct opening {
	const struct box_request *request;
	struct box box;
	struct box *page; /* where the box will be kept */
	char directory[PATH_MAX];
	int procfs_watch;	      /* until it is used */
	struct connection connection; /* until it is used */
	int64_t scope_key;
	int lease_holder;	  /* pidfd of the caller */
	struct box_record record; /* of the box that it makes */
	struct lease_request lease;
	struct lease_reply reply; /* of the box that it is in */
	struct paths_links links; /* on the way of the policy's paths */
	struct birth birth;
};

static int read_directory(struct opening *opening, struct box_failure *failure)
{
	char *path = opening->directory;

	if (path[0] == '\0' && syscall(SYS_getcwd, path, sizeof(opening->directory)) < 0)
		return box_fail(failure, "directory", "", -errno);
	return path[0] == '/' ? 0 : box_fail(failure, "directory", "", -ENOENT);
}

/* All that can be done while nsbox-init starts, or answers; once more for a box that has more namespaces than the policy of
 * today, it does the rest.
 */
static int get_ready(struct opening *opening, int namespaces, struct box_failure *failure)
{
	struct box *box = &opening->box;
	bool with_mounts = (namespaces & CLONE_NEWNS) && !box->is_ready;
	int result = with_mounts ? read_directory(opening, failure) : 0;

	if (result < 0)
		return result;
	if (!opening->page)
		opening->page = allocate_page();
	if (!opening->page)
		return box_fail(failure, "save", "memory", -ENOMEM);
	save_namespaces_of(box, namespaces, opening->lease_holder);
	result = save_way_back(box, namespaces, opening->directory, failure);
	if (result == 0 && with_mounts)
		result = prepare_root(box, failure);
	return result;
}

/* Into the box that box->self is of. It has not said yet that it is one: what it says comes while this is done, and nothing
 * that is the user's runs before the login has heard it.
 */
static int go_ahead(struct opening *opening, int namespaces, struct box_failure *failure)
{
	int result = get_ready(opening, namespaces, failure);

	return result < 0 ? result : enter(&opening->box, namespaces, failure);
}

static void forget_box(struct box *box)
{
	if (box->self >= 0)
		close(box->self);
	box->self = -1;
}

static int prepare(struct opening *opening, struct box_failure *failure)
{
	const struct box_request *request = opening->request;
	const struct policy *policy = request->policy;
	const int named = CLONE_NEWNS | CLONE_NEWUTS;
	struct inside *inside = &opening->birth.inside;
	int result = 0;

	if (policy->namespaces & CLONE_NEWNS) {
		/* nsbox-init, which will get no more than that, has to detach the old mounts. */
		if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0)
			return box_fail(failure, "bounding-set", "CAP_SYS_ADMIN", -EPERM);
		result = read_directory(opening, failure);
	}
	if (result < 0)
		return result;
	inside->request = request;
	inside->policy = policy;
	inside->lease = opening->lease_holder;
	inside->box_key = live_box_key(request->id);
	inside->scope_key = opening->scope_key;
	inside->directory = strcmp(opening->directory, "/") == 0 ? NULL : opening->directory;
	inside->real_uid = getuid();
	inside->has_hosts = (policy->namespaces & named) == named && policy->hostname[0];
	inside->pid_max = limits_pid_max(policy);
	result = paths_plan_make(policy, request->account, inside->has_hosts, &opening->links, &inside->plan);
	if (result == 0)
		result = paths_make_user_tmp(&inside->plan);
	return result < 0 ? box_fail(failure, "paths", USER_TMP_DIRECTORY, result) : 0;
}

/* What nsbox-init has to know, in a pipe, which holds a page at least (pipe(7)) and gives it back when it has been read. */
static int leave_record(struct opening *opening, int ends[2])
{
	const struct iovec parts[] = {
		{.iov_base = &opening->record, .iov_len = sizeof(opening->record)},
		{.iov_base = &opening->lease, .iov_len = sizeof(opening->lease)},
	};
	const size_t size = sizeof(opening->record) + sizeof(opening->lease);

	_Static_assert(sizeof(struct box_record) + sizeof(struct lease_request) <= 4096, "fits into a page");
	record_fill(opening->request, opening->scope_key, &opening->record);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	return writev(ends[1], parts, 2) == (ssize_t)size ? 0 : -EIO;
}

/* Makes the holder, enters its box meanwhile, and waits until it is ready as nsbox-init: that closes the end of the pipe that it
 * was given, and so does its death.
 */
static int make_box(struct opening *opening, int ends[2], struct box_failure *failure)
{
	struct birth *birth = &opening->birth;
	int result, entered, unread = 0;

	birth->inside.record = ends[0];
	result = birth_give(birth, &opening->box.self);
	birth_end(birth);
	close(ends[0]);
	ends[0] = -1;
	if (result < 0) {
		*failure = birth->inside.failure;
		return result;
	}
	/* While nsbox-init starts. */
	entered = go_ahead(opening, opening->request->policy->namespaces, failure);
	if (entered == 0)
		entered = arrive(&opening->box, opening->directory, failure);
	result = live_wait(ends[1]);
	/* Who ends is seen to have closed it before he is seen to have ended, and leaves unread what was left for him. */
	if (result == 0 && (ioctl(ends[1], FIONREAD, &unread) < 0 || unread != 0))
		result = -ECONNRESET;
	if (result == 0) {
		/* Others may have joined it by now. */
		if (entered < 0) {
			give_lease_back(opening->box.self, INIT_FD_LEASE);
			forget_box(&opening->box);
		}
		return entered;
	}
	box_fail(failure, "ready", opening->request->init, result);
	turn_back(&opening->box, failure);
	return result;
}

/* Where paths of the policy lead by symbolic links it is made twice: of the first one that is all that is wanted. */
static int create(struct opening *opening, struct box_failure *failure)
{
	struct birth *birth = &opening->birth;
	struct box *box = &opening->box;
	int ends[2] = {-1, -1};
	bool is_led;
	int result;

	memset(birth, 0, offsetof(struct birth, stacks)); /* an earlier try may have failed */
	/* It tells of a change once, so only one holder may ask it. */
	birth->inside.procfs_watch = opening->procfs_watch;
	opening->procfs_watch = -1;
	result = prepare(opening, failure);
	if (result == 0) {
		result = leave_record(opening, ends);
		result = result < 0 ? box_fail(failure, "clone", "", result)
				    : make_box(opening, ends, failure);
	}
	if (result < 0 && box->self >= 0) {
		sys_pidfd_send_signal(box->self, SIGKILL, NULL);
		forget_box(box);
	}
	if (result == 0) {
		box->lease = INIT_FD_LEASE;
		opening->reply.record = opening->record;
	}
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	drop_watch(&birth->inside.procfs_watch);
	is_led = result < 0 && birth->inside.is_led;
	if (is_led && paths_links_take(&opening->links, &birth->inside.plan) < 0) {
		is_led = false;
		result = box_fail(failure, "paths", "memory", -ENOMEM);
	}
	paths_plan_free(&birth->inside.plan);
	return is_led ? create(opening, failure) : result;
}

/* Whether the box that was found serves the scope that was asked for, and not another with the same key. */
static bool is_same_scope(const struct opening *opening)
{
	const struct box_request *request = opening->request;
	const struct box_record *found = &opening->reply.record;
	char wanted[sizeof(found->user)];

	if (found->scope != (uint32_t)request->policy->scope)
		return false;
	if (found->scope == SCOPE_USER) {
		box_clean_text(request->account->name, wanted, sizeof(found->user));
		return strcmp(wanted, found->user) == 0;
	}
	box_clean_text(request->policy->name, wanted, sizeof(found->policy));
	return strcmp(wanted, found->policy) == 0;
}

/* No box can be joined: there is none, or it is ending; or it is one outside of this process's PID namespace. */
enum { JOIN_NONE = 1, JOIN_OUTSIDE };

/* What follows when the box has answered, or has not. */
static int take_answer(struct opening *opening, int result, struct box_failure *failure)
{
	const struct lease_reply_head *head = &opening->reply.head;

	if (result == -ETIMEDOUT)
		return box_fail(failure, "join", opening->request->account->name, result);
	if (result == 0 && head->error == EMFILE)
		return box_fail(failure, "join", opening->reply.record.id, -EMFILE);
	if (result < 0 || head->error != 0)
		return JOIN_NONE;
	opening->box.lease = head->lease;
	return is_same_scope(opening) ? 0 : box_fail(failure, "join", opening->reply.record.id, -EADDRINUSE);
}

/* Finds the box that serves the scope. The connection of the account phase is good for one try. */
static int find_box(struct opening *opening, int *pid, int *connection, struct box_failure *failure)
{
	cleanup_fd int dir = -1;

	*pid = opening->connection.pid;
	if (opening->connection.scope_key == opening->scope_key)
		*connection = take_kept_fd(&opening->connection.fd);
	if (*connection >= 0)
		return 0;
	dir = live_open();
	if (dir < 0)
		return box_fail(failure, "registry", LIVE_DIRECTORY, dir);
	*pid = live_find(dir, opening->scope_key);
	if (*pid == -ENOENT)
		return JOIN_NONE;
	if (*pid == -EXDEV)
		return JOIN_OUTSIDE;
	return *pid < 0 ? box_fail(failure, "join", opening->request->account->name, *pid) : 0;
}

/* Joins the box that serves the scope, or returns JOIN_NONE or JOIN_OUTSIDE: then one has to be made. */
static int join(struct opening *opening, struct box_failure *failure)
{
	struct box *box = &opening->box;
	cleanup_fd int connection = -1;
	const int wanted = (int)opening->request->policy->namespaces;
	struct box_failure ahead = {0};
	int pid, entered, namespaces, result = find_box(opening, &pid, &connection, failure);

	if (result != 0)
		return result;
	result = live_ask(pid, &opening->lease, opening->lease_holder, &connection, &box->self);
	if (result < 0) {
		forget_box(box);
		return take_answer(opening, result, failure);
	}
	/* While nsbox-init answers. */
	entered = go_ahead(opening, wanted, &ahead);
	result = take_answer(opening, live_receive(connection, &opening->reply), failure);
	/* A box that was there before may have been made under other settings. */
	namespaces = (int)opening->reply.record.namespaces;
	if (result == 0 && namespaces != wanted) {
		turn_back(box, &ahead);
		entered = go_ahead(opening, namespaces, &ahead);
	}
	if (result == 0 && entered == 0)
		entered = ahead.is_astray ? box_fail(&ahead, "leave", "", -EBUSY)
					  : arrive(box, opening->directory, &ahead);
	if (ahead.is_astray)
		failure->is_astray = true;
	if (result == 0 && entered < 0) {
		*failure = ahead;
		result = entered == -ESRCH ? JOIN_NONE : entered; /* it was killed in between */
	}
	if (result != 0) {
		/* A forked child may have the connection, too: nobody is to hear of a lease any more. */
		shutdown(connection, SHUT_RDWR);
		turn_back(box, failure);
		if (box->lease != 0)
			give_lease_back(box->self, box->lease);
		box->lease = 0;
		forget_box(box);
	}
	return result;
}

/* Joins the scope's box, or makes one; whoever loses the race to make it joins the winner's. */
static int acquire(struct opening *opening, struct box_failure *failure)
{
	int result = 0;

	if (opening->scope_key < 0)
		return create(opening, failure);
	for (int i = 0; i < MAX_TRIES; i++) {
		result = join(opening, failure);
		/* A box outside of this process's PID namespace cannot be entered: a login inside a box gets
		 * a box within. */
		if (result == JOIN_OUTSIDE) {
			opening->scope_key = -1;
			return create(opening, failure);
		}
		if (result != JOIN_NONE)
			return result;
		if (failure->is_astray)
			return box_fail(failure, "leave", "", -EBUSY);
		result = create(opening, failure);
		if (result != -EEXIST || strcmp(failure->step, "register") != 0)
			return result;
		usleep(1000U << (i < 8 ? i : 8));
	}
	return result;
}

static int stat_namespace(int fd, const char *path, struct stat *st)
{
	return fd >= 0 ? fstat(fd, st) : stat(path, st);
}

/* The byte of the scope that the policy shares, or -1 for a box of the login's own. self is a pidfd of the calling process. */
static int64_t scope_key(
	struct box *box, const struct policy *policy, const struct account *account, int self)
{
	struct known *known = &box->known;
	struct stat mount, pid;

	if (policy->scope == SCOPE_LOGIN)
		return -1;
	if (known->mount_namespace == 0 || known->pid_namespace == 0) {
		cleanup_fd int processes = sys_pidfd_namespace(self, NSBOX_PIDFD_PID_NAMESPACE);

		save_namespaces_of(box, policy->namespaces & CLONE_NEWNS, self);
		if (stat_namespace(way_back_of(box, CLONE_NEWNS), "/proc/thread-self/ns/mnt", &mount) < 0 ||
			stat_namespace(processes, "/proc/thread-self/ns/pid", &pid) < 0)
			return -1;
		known->mount_namespace = mount.st_ino;
		known->pid_namespace = pid.st_ino;
	}
	return live_scope_key(policy->scope, policy->scope == SCOPE_USER ? account->name : policy->name,
		&(struct live_place){
			.mount = known->mount_namespace,
			.pid = known->pid_namespace,
			.without_pid = !(policy->namespaces & CLONE_NEWPID),
			.uid = policy->scope == SCOPE_USER ? account->uid : 0,
		});
}

static int open_into(struct opening *opening, struct box_failure *failure)
{
	opening->scope_key = scope_key(
		&opening->box, opening->request->policy, opening->request->account, opening->lease_holder);
	record_fill_lease(opening->request, &opening->lease);
	return acquire(opening, failure);
}

/* The first capability from first on that the policy takes out of the bounding set, and that is in it; -1: none. Every
 * kernel on which this works knows those up to CAP_CHECKPOINT_RESTORE; about one after it an error says that there is none.
 */
static int next_to_drop(const struct policy *policy, int first)
{
	for (int capability = first; policy->bounding_set_given && capability < 64; capability++) {
		int is_there;

		if (policy->bounding_set & UINT64_C(1) << capability)
			continue;
		is_there = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
		if (is_there == 1 || (is_there < 0 && capability <= CAP_CHECKPOINT_RESTORE))
			return capability;
	}
	return -1;
}

/* What is taken out of the bounding set does not come back, so box_confine() must not fail half-way: the kernel asks for
 * one capability only, each time. (It may lack memory, of which it kills this process then.)
 */
static int check_confinement(const struct policy *policy, struct box_failure *failure)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (next_to_drop(policy, 0) < 0)
		return 0;
	if (capget(&header, data) < 0)
		return box_fail(failure, "bounding-set", "", -errno);
	if (!(data[CAP_TO_INDEX(CAP_SETPCAP)].effective & CAP_TO_MASK(CAP_SETPCAP)))
		return box_fail(failure, "bounding-set", "CAP_SETPCAP", -EPERM);
	return 0;
}

/* --- ahead of the opening --- */

/* The page tells whether the process has been forked since; the rest is outside of it, so that a child can close what it has
 * inherited.
 */
struct box_ahead {
	struct box *page;
	struct known known;
	struct kept_fd procfs_watch;
	struct connection connection;
};

/* Tries the root where that moves nothing: the working directory is the root, and if other threads have it too setns(2) fails. Out of
 * a chroot it goes back into it.
 */
static int know_root(struct box *box, struct box_failure *failure)
{
	struct known *known = &box->known;
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int mounts = way_back_of(box, CLONE_NEWNS);
	struct place directory = {0};
	int result;

	known->mount_namespace = inode_of(mounts);
	if (root < 0 || known->mount_namespace == 0 || place_of(AT_FDCWD, ".", &directory) < 0 ||
		place_of(root, ".", &known->root) < 0 || /* it may be entered again */
		!is_same_place(&directory, &known->root))
		return 0;
	result = try_root(root, mounts, &known->root);
	known->has_own_root = result == 1;
	return result == 0 ? return_to_root(root, failure) : 0;
}

/* Whoever answers there when he is asked has been the box's nsbox-init all the time. */
static void know_box(struct box_ahead *ahead, int64_t scope_key)
{
	cleanup_fd int dir = scope_key < 0 ? -1 : live_open();
	int pid = dir < 0 ? -1 : live_find(dir, scope_key);

	if (pid < 0)
		return;
	ahead->connection = (struct connection){
		.fd = keep_fd(raise_fd(live_connect(pid, SOCK_NONBLOCK))),
		.pid = pid,
		.scope_key = scope_key,
	};
}

static int look_ahead(struct box_ahead *ahead, const struct policy *policy, const struct account *account,
	struct box_failure *failure)
{
	struct box box = {.is_own = true};
	cleanup_fd int self = -1;
	int result = 0;

	if (place_of(AT_FDCWD, "/", &box.known.root) < 0 || box.known.root.mount == 0)
		return 0;
	ahead->procfs_watch = keep_fd(procfs_watch());
	init_box(&box);
	self = sys_pidfd_open(getpid());
	save_namespaces_of(&box, CLONE_NEWNS, self);
	if (policy->namespaces & CLONE_NEWNS)
		result = know_root(&box, failure);
	if (result == 0)
		know_box(ahead, scope_key(&box, policy, account, self));
	close_descriptors(&box);
	ahead->known = box.known;
	return result;
}

int box_look_ahead(const struct policy *policy, const struct account *account, struct box_ahead **ahead,
	struct box_failure *failure)
{
	int result;

	memset(failure, 0, sizeof(*failure));
	*ahead = calloc(1, sizeof(**ahead));
	if (!*ahead)
		return 0;
	(*ahead)->procfs_watch = (*ahead)->connection.fd = NOTHING_KEPT;
	(*ahead)->page = allocate_page();
	if ((*ahead)->page)
		(*ahead)->page->is_own = true;
	result = (*ahead)->page ? look_ahead(*ahead, policy, account, failure) : 0;
	if (result == 0 && (*ahead)->page)
		return 0;
	box_forget(*ahead);
	*ahead = NULL;
	return result;
}

void box_forget(struct box_ahead *ahead)
{
	drop_kept_fd(&ahead->procfs_watch);
	drop_kept_fd(&ahead->connection.fd);
	if (ahead->page)
		munmap(ahead->page, sizeof(*ahead->page));
	free(ahead);
}

/* What is known, if the process has not been forked since, and is at the same root in the same mount namespace. "/.." leads to
 * what may have been mounted over the root, as setns(2) does. The user namespace is asked for again: to go to another leaves
 * no trace in any of this.
 */
static void take_known(struct opening *opening, struct box_ahead *ahead)
{
	struct place root = {0};

	if (!ahead->page->is_own || place_of(AT_FDCWD, "/..", &root) < 0 || root.mount == 0 ||
		!is_same_place(&root, &ahead->known.root))
		return;
	opening->box.known = ahead->known;
	opening->box.known.in_first_user_namespace = false;
	opening->procfs_watch = take_kept_fd(&ahead->procfs_watch);
	opening->connection = ahead->connection;
	ahead->connection.fd = NOTHING_KEPT;
}

static struct opening *new_opening(const struct box_request *request)
{
	struct opening *opening = malloc(sizeof(*opening));

	if (!opening)
		return NULL;
	/* Not calloc(3): what is not used of the stacks costs nothing. */
	memset(opening, 0, offsetof(struct opening, birth.stacks));
	opening->request = request;
	opening->procfs_watch = -1;
	opening->connection.fd = NOTHING_KEPT;
	init_box(&opening->box);
	if (request->ahead) {
		take_known(opening, request->ahead);
		opening->page = request->ahead->page;
		request->ahead->page = NULL;
	}
	return opening;
}

static void free_opening(struct opening *opening)
{
	drop_watch(&opening->procfs_watch);
	drop_kept_fd(&opening->connection.fd);
	if (opening->lease_holder >= 0)
		close(opening->lease_holder);
	paths_links_free(&opening->links);
	if (!opening->birth.is_hanging)
		free(opening);
}

int box_open(const struct box_request *request, struct box **box, struct box_entry *entry,
	struct box_failure *failure)
{
	struct opening *opening = new_opening(request);
	int result;

	*box = NULL;
	memset(entry, 0, sizeof(*entry));
	memset(failure, 0, sizeof(*failure));
	if (!opening)
		return box_fail(failure, "save", "memory", -ENOMEM);
	opening->lease_holder = sys_pidfd_open(getpid());
	result = check_confinement(request->policy, failure);
	if (result == 0 && opening->lease_holder < 0)
		result = box_fail(failure, "save", "pidfd_open", opening->lease_holder);
	if (result == 0)
		result = open_into(opening, failure);
	if (result == 0) {
		memcpy(entry->id, opening->reply.record.id, sizeof(entry->id));
		entry->changed = opening->reply.record.digest != request->policy->digest;
		*box = opening->page;
		**box = opening->box;
	} else {
		if (opening->box.is_ready)
			restore_directory(&opening->box);
		close_descriptors(&opening->box);
		if (opening->page)
			munmap(opening->page, sizeof(*opening->page));
	}
	free_opening(opening);
	return result;
}

int box_close(struct box *box, struct box_failure *failure)
{
	int result = 0;

	memset(failure, 0, sizeof(*failure));
	if (box->is_own) {
		result = go_back(box, failure);
		give_lease_back(box->self, box->lease);
		close_descriptors(box);
	}
	munmap(box, sizeof(*box));
	return result;
}

int box_confine(const struct policy *policy, struct box_failure *failure)
{
	for (int next = next_to_drop(policy, 0); next >= 0; next = next_to_drop(policy, next + 1))
		if (prctl(PR_CAPBSET_DROP, next, 0, 0, 0) < 0)
			return box_fail(failure, "capabilities", "", -errno);
	if (policy->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return box_fail(failure, "no-new-privileges", "", -errno);
	return 0;
}
