/* Users and groups for fuzzing, in memory: what NSS would say takes longer than all that is fuzzed. These functions stand
 * before the C library's, and before policy/directory.c, which is left out and would ask services by their libraries.
 */
#ifndef NSBOX_FUZZ_USERS_H
#define NSBOX_FUZZ_USERS_H

#include "fuzz.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "policy/directory.h"

static const struct passwd fuzz_users[] = {
	{.pw_name = (char *)"root", .pw_dir = (char *)"/root"},
	{.pw_name = (char *)"alice", .pw_uid = 1000, .pw_gid = 1000, .pw_dir = (char *)"/home/alice"},
	{.pw_name = (char *)"DOMAIN\\bob",
		.pw_uid = 1001,
		.pw_gid = 1001,
		.pw_dir = (char *)"/home/DOMAIN/bob"},
	{.pw_name = (char *)"..", .pw_uid = 1002, .pw_gid = 1000, .pw_dir = (char *)""},
};
static const struct group fuzz_groups[] = {
	{.gr_name = (char *)"root"},
	{.gr_name = (char *)"users", .gr_gid = 1000},
	{.gr_name = (char *)"Domain Users", .gr_gid = 1001},
	{.gr_name = (char *)"students", .gr_gid = 1002},
};
#define FUZZ_COUNT(array) (sizeof(array) / sizeof(*(array)))

int getpwnam_r(const char *name, struct passwd *entry, char *buf, size_t size, struct passwd **result)
{
	(void)buf, (void)size;
	*result = NULL;
	for (size_t i = 0; i < FUZZ_COUNT(fuzz_users); i++)
		if (strcmp(fuzz_users[i].pw_name, name) == 0) {
			*entry = fuzz_users[i];
			*result = entry;
		}
	return 0;
}

int getgrgid_r(gid_t gid, struct group *entry, char *buf, size_t size, struct group **result)
{
	(void)buf, (void)size;
	*result = NULL;
	for (size_t i = 0; i < FUZZ_COUNT(fuzz_groups); i++)
		if (fuzz_groups[i].gr_gid == gid) {
			*entry = fuzz_groups[i];
			*result = entry;
		}
	return 0;
}

int getgrouplist(const char *user, gid_t group, gid_t *groups, int *n_groups)
{
	(void)user;
	groups[0] = group;
	groups[1] = 1002;
	return *n_groups = 2;
}

int gethostname(char *name, size_t size)
{
	snprintf(name, size, "host.example");
	return 0;
}

int directory_check(const char *user, gid_t group, gid_t **gids, int *n_gids, struct sentence *why)
{
	(void)user, (void)group, (void)gids, (void)n_gids, (void)why;
	return 0;
}

#endif
