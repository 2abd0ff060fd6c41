#include "box.h"
#include "../namespaces.h"
#include "inside.h"
#include "kernel.h"
#include "limits.h"
#include "live.h"
#include "network.h"

#include <limits.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* Two stacks, for the intermediate process and for the holder. paths.c's buffers are the largest thing on
 * them. */
#define STACK_SIZE	  (128 * 1024)
#define INTERMEDIATE_SIZE (16 * 1024)

#define MAX_KINDS	  8

/* How often a box that is there, but ends or is not ready, is looked for again before a login is refused. */
#define MAX_TRIES 20

/* Lives in a page of its own that the kernel wipes in forked children (MADV_WIPEONFORK): a PID alone could
 * not tell them from the process that opened the box, for a child inside may have the number that its parent
 * has outside.
 */
struct box {
	bool is_own;
	int namespaces;		 /* that were entered */
	int way_back[MAX_KINDS]; /* descriptors of the process's own namespaces, in the table's order, or -1
				  */
	int directory;		 /* its working directory, or -1: "/" */
	int self;		 /* pidfd of the box's nsbox-init, or -1 */
	uint32_t lease;
};

static int fail(struct box_failure *failure, const char *step, const char *subject, int error)
{
	failure->step = step;
	failure->error = -error;
	box_clean_text(subject, failure->subject, sizeof(failure->subject));
	return error;
}

void box_clean_text(const char *text, char *buf, size_t size)
{
	size_t used = 0;

	for (; text && *text && used + 1 < size; text++) {
		unsigned char byte = (unsigned char)*text;

		buf[used++] = byte < ' ' || byte == 0x7f || byte == '"' || byte == '\\' ? '?' : *text;
	}
	memset(buf + used, 0, size - used);
}

void box_new_id(char id[BOX_ID_SIZE])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint64_t bits = 0;

	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		bits = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	for (int i = 0; i < BOX_ID_SIZE - 1; i++, bits >>= 5)
		id[i] = alphabet[bits & 31];
	id[BOX_ID_SIZE - 1] = '\0';
}

/* --- the way back --- */

static void box_free(struct box *box)
{
	if (box->is_own) {
		for (size_t i = 0; i < n_namespace_kinds; i++)
			if (box->way_back[i] >= 0)
				close(box->way_back[i]);
		if (box->directory >= 0)
			close(box->directory);
		if (box->self >= 0)
			close(box->self);
	}
	munmap(box, sizeof(*box));
}

