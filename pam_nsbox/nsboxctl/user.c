#include "user.h"
#include "../box/kernel.h"
#include "commands.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_CANNOT_EXECUTE 126
#define STATUS_NO_COMMAND     127

/* As login(1) has them where login.defs(5) says nothing else. */
#define PATH_USER "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
#define PATH_ROOT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int look_up_groups(struct user *user)
{
	int n = 64;

	for (;;) {
		gid_t *groups = realloc(user->groups, (size_t)n * sizeof(*groups));
		int room = n;

		if (!groups)
			return -ENOMEM;
		user->groups = groups;
		if (getgrouplist(user->name, user->gid, groups, &n) >= 0) {
			user->n_groups = n;
			return 0;
		}
		n = n > room ? n : 2 * room;
	}
}

int user_look_up(const char *name, struct user *user)
{
	const struct passwd *passwd;

	memset(user, 0, sizeof(*user));
	errno = 0;
	passwd = getpwnam(name);
	if (!passwd) {
		bool failed = errno != 0 && errno != ENOENT && errno != ESRCH;

		complain("there is no user \"%s\"%s%s; getent passwd NAME tells who is known", name,
			failed ? ", or it cannot be told: " : "", failed ? strerror(errno) : "");
		return -ENOENT;
	}
	user->uid = passwd->pw_uid;
	user->gid = passwd->pw_gid;
	user->name = strdup(passwd->pw_name);
	user->home = strdup(passwd->pw_dir && *passwd->pw_dir ? passwd->pw_dir : "/");
	user->shell = strdup(passwd->pw_shell && *passwd->pw_shell ? passwd->pw_shell : "/bin/sh");
	if (user->name && user->home && user->shell && look_up_groups(user) == 0)
		return 0;
	complain("there is no memory to look up user \"%s\"", name);
	return -ENOMEM;
}

void user_free(struct user *user)
{
	free(user->name);
	free(user->home);
	free(user->shell);
	free(user->groups);
}

static _Noreturn void give_up(const char *what, const struct user *user)
{
	complain("%s for user %s failed: %s", what, user->name, strerror(errno));
	_exit(STATUS_FAILED);
}

static void set_environment(const struct user *user, const char *box_id)
{
	const char *kept = getenv("TERM");
	char *term = kept ? strdup(kept) : NULL;

	clearenv();
	if (term)
		setenv("TERM", term, 1);
	free(term);
	setenv("HOME", user->home, 1);
	setenv("SHELL", user->shell, 1);
	setenv("USER", user->name, 1);
	setenv("LOGNAME", user->name, 1);
	setenv("PATH", user->uid == 0 ? PATH_ROOT : PATH_USER, 1);
	setenv("NSBOX", box_id, 1);
}

static void set_credentials(const struct user *user)
{
	/* Else the user would possess the keys of the administrator's session (keyrings(7)). */
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (setgroups((size_t)user->n_groups, user->groups) < 0)
		give_up("setting the groups", user);
	if (setresgid(user->gid, user->gid, user->gid) < 0)
		give_up("setting the primary group", user);
	if (setresuid(user->uid, user->uid, user->uid) < 0)
		give_up("setting the user id", user);
}

/* "-bash": a shell whose name begins so reads its login files. */
static char *login_name(const struct user *user)
{
	const char *slash = strrchr(user->shell, '/');
	char *name;

	return asprintf(&name, "-%s", slash ? slash + 1 : user->shell) < 0 ? NULL : name;
}

_Noreturn void user_exec(const struct user *user, const char *box_id, char **command)
{
	char *shell[] = {NULL, NULL};

	/* What the administrator's own shell left open is none of the user's business. */
	sys_close_range(STDERR_FILENO + 1, UINT_MAX);
	set_environment(user, box_id);
	set_credentials(user);
	if (chdir(user->home) < 0) {
		complain("the home directory %s cannot be entered: %s; going on in /", user->home,
			strerror(errno));
		if (chdir("/") < 0)
			give_up("entering /", user);
	}
	if (command && *command) {
		execvp(command[0], command);
		complain("%s cannot be run in the box: %s; give a program that is there, and that %s may run",
			command[0], strerror(errno), user->name);
	} else {
		shell[0] = login_name(user);
		execv(user->shell, shell);
		complain("the shell %s cannot be run in the box: %s", user->shell, strerror(errno));
	}
	_exit(errno == ENOENT ? STATUS_NO_COMMAND : STATUS_CANNOT_EXECUTE);
}

int user_exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
