#include "fake_nss.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* These stand before libc's in the program that is linked with them. */

const char *fake_nss_folder = ".";
int fake_passwd_error, fake_group_error;

static FILE *open_database(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", fake_nss_folder, name);
	return fopen(path, "re");
}

int getpwnam_r(const char *name, struct passwd *entry, char *buf, size_t size, struct passwd **result)
{
	FILE *file = fake_passwd_error ? NULL : open_database("passwd");
	int error = 0;

	*result = NULL;
	if (!file)
		return fake_passwd_error;
	while ((error = fgetpwent_r(file, entry, buf, size, result)) == 0)
		if (strcmp(entry->pw_name, name) == 0)
			break;
	fclose(file);
	if (error)
		*result = NULL;
	return error == ENOENT ? 0 : error;
}

int getgrgid_r(gid_t gid, struct group *entry, char *buf, size_t size, struct group **result)
{
	FILE *file = fake_group_error ? NULL : open_database("group");
	int error = 0;

	*result = NULL;
	if (!file)
		return fake_group_error;
	while ((error = fgetgrent_r(file, entry, buf, size, result)) == 0)
		if (entry->gr_gid == gid)
			break;
	fclose(file);
	if (error)
		*result = NULL;
	return error == ENOENT ? 0 : error;
}

int getgrouplist(const char *user, gid_t group, gid_t *groups, int *n_groups)
{
	FILE *file = open_database("group");
	char buf[65536];
	struct group entry, *result;
	int count = 1, room = *n_groups;

	if (room > 0)
		groups[0] = group;
	while (file && fgetgrent_r(file, &entry, buf, sizeof(buf), &result) == 0)
		for (char **member = entry.gr_mem; *member; member++)
			if (strcmp(*member, user) == 0 && entry.gr_gid != group) {
				if (count < room)
					groups[count] = entry.gr_gid;
				count++;
			}
	if (file)
		fclose(file);
	*n_groups = count;
	return count > room ? -1 : count;
}

int gethostname(char *name, size_t size)
{
	snprintf(name, size, "%s", FAKE_HOSTNAME);
	return 0;
}