static struct box *box_allocate(void)
{
	struct box *box =
		mmap(NULL, sizeof(*box), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (box == MAP_FAILED)
		return NULL;
	if (madvise(box, sizeof(*box), MADV_WIPEONFORK) < 0) {
		munmap(box, sizeof(*box));
		return NULL;
	}
	box->is_own = true;
	box->directory = box->self = -1;
	for (size_t i = 0; i < MAX_KINDS; i++)
		box->way_back[i] = -1;
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
	cleanup_fd int user = sys_pidfd_namespace(self, NSBOX_PIDFD_USER_NAMESPACE);

	if (user < 0 || !is_first_user_namespace(user) || syscall(SYS_gettid) != getpid())
		return;
	for (size_t i = 0; i < n_namespace_kinds; i++) {
		if (!(namespaces & namespace_kinds[i].flag))
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
			return fail(failure, "save", path, box->way_back[i]);
	}
	if ((namespaces & CLONE_NEWNS) && box->directory < 0 && strcmp(directory, "/") != 0) {
		box->directory = raise_fd(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
		if (box->directory < 0)
			return fail(failure, "save", directory, -errno);
	}
	return 0;
}

static int go_back(struct box *box, struct box_failure *failure)
{
	int result = 0;

	for (size_t i = 0; i < n_namespace_kinds; i++)
		if ((box->namespaces & namespace_kinds[i].flag) &&
			setns(box->way_back[i], namespace_kinds[i].flag) < 0)
			result = fail(failure, "leave", namespace_kinds[i].name, -errno);
	if ((box->namespaces & CLONE_NEWNS) && box->directory >= 0 && fchdir(box->directory) < 0)
		result = fail(failure, "leave", "the working directory", -errno);
	box->namespaces = 0;
	return result;
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

/* A folder, and the mount by which it is seen: the same folder may lie at many places. */
struct place {
	dev_t device;
	ino_t inode;
	uint64_t mount; /* 0 before Linux 5.8 */
};

static int place_of(int dir, const char *path, struct place *place)
{
	struct stat st;

	memset(place, 0, sizeof(*place));
	if (fstatat(dir, path, &st, AT_EMPTY_PATH) < 0)
		return -errno;
	place->device = st.st_dev;
	place->inode = st.st_ino;
#ifdef STATX_MNT_ID
	struct statx more;

	if (statx(dir, path, AT_EMPTY_PATH, STATX_MNT_ID, &more) == 0 && (more.stx_mask & STATX_MNT_ID))
		place->mount = more.stx_mnt_id;
#endif
	return 0;
}

static int restore_directory(const struct box *box)
{
	return box->directory >= 0 && fchdir(box->directory) < 0 ? -errno : 0;
}

/* setns(2) puts the process at the root of a mount namespace, which is not where a caller in a chroot was, who would be
 * out of it after the session. So it is tried with the caller's own namespace first.
 */
static int check_root(const struct box *box, int root, struct box_failure *failure)
{
	struct place before, after;
	int result = place_of(root, "", &before);

	if (result == 0 && setns(way_back_of(box, CLONE_NEWNS), CLONE_NEWNS) < 0)
		return fail(failure, "enter", "/", -errno);
	if (result == 0)
		result = place_of(AT_FDCWD, "/", &after);
	if (result == 0 && before.device == after.device && before.inode == after.inode &&
		before.mount == after.mount)
		return 0;
	fail(failure, "root", "the caller runs in a chroot", result < 0 ? result : -EXDEV);
	if (fchdir(root) < 0 || chroot(".") < 0 || restore_directory(box) < 0)
		fail(failure, "root", "the caller's root could not be restored", -errno);
	return -EXDEV;
}

/* One setns(2) for all namespaces: the kernel does all of it or nothing. In a thread, the file-system context
 * is split off first; otherwise the call would fail, or move root and directory of every thread.
 */
static int enter(struct box *box, int namespaces, const char *directory, struct box_failure *failure)
{
	bool with_mounts = (namespaces & CLONE_NEWNS) != 0;
	cleanup_fd int root = with_mounts ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	struct box_failure ignored;
	int result = 0;

	if (with_mounts && (root < 0 || unshare(CLONE_FS) < 0))
		return fail(failure, "enter", "/", -errno);
	if (with_mounts)
		result = check_root(box, root, failure);
	if (result < 0)
		return result;
	if (setns(box->self, namespaces) < 0) {
		fail(failure, "enter", "", -errno);
		restore_directory(box);
		return -failure->error;
	}
	box->namespaces = namespaces;
	if (!with_mounts || strcmp(directory, "/") == 0)
		return 0;
	result = change_directory(directory);
	if (result < 0) {
		fail(failure, "directory", directory, result);
		go_back(box, &ignored);
	}
	return result;
}

static void give_lease_back(const struct box *box)
{
	siginfo_t info;

	if (box->lease == 0)
		return;
	memset(&info, 0, sizeof(info));
	info.si_signo = LEASE_SIGNAL_LEAVE;
	info.si_code = SI_QUEUE;
	info.si_value.sival_int = (int)box->lease;
	/* If it cannot be sent, the lease ends with this process. */
	sys_pidfd_send_signal(box->self, LEASE_SIGNAL_LEAVE, &info);
}

/* --- making a box --- */

/* The making of a holder. It is over, for the caller, when the intermediate process has been waited for. */
struct birth {
	struct inside inside;
	char *stacks;	  /* the holder's, and above it the intermediate process's */
	bool is_blocking; /* signals are blocked, and their mask stands below */
	pid_t intermediate;
	volatile pid_t holder; /* written by the kernel when the intermediate process clones it */
	sigset_t signals;      /* the caller's mask before */
	int dumpable; /* the caller's, which a change of the holder's credentials takes from their common
			     memory */
};

static int holder_main(void *data)
{
	inside_run(data);
	_exit(1);
}

/* The child of the caller and parent of the holder. It ends when the holder has become nsbox-init, which then
 * belongs to the host's init: the caller's wait(2) will never see it. Until then the caller's death is passed
 * on.
 */
static int intermediate_main(void *data)
{
	struct birth *birth = data;
	struct inside *inside = &birth->inside;
	/* A network namespace that is there already is joined by the holder itself. */
	const int flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD |
			  (inside->policy->namespaces & ~(inside->policy->netns_path ? CLONE_NEWNET : 0));
	pid_t parent;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(1);
	parent = getppid(); /* 0: the caller makes its children in another PID namespace than its own */
	if (parent != inside->parent && parent != 0)
		_exit(1);
	if (clone(holder_main, birth->stacks + STACK_SIZE, flags, inside, &birth->holder) < 0) {
		inside->failure.step = "clone";
		inside->failure.error = errno;
	}
	_exit(0);
}

/* Kills the process that is registered as the box, asked twice so that it cannot be another of the same number. */
static void kill_registered(int64_t box_key)
{
	cleanup_fd int dir = live_open();
	int pid = dir < 0 ? -1 : live_find(dir, box_key);
	cleanup_fd int holder = pid > 0 ? sys_pidfd_open(pid) : -1;

	if (holder >= 0 && live_find(dir, box_key) == pid)
		sys_pidfd_send_signal(holder, SIGKILL, NULL);
}

/* Kills the intermediate process, and the holder before it, which might not have asked to die with its parent yet. While
 * the parent lives nobody else waits for the holder, so that its number is its own.
 */
static void kill_parents(struct birth *birth)
{
	cleanup_fd int holder = birth->holder > 0 ? sys_pidfd_open(birth->holder) : -1;
	siginfo_t ended = {.si_pid = 0};

	waitid(P_PID, (id_t)birth->intermediate, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL);
	if (holder >= 0 && ended.si_pid == 0)
		sys_pidfd_send_signal(holder, SIGKILL, NULL);
	kill(birth->intermediate, SIGKILL);
	waitpid(birth->intermediate, NULL, __WALL);
	birth->intermediate = -1;
}

/* Sees to it that a holder which failed or did not answer in time has ended; its parent is dead already. One that had
 * become nsbox-init is killed when it is registered. Its end of the connection
 * closes after it left the caller's memory: because it died, or because it became nsbox-init and has answered, which is
 * why it is looked for once more. Returns false if it hangs in a system call that cannot be interrupted, so that it may
 * still come back to the caller's memory.
 */
static bool end_holder(int connection, int64_t box_key)
{
	struct pollfd closed = {.fd = connection, .events = POLLRDHUP};
	int result = 0;

	for (int i = 0; i < 50 && result == 0; i++) {
		kill_registered(box_key);
		result = poll(&closed, 1, 20);
	}
	kill_registered(box_key);
	return result == 1;
}

/* Makes the holder, and waits for its reply as nsbox-init. inside->failure tells what went wrong before that.
 * Signals are blocked, in the caller too, until end_birth(): a handler of the caller's would run in the
 * holder, on the caller's memory. holders_end is closed in any case.
 */
static int give_birth(struct birth *birth, int connection, int holders_end, struct lease_reply *reply,
	struct box *box, const char *directory)
{
	struct box_failure ignored;
	sigset_t all;
	int result;

	birth->stacks = mmap(NULL, STACK_SIZE + INTERMEDIATE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (birth->stacks == MAP_FAILED) {
		birth->stacks = NULL;
		close(holders_end);
		return fail(&birth->inside.failure, "clone", "", -errno);
	}
	birth->inside.parent = getpid();
	birth->dumpable = prctl(PR_GET_DUMPABLE);
	birth->inside.connection = holders_end;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &birth->signals);
	birth->is_blocking = true;
	/* No exit signal: no handler of the caller's, and no wait(2) without __WALL, ever meets it. */
	birth->intermediate =
		clone(intermediate_main, birth->stacks + STACK_SIZE + INTERMEDIATE_SIZE, CLONE_VM, birth);
	result = birth->intermediate < 0 ? fail(&birth->inside.failure, "clone", "", -errno) : 0;
	close(holders_end); /* so that the holder's end is the last, and its closing can be seen */
	if (result < 0)
		return result;
	/* While the kernel makes the namespaces. What fails now fails again when it is needed, and is told of then. */
	save_way_back(box, birth->inside.policy->namespaces, directory, &ignored);
	result = live_receive(connection, reply, &box->self);
	if (result < 0) {
		kill_parents(birth);
		if (!end_holder(connection, birth->inside.box_key))
			birth->stacks = NULL;
	}
	return result;
}

/* The intermediate process ends while nsbox-init starts; waiting for it is left to the end of the opening,
 * when it has nothing left to do. Should somebody have stopped it, it ends all the same.
 */
static void end_birth(struct birth *birth)
{
	if (birth->intermediate > 0) {
		kill(birth->intermediate, SIGKILL);
		waitpid(birth->intermediate, NULL, __WALL);
	}
	birth->intermediate = 0;
	if (birth->is_blocking) {
		sigprocmask(SIG_SETMASK, &birth->signals, NULL);
		if (birth->dumpable == 1 && prctl(PR_GET_DUMPABLE) != 1)
			prctl(PR_SET_DUMPABLE, 1);
	}
	birth->is_blocking = false;
	if (birth->stacks)
		munmap(birth->stacks, STACK_SIZE + INTERMEDIATE_SIZE);
	birth->stacks = NULL;
}

/* The host's hosts file and a line for the box's name, so that sudo and others can resolve it. *text is the
 * caller's to free; NULL if the box needs none.
 */
static int make_hosts(const struct policy *policy, char **text, size_t *size)
{
	cleanup_fd int fd = -1;
	FILE *stream;
	char buf[4096], path[PATH_MAX];
	ssize_t part;
	int result;

	*text = NULL;
	*size = 0;
	if (!(policy->namespaces & CLONE_NEWNS) || !(policy->namespaces & CLONE_NEWUTS) ||
		!policy->hostname[0])
		return 0;
	if (network_etc(policy->netns_path, path, sizeof(path) - sizeof("/hosts"))) {
		strcat(path, "/hosts");
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0)
		fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	stream = open_memstream(text, size);
	if (!stream)
		return -errno;
	fprintf(stream, "127.0.1.1\t%s\n", policy->hostname);
	while ((part = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)part, stream);
	result = part < 0 ? -errno : 0;
	/* Where memory is short fclose(3) may succeed, and leave no text. */
	if ((fclose(stream) != 0 || !*text) && result == 0)
		result = -ENOMEM;
	if (result < 0) {
		free(*text);
		*text = NULL;
	}
	return result;
}

static void fill_record(const struct box_request *request, int64_t scope_key, struct box_record *record)
{
	const struct policy *policy = request->policy;

	box_clean_text(request->id, record->id, sizeof(record->id));
	box_clean_text(policy->name, record->policy, sizeof(record->policy));
	box_clean_text(request->account->name, record->user, sizeof(record->user));
	box_clean_text(request->service, record->service, sizeof(record->service));
	box_clean_text(request->from, record->from, sizeof(record->from));
	box_clean_text(request->tty, record->tty, sizeof(record->tty));
	box_clean_text(policy->hostname, record->hostname, sizeof(record->hostname));
	record->digest = policy->digest;
	record->bounding_set = policy->bounding_set;
	record->bounding_set_given = policy->bounding_set_given;
	record->no_new_privileges = policy->no_new_privileges;
	record->scope_key = scope_key;
	record->since = time(NULL);
	record->namespaces = (uint32_t)policy->namespaces;
	record->scope = policy->scope;
	record->timeout_stop_ms = policy->timeout_stop_ms;
	record->linger = policy->linger;
}

/* The caller's half of one opening, on its way. */
struct opening {
	const struct box_request *request;
	struct box *box;
	char directory[PATH_MAX];
	int64_t scope_key;
	int lease_holder; /* pidfd of the caller */
	struct lease_request lease;
	struct lease_reply reply;
	struct birth birth;
};

static int prepare(struct opening *opening, char **hosts, struct box_failure *failure)
{
	const struct box_request *request = opening->request;
	struct inside *inside = &opening->birth.inside;
	int result;

	/* nsbox-init, which will get no more than that, has to detach the old mounts. */
	if ((request->policy->namespaces & CLONE_NEWNS) &&
		prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0)
		return fail(failure, "bounding-set", "CAP_SYS_ADMIN", -EPERM);
	result = make_hosts(request->policy, hosts, &inside->hosts_size);
	if (result < 0)
		return fail(failure, "hosts", "/etc/hosts", result);
	inside->request = request;
	inside->policy = request->policy;
	inside->box_key = live_box_key(request->id);
	inside->scope_key = opening->scope_key;
	inside->directory = strcmp(opening->directory, "/") == 0 ? NULL : opening->directory;
	inside->real_uid = getuid();
	inside->hosts = *hosts;
	inside->pid_max = limits_pid_max(request->policy);
	result = paths_plan_make(request->policy, request->account, *hosts != NULL, &inside->plan);
	if (result == 0)
		result = paths_make_user_tmp(&inside->plan);
	return result < 0 ? fail(failure, "paths", USER_TMP_DIRECTORY, result) : 0;
}

static int create(struct opening *opening, struct box_failure *failure)
{
	struct inside *inside = &opening->birth.inside;
	int ends[2] = {-1, -1};
	char *hosts = NULL;
	int result;

	memset(&opening->birth, 0, sizeof(opening->birth));
	result = prepare(opening, &hosts, failure);
	if (result == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		result = fail(failure, "clone", "", -errno);
	if (result == 0) {
		/* Sent before there is anybody to receive it: nsbox-init finds its first request waiting. */
		result = live_send(ends[0], &opening->lease, opening->lease_holder);
		if (result == 0)
			result = give_birth(&opening->birth, ends[0], ends[1], &opening->reply, opening->box,
				opening->directory);
		else
			close(ends[1]);
		if (result < 0)
			end_birth(&opening->birth);
		close(ends[0]);
		if (result < 0 && inside->failure.step) {
			*failure = inside->failure;
			result = -inside->failure.error;
		} else if (result < 0) {
			fail(failure, "ready", opening->request->init, result);
		}
	}
	free(hosts);
	paths_plan_free(&inside->plan);
	return result;
}

/* Whether the box that was found serves the scope that was asked for, and not another with the same key. */
static bool is_same_scope(const struct opening *opening)
{
	const struct box_record *wanted = &opening->lease.record, *found = &opening->reply.record;

	return wanted->scope == found->scope &&
	       (wanted->scope == SCOPE_USER ? strcmp(wanted->user, found->user) == 0
					    : strcmp(wanted->policy, found->policy) == 0);
}

/* Joins the box that serves the scope. -ENOENT: there is none, or it is ending, so that one has to be made.
 */
static int join(struct opening *opening, struct box_failure *failure)
{
	cleanup_fd int dir = live_open();
	cleanup_fd int connection = -1;
	int pid, result;

	if (dir < 0)
		return fail(failure, "registry", LIVE_DIRECTORY, dir);
	pid = live_find(dir, opening->scope_key);
	if (pid < 0)
		return fail(failure, "join", opening->lease.record.user, pid);
	connection = live_connect(pid);
	/* As many wait as may, for a box that does not answer; to look again would be to wait again. */
	if (connection == -EAGAIN)
		return fail(failure, "join", opening->lease.record.user, -ETIMEDOUT);
	if (connection < 0)
		return -ENOENT;
	if (live_send(connection, &opening->lease, opening->lease_holder) < 0)
		return -ENOENT;
	result = live_receive(connection, &opening->reply, &opening->box->self);
	if (result == -ETIMEDOUT || opening->reply.head.error == EMFILE)
		return fail(failure, "join", opening->reply.record.id, result < 0 ? result : -EMFILE);
	if (result < 0 || opening->reply.head.error != 0 || opening->box->self < 0)
		return -ENOENT;
	if (!is_same_scope(opening)) {
		opening->box->lease = opening->reply.head.lease;
		give_lease_back(opening->box);
		return fail(failure, "join", opening->reply.record.id, -EADDRINUSE);
	}
	return 0;
}

/* Joins the scope's box, or makes one; whoever loses the race to make it joins the winner's. */
static int acquire(struct opening *opening, struct box_entry *entry, struct box_failure *failure)
{
	int result = 0;

	if (opening->scope_key < 0)
		return create(opening, failure);
	for (int i = 0; i < MAX_TRIES; i++) {
		result = join(opening, failure);
		if (result == 0)
			entry->joined = true;
		/* A box outside of this process's PID namespace cannot be entered: a login inside a box gets
		 * a box within. */
		if (result == -EXDEV) {
			opening->scope_key = opening->lease.record.scope_key = -1;
			return create(opening, failure);
		}
		if (result != -ENOENT)
			return result;
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

/* The byte of the scope that the policy shares, or -1 for a box of the login's own. */
static int64_t scope_key(const struct opening *opening)
{
	const struct box_request *request = opening->request;
	const struct policy *policy = request->policy;
	cleanup_fd int pid_namespace = -1;
	struct stat mount, pid;
	struct live_place place;

	if (policy->scope == SCOPE_LOGIN)
		return -1;
	pid_namespace = sys_pidfd_namespace(opening->lease_holder, NSBOX_PIDFD_PID_NAMESPACE);
	if (stat_namespace(way_back_of(opening->box, CLONE_NEWNS), "/proc/thread-self/ns/mnt", &mount) < 0 ||
		stat_namespace(pid_namespace, "/proc/thread-self/ns/pid", &pid) < 0)
		return -1;
	place = (struct live_place){
		.mount = mount.st_ino,
		.pid = pid.st_ino,
		.without_pid = !(policy->namespaces & CLONE_NEWPID),
	};
	return live_scope_key(
		policy->scope, policy->scope == SCOPE_USER ? request->account->name : policy->name, &place);
}

static int open_into(struct opening *opening, struct box_entry *entry, struct box_failure *failure)
{
	const struct policy *policy = opening->request->policy;
	long length = syscall(SYS_getcwd, opening->directory, sizeof(opening->directory));
	int result, namespaces;

	if ((policy->namespaces & CLONE_NEWNS) && (length < 0 || opening->directory[0] != '/'))
		return fail(failure, "directory", "", length < 0 ? -errno : -ENOENT);
	opening->lease_holder = sys_pidfd_open(getpid());
	if (opening->lease_holder < 0)
		return fail(failure, "save", "pidfd_open", opening->lease_holder);
	save_namespaces_of(opening->box, policy->namespaces, opening->lease_holder);
	opening->scope_key = scope_key(opening);
	fill_record(opening->request, opening->scope_key, &opening->lease.record);
	result = acquire(opening, entry, failure);
	close(opening->lease_holder);
	if (result < 0)
		return result;

	/* A box that was there before may have been made under other settings. */
	namespaces = (int)opening->reply.record.namespaces;
	opening->box->lease = opening->reply.head.lease;
	result = save_way_back(opening->box, namespaces, opening->directory, failure);
	if (result == 0)
		result = enter(opening->box, namespaces, opening->directory, failure);
	if (result < 0)
		give_lease_back(opening->box);
	return result;
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
		return fail(failure, "bounding-set", "", -errno);
	if (!(data[CAP_TO_INDEX(CAP_SETPCAP)].effective & CAP_TO_MASK(CAP_SETPCAP)))
		return fail(failure, "bounding-set", "CAP_SETPCAP", -EPERM);
	return 0;
}

int box_open(const struct box_request *request, struct box **box, struct box_entry *entry,
	struct box_failure *failure)
{
	struct opening *opening = calloc(1, sizeof(*opening));
	int result = 0;

	memset(entry, 0, sizeof(*entry));
	memset(failure, 0, sizeof(*failure));
	*box = opening ? box_allocate() : NULL;
	if (!*box) {
		free(opening);
		return fail(failure, "save", "memory", -ENOMEM);
	}
	opening->request = request;
	opening->box = *box;
	opening->lease.operation = LEASE_JOIN;
	result = check_confinement(request->policy, failure);
	if (result == 0)
		result = open_into(opening, entry, failure);
	end_birth(&opening->birth);
	if (result < 0) {
		box_free(*box);
		*box = NULL;
	} else {
		memcpy(entry->id, opening->reply.record.id, sizeof(entry->id));
		memcpy(entry->hostname, opening->reply.record.hostname, sizeof(entry->hostname));
		entry->lease = opening->reply.head.lease;
		entry->leases = opening->reply.head.leases;
		entry->changed = opening->reply.record.digest != request->policy->digest;
	}
	free(opening);
	return result;
}

int box_close(struct box *box, struct box_failure *failure)
{
	int result = 0;

	memset(failure, 0, sizeof(*failure));
	if (box->is_own) {
		result = go_back(box, failure);
		give_lease_back(box);
	}
	box_free(box);
	return result;
}

int box_confine(const struct policy *policy, struct box_failure *failure)
{
	for (int next = next_to_drop(policy, 0); next >= 0; next = next_to_drop(policy, next + 1))
		if (prctl(PR_CAPBSET_DROP, next, 0, 0, 0) < 0)
			return fail(failure, "capabilities", "", -errno);
	if (policy->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(failure, "no-new-privileges", "", -errno);
	return 0;
}
