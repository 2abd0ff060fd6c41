#include "directory.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NSSWITCH "/etc/nsswitch.conf"
#define GROUPS	 "/etc/group"
#define SSS_PIPE "/var/lib/sss/pipes/nss"

typedef enum nss_status initgroups_function(
	const char *user, gid_t group, long *start, long *size, gid_t **groups, long limit, int *error);
typedef enum nss_status getgrnam_function(
	const char *name, struct group *entry, char *buf, size_t size, int *error);

struct question {
	const char *user;
	gid_t group;
	gid_t *gids; /* what one service says */
	long n_gids, room;
};

/* Services with nothing behind them that could be away, but for "files", which is read here. systemd's speaks with local
 * services that need not run.
 */
static bool is_local(const char *service)
{
	static const char *const local[] = {"compat", "db", "systemd", "altfiles", "extrausers"};

	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
		if (strcmp(service, local[i]) == 0)
			return true;
	return false;
}

/* sssd's library may have been built to say "no such user" when sssd is not there (a build-time option of
 * sssd, in use by distributions), so its socket is asked, too. A busy socket is no sign of absence.
 */
static bool sssd_is_away(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SSS_PIPE};
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EAGAIN &&
	       errno != EINPROGRESS;
}

static void *symbol(void *library, const char *service, const char *function)
{
	char name[96];

	snprintf(name, sizeof(name), "_nss_%s_%s", service, function);
	return dlsym(library, name);
}

/* A service that lists groups one by one is asked for a group that cannot be. */
static enum nss_status ask_for_nothing(getgrnam_function *getgrnam_of, int *error)
{
	AUTO_FREE char *buf = malloc(4096);
	struct group entry;

	*error = ENOMEM;
	return buf ? getgrnam_of("nsbox:no-such-group", &entry, buf, 4096, error) : NSS_STATUS_TRYAGAIN;
}

static enum nss_status ask(void *library, const char *service, struct question *question, int *error)
{
	void *address = symbol(library, service, "initgroups_dyn");
	initgroups_function *initgroups_of;
	getgrnam_function *getgrnam_of;

	*error = 0;
	/* ISO C has no cast from a data pointer to a function's; POSIX has dlsym. */
	if (address) {
		memcpy(&initgroups_of, &address, sizeof(address));
		return initgroups_of(question->user, question->group, &question->n_gids, &question->room,
			&question->gids, -1, error);
	}
	address = symbol(library, service, "getgrnam_r");
	memcpy(&getgrnam_of, &address, sizeof(address));
	return address ? ask_for_nothing(getgrnam_of, error) : NSS_STATUS_NOTFOUND;
}

static int add_gid(gid_t gid, gid_t **gids, int *n_gids)
{
	gid_t *longer;

	for (int i = 0; i < *n_gids; i++)
		if ((*gids)[i] == gid)
			return 0;
	longer = reallocarray(*gids, (size_t)*n_gids + 1, sizeof(**gids));
	if (!longer)
		return -ENOMEM;
	*gids = longer;
	longer[(*n_gids)++] = gid;
	return 0;
}

/* Whether a line of group(5) names the user as a member, and of which group. It is taken apart. */
static bool has_member(char *line, const char *user, gid_t *gid)
{
	char *rest = line, *member, *end;
	const char *number;

	line[strcspn(line, "\n")] = '\0';
	strsep(&rest, ":");
	strsep(&rest, ":");
	number = strsep(&rest, ":");
	if (!number || !rest)
		return false;
	*gid = (gid_t)strtoul(number, &end, 10);
	if (end == number || *end != '\0')
		return false;
	while ((member = strsep(&rest, ", \t")))
		if (strcmp(member, user) == 0)
			return true;
	return false;
}

/* The service "files" as well is one that NSS passes over where it cannot read, for want of memory perhaps, of which a
 * setuid caller has no more than its user allows.
 */
static int ask_file(const struct question *question, gid_t **gids, int *n_gids, struct sentence *why)
{
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	FILE *file = fopen(GROUPS, "re");
	gid_t gid;
	int r = 0;

	if (!file && errno == ENOENT)
		return 0;
	while (file && r == 0 && getline(&line, &size, file) >= 0)
		if (has_member(line, question->user, &gid))
			r = add_gid(gid, gids, n_gids);
	if (!file || (r == 0 && !feof(file))) {
		r = -errno;
		sentence_set(why, GROUPS " cannot be read: %s", strerror(errno));
	}
	if (file)
		fclose(file);
	return r;
}

