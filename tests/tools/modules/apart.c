/* A PAM module for tests: takes its caller somewhere else, which is not undone.
 *
 *	apart.so FOLDER			into a mount namespace of its own, as pam_namespace(8) does; there, and there alone, a
 *					procfs is mounted on FOLDER
 *	apart.so FOLDER chroot		FOLDER becomes its root
 *	apart.so FOLDER over		FOLDER is mounted over its root, which it keeps
 *	apart.so FOLDER user-namespace	into a user namespace of its own
 *	apart.so FOLDER detach		its root is detached from the tree of mounts
 *	apart.so SECONDS fork		it has a child for so long, with all its descriptors
 *	apart.so NUMBER close		it closes all descriptors from that one on
 *	apart.so PATH reopen		it closes its descriptor of PATH, and has another at that number
 */
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define PAM_SM_SESSION
#include <security/pam_modules.h>

static bool enter_mount_namespace(const char *folder)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("proc", folder, "proc", 0, NULL) == 0;
}

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

static bool have_child(unsigned int seconds)
{
	pid_t child = fork();

	if (child != 0)
		return child > 0;
	sleep(seconds);
	_exit(0);
}

static bool open_at(int number, const char *path)
{
	int fd = open(path, O_RDONLY), moved = fd == number ? fd : fcntl(fd, F_DUPFD, number);

	if (moved != fd)
		close(fd);
	return moved == number;
}

static bool reopen(const char *path)
{
	struct stat wanted, st;

	if (stat(path, &wanted) < 0)
		return false;
	for (int fd = STDERR_FILENO + 1; fd < 64; fd++)
		if (fstat(fd, &st) == 0 && st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino)
			return close(fd) == 0 && open_at(fd, path);
	return false;
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const char *how = argc == 2 ? argv[1] : "";
	bool done = false;

	(void)pamh, (void)flags;
	if (argc == 1)
		done = enter_mount_namespace(argv[0]);
	else if (strcmp(how, "chroot") == 0)
		done = chroot(argv[0]) == 0 && chdir("/") == 0;
	else if (strcmp(how, "over") == 0)
		done = mount(argv[0], "/", NULL, MS_BIND | MS_REC, NULL) == 0;
	else if (strcmp(how, "user-namespace") == 0)
		done = unshare(CLONE_NEWUSER) == 0 && write_to("/proc/self/setgroups", "deny") &&
		       write_to("/proc/self/uid_map", "0 0 1") && write_to("/proc/self/gid_map", "0 0 1");
	else if (strcmp(how, "detach") == 0)
		done = umount2("/", MNT_DETACH) == 0;
	else if (strcmp(how, "fork") == 0)
		done = have_child((unsigned int)atoi(argv[0]));
	else if (strcmp(how, "close") == 0)
		done = syscall(SYS_close_range, (unsigned int)atoi(argv[0]), ~0U, 0) == 0;
	else if (strcmp(how, "reopen") == 0)
		done = reopen(argv[0]);
	return done ? PAM_SUCCESS : PAM_SESSION_ERR;
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}
