#include "callers.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>

/* sudo's monitor sends the command's process number to the main process, which signals that number as root:
 * inside a PID namespace it names one process, outside another (sudo 1.9, exec_monitor.c and exec_pty.c). It
 * may run under a service name of its own (pam_service in sudoers), so its executable is a row too.
 */
#define SUDO "sudo signals its command by number, so it gets no PID namespace"

/* The manager execs in the process that opened the session and never forks: it would stay outside the PID
 * namespace, and what it runs for a user belongs to no login.
 */
#define MANAGER "a service manager opens this session, not somebody who logs in"

static const struct caller callers[] = {
	{.service = "sudo", .without = CLONE_NEWPID, .reason = SUDO},
	{.service = "sudo-i", .without = CLONE_NEWPID, .reason = SUDO},
	{.exe = "sudo", .without = CLONE_NEWPID, .reason = SUDO},
	{.service = "systemd-user", .no_box = true, .reason = MANAGER},
	{.exe = "systemd", .no_box = true, .reason = MANAGER},
	{.exe = "systemd-executor", .no_box = true, .reason = MANAGER},
};

/* Whether the path's last part is the name. A program that was replaced while it runs has " (deleted)" behind
 * its path in /proc.
 */
static bool is_program(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	size_t length = strlen(name);

	return strncmp(last, name, length) == 0 &&
	       (last[length] == '\0' || strcmp(last + length, " (deleted)") == 0);
}

const struct caller *caller_find(const char *service, const char *exe)
{
	for (size_t i = 0; i < sizeof(callers) / sizeof(*callers); i++)
		if ((callers[i].service && service && strcmp(service, callers[i].service) == 0) ||
			(callers[i].exe && exe && is_program(exe, callers[i].exe)))
			return &callers[i];
	return NULL;
}
