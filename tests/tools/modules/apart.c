/* A PAM module for tests: puts its caller into a mount namespace of its own, as pam_namespace(8) does.
 *
 *	apart.so FOLDER
 *
 * There, and there alone, a procfs is mounted on FOLDER. It is not undone.
 */
#include <sched.h>
#include <sys/mount.h>

#define PAM_SM_SESSION
#include <security/pam_modules.h>

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags;
	if (argc != 1 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("proc", argv[0], "proc", 0, NULL) < 0)
		return PAM_SESSION_ERR;
	return PAM_SUCCESS;
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}
