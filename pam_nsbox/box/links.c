#include "links.h"
#include "kernel.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_LINKS 40 /* as many as the kernel follows, path_resolution(7) */

/* A path on the way. */
struct way {
	int dir;      /* where it has come to */
	bool trusted; /* nobody but root can have changed anything so far */
	int n_links;
	char path[PATH_MAX]; /* of dir, without links; "" for / */
	char todo[2 * PATH_MAX];
	char *next; /* what is left, in todo */
};

/* Whether nobody but root can change what a folder holds. */
static bool is_roots_alone(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0;
}

static int start_at_root(struct way *way)
{
	if (way->dir >= 0)
		close(way->dir);
	way->dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	way->trusted = way->dir >= 0 && is_roots_alone(way->dir);
	way->path[0] = '\0';
	return way->dir < 0 ? -errno : 0;
}

static int begin(struct way *way, const char *path)
{
	way->dir = -1;
	way->n_links = 0;
	way->next = way->todo;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(way->todo, path);
	return start_at_root(way);
}

/* Adds a name to the path of where the way has come to. */
static int add_name(struct way *way, const char *name)
{
	size_t length = strlen(way->path);

	if (strcmp(name, "..") == 0) {
		char *slash = strrchr(way->path, '/');

		*(slash ? slash : way->path) = '\0';
	} else if (strcmp(name, ".") != 0) {
		if (length + 1 + strlen(name) >= sizeof(way->path))
			return -ENAMETOOLONG;
		way->path[length] = '/';
		strcpy(way->path + length + 1, name);
	}
	return 0;
}

/* The next name; its length, or 0 at the end. */
static int next_name(struct way *way, char name[NAME_MAX + 1])
{
	size_t length;

	way->next += strspn(way->next, "/");
	length = strcspn(way->next, "/");
	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, way->next, length);
	name[length] = '\0';
	return (int)length;
}

/* Puts what a link holds in the place of its name. rest: what follows the name. */
static int follow(struct way *way, int fd, const char *rest)
{
	char link[PATH_MAX];
	ssize_t length = readlinkat(fd, "", link, sizeof(link));
	size_t left = strlen(rest);

	if (!way->trusted || ++way->n_links > MAX_LINKS)
		return -ELOOP;
	if (length < 0 || (size_t)length == sizeof(link))
		return length < 0 ? -errno : -ENAMETOOLONG;
	if ((size_t)length + left >= sizeof(way->todo))
		return -ENAMETOOLONG;
	memmove(way->todo + length, rest, left + 1);
	memcpy(way->todo, link, (size_t)length);
	way->next = way->todo;
	return link[0] == '/' ? start_at_root(way) : 0;
}

/* Goes on by one name. Returns 1, or 0 at the end, or a negative errno with the way as it was. */
static int go_on(struct way *way, int flags)
{
	char name[NAME_MAX + 1];
	cleanup_fd int fd = -1;
	const char *rest;
	struct stat st;
	bool is_last;
	int length = next_name(way, name), result;

	if (length <= 0)
		return length;
	rest = way->next + length;
	is_last = rest[strspn(rest, "/")] == '\0';
	fd = openat(way->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (is_last ? 0 : flags & ~O_DIRECTORY));
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode)) {
		result = follow(way, fd, rest);
		return result < 0 ? result : 1;
	}
	if (is_last && (flags & O_DIRECTORY) && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	result = add_name(way, name);
	if (result < 0)
		return result;
	way->next += length;
	close(way->dir);
	way->dir = take_fd(&fd);
	way->trusted = way->trusted && (is_last || is_roots_alone(way->dir));
	return 1;
}

int links_open(const char *path, int flags)
{
	struct way way;
	int result = begin(&way, path);

	while (result >= 0 && (result = go_on(&way, flags)) > 0)
		;
	if (result < 0 && way.dir >= 0)
		close(way.dir);
	return result < 0 ? result : way.dir;
}

int links_lead(const char *path, bool (*ends)(const char *path, const void *data), const void *data, char *to)
{
	char name[NAME_MAX + 1];
	struct way way;
	int result = begin(&way, path), length = 1;

	if (result < 0)
		return result;
	while (!ends(way.path, data) && go_on(&way, 0) > 0)
		;
	close(way.dir);
	while (result == 0 && (length = next_name(&way, name)) > 0) {
		result = add_name(&way, name);
		way.next += length;
	}
	strcpy(to, way.path[0] ? way.path : "/");
	return length < 0 ? length : result;
}