/* Loads the service's library. *library is NULL if it is not installed, which NSS, too, passes over; that it
 * cannot be loaded for another reason (no memory, no descriptor) is an error, since NSS would pass over that
 * as well.
 */
static int load_service(const char *service, void **library, struct sentence *why)
{
	char file[96];
	const char *error;

	snprintf(file, sizeof(file), "libnss_%s.so.2", service);
	*library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	error = *library ? NULL : dlerror();
	if (!error || strstr(error, strerror(ENOENT)))
		return 0;
	sentence_set(why, "the service %s, which " NSSWITCH " names for groups, cannot be asked: %s", service,
		error);
	return -ELIBACC;
}

/* Asks one service and adds what it says. */
static int ask_service(
	const char *service, struct question *question, gid_t **gids, int *n_gids, struct sentence *why)
{
	char shown[PRINTABLE_SIZE];
	enum nss_status status;
	void *library;
	int error, r = load_service(service, &library, why);

	if (r < 0 || !library)
		return r;
	question->n_gids = 0;
	status = ask(library, service, question, &error);
	dlclose(library);
	if (status == NSS_STATUS_NOTFOUND && strcmp(service, "sss") == 0 && sssd_is_away())
		status = NSS_STATUS_UNAVAIL;
	if (status == NSS_STATUS_UNAVAIL || status == NSS_STATUS_TRYAGAIN) {
		sentence_set(why,
			"the service %s, which " NSSWITCH
			" names for groups, does not answer, so the groups of "
			"user %s are not known; see that it runs, or take it out",
			service, printable(span_of(question->user), shown));
		return -EAGAIN;
	}
	for (long i = 0; i < question->n_gids && r == 0; i++)
		r = add_gid(question->gids[i], gids, n_gids);
	return r;
}

/* Asks every service of one line of nsswitch.conf: names between blanks, and [ACTIONS], which do not matter
 * here.
 */
static int ask_line(char *line, struct question *question, gid_t **gids, int *n_gids, struct sentence *why)
{
	bool action = false;
	char *save = NULL;
	int r = 0;

	line[strcspn(line, "#")] = '\0';
	for (char *at = line; *at; at++) {
		action = *at != ']' && (action || *at == '[');
		if (action)
			*at = ' ';
	}
	for (char *word = strtok_r(line, " \t\n]", &save); word && r == 0;
		word = strtok_r(NULL, " \t\n]", &save))
		if (strcmp(word, "files") == 0)
			r = ask_file(question, gids, n_gids, why);
		else if (!is_local(word) && strlen(word) < 64 && !strchr(word, '/'))
			r = ask_service(word, question, gids, n_gids, why);
	return r;
}

/* The text behind "database:" in nsswitch.conf, in new memory; NULL if there is no such line. 0 or -errno. */
static int find_line(FILE *file, const char *database, char **text)
{
	AUTO_FREE char *line = NULL;
	size_t size = 0, length = strlen(database);

	rewind(file);
	while (getline(&line, &size, file) >= 0) {
		char *at = line + strspn(line, " \t");

		if (strncmp(at, database, length) == 0 && at[length + strspn(at + length, " \t")] == ':') {
			*text = strdup(strchr(at, ':') + 1);
			return *text ? 0 : -ENOMEM;
		}
	}
	/* A file that could not be read to its end may have had the line. */
	return feof(file) ? 0 : -errno;
}

/* The services that NSS asks for a user's groups, as nsswitch.conf has them; NULL if it says nothing of it,
 * for then it asks "files" alone. 0 or -errno.
 */
static int find_services(char **line)
{
	FILE *file = fopen(NSSWITCH, "re");
	int r;

	*line = NULL;
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	r = find_line(file, "initgroups", line);
	if (r == 0 && !*line)
		r = find_line(file, "group", line);
	fclose(file);
	return r;
}

int directory_check(const char *user, gid_t group, gid_t **gids, int *n_gids, struct sentence *why)
{
	struct question question = {.user = user, .group = group, .room = 64};
	AUTO_FREE char *line = NULL;
	int r = find_services(&line);

	if (r < 0) {
		sentence_set(why, NSSWITCH " cannot be read, so there is no telling who knows groups: %s",
			strerror(-r));
		return r;
	}
	if (!line)
		return ask_file(&question, gids, n_gids, why);
	question.gids = calloc((size_t)question.room, sizeof(*question.gids));
	if (!question.gids)
		return -ENOMEM;
	r = ask_line(line, &question, gids, n_gids, why);
	free(question.gids);
	return r;
}
