/* Directories for tests, which know one group of every user, or are away, as a file says: libnss_nsboxstub.so.2, and
 * under the names of two more services one that lists groups by name alone, and one that claims to be there and to know
 * nobody, as sssd's library may when sssd is not.
 *
 * NSBOX_STUB names the file: "up" (everybody is in group 7777, named "Stub Group"), "down", "again", or "once": up, and
 * down from then on.
 */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum nss_status _nss_nsboxstub_initgroups_dyn(
	const char *user, gid_t group, long *start, long *size, gid_t **groups, long limit, int *error);
enum nss_status _nss_nsboxstub_getgrgid_r(gid_t gid, struct group *entry, char *buf, size_t size, int *error);
enum nss_status _nss_nsboxlist_getgrnam_r(
	const char *name, struct group *entry, char *buf, size_t size, int *error);
enum nss_status _nss_sss_initgroups_dyn(
	const char *user, gid_t group, long *start, long *size, gid_t **groups, long limit, int *error);

static enum nss_status status(int *error)
{
	const char *path = getenv("NSBOX_STUB");
	FILE *file = path ? fopen(path, "re") : NULL;
	char word[16] = "";

	if (file) {
		if (fscanf(file, "%15s", word) != 1)
			word[0] = '\0';
		fclose(file);
	}
	if (strcmp(word, "once") == 0 && (file = fopen(path, "we"))) {
		fputs("down", file);
		fclose(file);
		strcpy(word, "up");
	}
	*error = strcmp(word, "again") == 0 ? EAGAIN : ENOENT;
	if (strcmp(word, "again") == 0)
		return NSS_STATUS_TRYAGAIN;
	return strcmp(word, "up") == 0 ? NSS_STATUS_SUCCESS : NSS_STATUS_UNAVAIL;
}

enum nss_status _nss_nsboxstub_initgroups_dyn(
	const char *user, gid_t group, long *start, long *size, gid_t **groups, long limit, int *error)
{
	enum nss_status is = status(error);

	(void)user;
	(void)group;
	(void)limit;
	if (is == NSS_STATUS_SUCCESS && *start < *size)
		(*groups)[(*start)++] = 7777;
	return is;
}

enum nss_status _nss_nsboxstub_getgrgid_r(gid_t gid, struct group *entry, char *buf, size_t size, int *error)
{
	static char *nobody[] = {NULL};
	enum nss_status is = status(error);

	if (is != NSS_STATUS_SUCCESS)
		return is;
	if (gid != 7777)
		return NSS_STATUS_NOTFOUND;
	if (size < 32) {
		*error = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	strcpy(buf, "Stub Group");
	*entry = (struct group){.gr_name = buf, .gr_passwd = buf + 10, .gr_gid = gid, .gr_mem = nobody};
	return is;
}

enum nss_status _nss_nsboxlist_getgrnam_r(
	const char *name, struct group *entry, char *buf, size_t size, int *error)
{
	enum nss_status is = status(error);

	(void)name;
	(void)entry;
	(void)buf;
	(void)size;
	return is == NSS_STATUS_SUCCESS ? NSS_STATUS_NOTFOUND : is;
}

enum nss_status _nss_sss_initgroups_dyn(
	const char *user, gid_t group, long *start, long *size, gid_t **groups, long limit, int *error)
{
	(void)user;
	(void)group;
	(void)start;
	(void)size;
	(void)groups;
	(void)limit;
	*error = ENOENT;
	return NSS_STATUS_NOTFOUND;
}
