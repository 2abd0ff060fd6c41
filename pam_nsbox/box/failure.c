/* What a failure means for an administrator. */
#include "failure.h"
#include "../namespaces.h"
#include "inside.h"
#include "kernel.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

int box_fail(struct box_failure *failure, const char *step, const char *subject, int error)
{
	failure->step = step;
	failure->error = -error;
	box_clean_text(subject, failure->subject, sizeof(failure->subject));
	return error;
}

/* What the steps outside of the table do (those inside say it themselves). */
static const char *const outside_steps[][2] = {
	{"save", "remembers the way back"},
	{"bounding-set", "examines the caller's capability bounding set"},
	{"clone", "makes the new namespaces"},
	{"ready", "waits for nsbox-init to be ready"},
	{"join", "joins the box of the scope"},
	{"enter", "enters the box"},
	{"root", "makes sure that the caller is not in a chroot"},
	{"leave", "goes back to the caller's own namespaces"},
	{"capabilities", "drops capabilities from the bounding set"},
	{"no-new-privileges", "sets no_new_privs"},
};

static const char *what_it_does(const char *step)
{
	for (size_t i = 0; i < n_inside_steps; i++)
		if (strcmp(inside_steps[i].name, step) == 0)
			return inside_steps[i].does;
	for (size_t i = 0; i < sizeof(outside_steps) / sizeof(*outside_steps); i++)
		if (strcmp(outside_steps[i][0], step) == 0)
			return outside_steps[i][1];
	return "";
}

static int try_namespace(void *flag)
{
	_exit(unshare(*(int *)flag) < 0 && errno == ENOSPC);
}

/* clone(2) does not say which limit made it fail with ENOSPC, so each kind is tried alone. */
static const struct namespace_kind *exhausted_kind(int namespaces)
{
	for (size_t i = 0; i < n_namespace_kinds; i++) {
		char stack[8192] __attribute__((aligned(16)));
		int flag = namespace_kinds[i].flag, status;
		pid_t pid;

		if (!(namespaces & flag))
			continue;
		pid = clone(try_namespace, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, &flag);
		if (pid > 0 && waitpid(pid, &status, __WALL) == pid && WIFEXITED(status) &&
			WEXITSTATUS(status) == 1)
			return &namespace_kinds[i];
	}
	return NULL;
}

static void hint_at_limit(int namespaces, char *buf, size_t size)
{
	const struct namespace_kind *kind = exhausted_kind(namespaces);

	if (!kind)
		snprintf(buf, size, "raise user.max_*_namespaces or fs.mount-max with sysctl");
	else if (kind->flag == CLONE_NEWPID)
		snprintf(buf, size,
			"user.max_pid_namespaces is reached (raise it with sysctl), or 32 boxes lie in each "
			"other");
	else if (kind->flag == CLONE_NEWNS)
		snprintf(buf, size,
			"user.max_mnt_namespaces or fs.mount-max is reached: raise it with sysctl");
	else
		snprintf(buf, size, "user.%s is reached: raise it with sysctl", kind->limit);
}

/* What to do, for the failures that administrators meet. */
static void hint(const struct box_failure *failure, const struct box_request *request, char *buf, size_t size)
{
	const char *step = failure->step;

	buf[0] = '\0';
	if (strcmp(step, "clone") == 0 && failure->error == ENOSPC)
		hint_at_limit(request->policy->namespaces, buf, size);
	else if (failure->error == ENOSPC &&
		 (strcmp(step, "sysfs") == 0 || strcmp(step, "paths") == 0 || strcmp(step, "procfs") == 0))
		snprintf(buf, size,
			"user.max_mnt_namespaces or fs.mount-max is reached: raise it with sysctl");
	else if (strcmp(step, "clone") == 0 && failure->error == EAGAIN)
		snprintf(buf, size,
			"no process can be made: kernel.pid_max or the control group's pids.max is reached");
	else if ((strcmp(step, "clone") == 0 || strcmp(step, "enter") == 0) && failure->error == EPERM)
		snprintf(buf, size, "the caller needs CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_SYS_CHROOT");
	else if (strcmp(step, "bounding-set") == 0)
		snprintf(buf, size,
			"the caller needs it; some containers lack it, and so does a process after the "
			"CapabilityBoundingSet of an earlier session");
	else if (strcmp(step, "save") == 0 && failure->error == EPERM)
		snprintf(buf, size,
			"it belongs to a user namespace above the caller's, and could not be entered again; "
			"leave its kind out of Namespaces");
	else if (strcmp(step, "init") == 0 || strcmp(step, "exec") == 0)
		snprintf(buf, size, "reinstall pam_nsbox, or mend owner and mode of %s (root, 0755)",
			request->init);
	else if (strcmp(step, "ready") == 0)
		snprintf(buf, size,
			"it ended or hung before it was ready; reinstall pam_nsbox, raise the caller's "
			"RLIMIT_STACK, or look in the kernel's log for what ended or stopped it");
	else if (strcmp(step, "directory") == 0)
		snprintf(buf, size, "log in from a directory that the policy shows inside the box");
	else if (strcmp(step, "registry") == 0 && failure->error == EPERM)
		snprintf(buf, size, "it must be root's folder with mode 0700");
	else if (strcmp(step, "root") == 0)
		snprintf(buf, size,
			"a box would lead out of it; take the module out of the chroot's PAM stack");
	else if (strcmp(step, "join") == 0 && failure->error == EMFILE)
		snprintf(buf, size, "it holds as many sessions as it can; end some, or use Scope=login");
	else if (strcmp(step, "paths") == 0 && failure->error == ENOENT)
		snprintf(buf, size, "it does not exist; a leading \"-\" makes it optional");
	else if (strcmp(step, "paths") == 0 && (failure->error == ENOTDIR || failure->error == EISDIR))
		snprintf(buf, size, "only a folder can lie on a folder, and only another file on a file");
	else if (strcmp(step, "paths") == 0 && failure->error == ESTALE)
		snprintf(buf, size, "another has taken its place meanwhile");
	else if (strcmp(step, "paths") == 0 && failure->error == EBUSY)
		snprintf(buf, size, "the root of everything cannot be replaced; name the folders in it");
	else if (strcmp(step, "paths") == 0 && failure->error == ELOOP)
		snprintf(buf, size,
			"a symbolic link lies where others than root can write; name the real path");
}

const char *box_failure_sentence(
	const struct box_failure *failure, const struct box_request *request, char *buf, size_t size)
{
	char advice[256];

	hint(failure, request, advice, sizeof(advice));
	snprintf(buf, size, "step=%s (%s)%s%s: %s%s%s", failure->step, what_it_does(failure->step),
		failure->subject[0] ? " on " : "", failure->subject, strerror(failure->error),
		advice[0] ? "; " : "", advice);
	return buf;
}
