#include "names.h"
#include "directory.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_FIRST ((size_t)4 << 10)
#define ENTRY_MAX   ((size_t)64 << 20) /* a group of a million members */
#define GROUPS_MAX  (1 << 20)

/* POSIX's getpwnam has these for "there is none", besides 0 (getpwnam(3)). */
static bool means_unknown(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH;
}

/* One look-up into a buffer that grows as long as the entry does not fit. found is cleared if there is none.
 * Returns 0 or the error number.
 */
static int with_buffer(int (*look_up)(const void *what, void *entry, char *buf, size_t size, bool *found),
	const void *what, void *entry, char **buf, bool *found)
{
	int error = ERANGE;

	for (size_t size = ENTRY_FIRST; error == ERANGE && size <= ENTRY_MAX; size *= 4) {
		free(*buf);
		*buf = malloc(size);
		if (!*buf)
			return ENOMEM;
		error = look_up(what, entry, *buf, size, found);
	}
	return error;
}

static int look_up_user(const void *what, void *entry, char *buf, size_t size, bool *found)
{
	struct passwd *result = NULL;
	int error = getpwnam_r(what, entry, buf, size, &result);

	*found = result != NULL;
	return error;
}

static int look_up_group(const void *what, void *entry, char *buf, size_t size, bool *found)
{
	struct group *result = NULL;
	int error = getgrgid_r(*(const gid_t *)what, entry, buf, size, &result);

	*found = result != NULL;
	return error;
}

int names_account(const char *user, struct account *account, struct sentence *why)
{
	AUTO_FREE char *buf = NULL;
	char shown[PRINTABLE_SIZE];
	struct passwd entry;
	bool found = false;
	int error;

	memset(account, 0, sizeof(*account));
	/* LOGIN_NAME_MAX is 256, and nothing longer is worth a directory's time. */
	if (!user || user[0] == '\0' || strnlen(user, 256) == 256) {
		sentence_set(why, "%s is no user name", printable(span_of(user ? user : ""), shown));
		return -ENOENT;
	}
	error = with_buffer(look_up_user, user, &entry, &buf, &found);
	if (!found && means_unknown(error)) {
		sentence_set(why,
			"no user %s is known to this host (or its directory does not answer), so there is no "
			"telling what the box should be",
			printable(span_of(user), shown));
		return -ENOENT;
	}
	if (!found) {
		sentence_set(why,
			"the user %s cannot be looked up: %s; check the services that nsswitch.conf names "
			"for passwd",
			printable(span_of(user), shown), strerror(error));
		return error ? -error : -EIO;
	}
	account->name = strdup(entry.pw_name);
	account->home = strdup(entry.pw_dir ? entry.pw_dir : "");
	account->uid = entry.pw_uid;
	account->gid = entry.pw_gid;
	if (account->name && account->home)
		return 0;
	sentence_set(why, "there is no memory for a user's entry");
	return -ENOMEM;
}

void names_free_account(struct account *account)
{
	free(account->name);
	free(account->home);
	account->name = account->home = NULL;
}

int names_group(gid_t gid, char **name, struct sentence *why)
{
	AUTO_FREE char *buf = NULL;
	struct group entry;
	bool found = false;
	int error = with_buffer(look_up_group, &gid, &entry, &buf, &found);

	*name = found ? strdup(entry.gr_name) : NULL;
	if (*name)
		return 0;
	if (!found && means_unknown(error)) {
		sentence_set(why, "no group has the number %u", (unsigned int)gid);
		return -ENOENT;
	}
	if (found || error == 0)
		error = ENOMEM;
	sentence_set(why,
		"the group %u cannot be looked up: %s; check the services that nsswitch.conf names for group",
		(unsigned int)gid, strerror(error));
	return -error;
}

/* The numbers of the user's groups, in new memory. */
static int group_numbers(const struct account *account, gid_t **gids, int *n_gids)
{
	int room = 64, count = room;

	*gids = NULL;
	while (room <= GROUPS_MAX) {
		free(*gids);
		*gids = calloc((size_t)room, sizeof(**gids));
		if (!*gids)
			return -ENOMEM;
		if (getgrouplist(account->name, account->gid, *gids, &count) >= 0) {
			*n_gids = count;
			return 0;
		}
		/* It says how many there are, but not if it was memory that it lacked. */
		room = count > room ? count : 2 * room;
		count = room;
	}
	return -E2BIG;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names the groups as far as they have names; the numbers of those that have none are left. */
static int name_numbers(gid_t *gids, int *n_gids, struct groups *groups, struct sentence *why)
{
	int n_left = 0;

	for (int i = 0; i < *n_gids; i++) {
		char *name;
		int r = names_group(gids[i], &name, why);

		if (r == 0)
			groups->names[groups->n_names++] = name;
		else if (r != -ENOENT)
			return r;
		else
			gids[n_left++] = gids[i];
	}
	*n_gids = n_left;
	return 0;
}

/* Adds the groups of other to the list. */
static int add_numbers(gid_t **gids, int *n_gids, const gid_t *other, int n_other)
{
	gid_t *longer = reallocarray(*gids, (size_t)*n_gids + (size_t)n_other + 1, sizeof(**gids));
	int own = *n_gids;

	if (!longer)
		return -ENOMEM;
	*gids = longer;
	for (int i = 0; i < n_other; i++) {
		int at = 0;

		while (at < own && longer[at] != other[i])
			at++;
		if (at == own)
			longer[(*n_gids)++] = other[i];
	}
	return 0;
}

int names_groups(const struct account *account, struct groups *groups, struct sentence *why)
{
	AUTO_FREE gid_t *gids = NULL, *asked = NULL;
	int n_gids = 0, n_asked = 0, r;

	memset(groups, 0, sizeof(*groups));
	why->text[0] = '\0';
	/* Asked before the list: a service that hangs costs its time limit once, and what one said stays said even
	 * if it is gone when NSS asks it again.
	 */
	r = directory_check(account->name, account->gid, &asked, &n_asked, why);
	if (r == 0)
		r = group_numbers(account, &gids, &n_gids);
	if (r == 0)
		r = add_numbers(&gids, &n_gids, asked, n_asked);
	groups->names = r == 0 ? calloc((size_t)n_gids + 1, sizeof(*groups->names)) : NULL;
	if (r == 0)
		r = groups->names ? name_numbers(gids, &n_gids, groups, why) : -ENOMEM;
	/* A number without a name is usual; but it is also what a directory leaves that has just gone away, or a file
	 * that could not be read this one time.
	 */
	if (r == 0 && n_gids > 0) {
		r = directory_check(account->name, account->gid, &asked, &n_asked, why);
		if (r == 0)
			r = name_numbers(gids, &n_gids, groups, why);
	}
	if (r == 0)
		qsort(groups->names, groups->n_names, sizeof(*groups->names), by_name);
	if (r < 0 && !why->text[0])
		sentence_set(why, "the groups of a user cannot be listed: %s", strerror(-r));
	return r;
}

void names_free_groups(struct groups *groups)
{
	for (size_t i = 0; i < groups->n_names; i++)
		free(groups->names[i]);
	free(groups->names);
	memset(groups, 0, sizeof(*groups));
}
