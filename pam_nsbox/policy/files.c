#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_AGAIN 3 /* times that a file may change under our eyes */

/* Whether root alone says what this is. */
static int trust(const struct stat *st, const char *what, struct sentence *why)
{
	if (st->st_uid != 0)
		sentence_set(why, "the %s belongs to user %u, and only root's is trusted: chown root it",
			what, (unsigned int)st->st_uid);
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		sentence_set(why, "others than root may write the %s (mode %04o): chmod go-w it", what,
			(unsigned int)st->st_mode & 07777);
	else
		return 0;
	return -EPERM;
}

int files_open_folder(int parent, const char *name, bool follow, bool trusted, struct sentence *why)
{
	struct stat st;
	int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
	int r = folder < 0 ? -errno : 0;

	if (r == -ENOENT)
		return r;
	if (r < 0) {
		sentence_set(why, "the folder cannot be opened: %s", strerror(-r));
		return r;
	}
	if (fstat(folder, &st) < 0) {
		r = -errno;
		sentence_set(why, "the folder cannot be looked at: %s", strerror(-r));
	} else if (trusted) {
		r = trust(&st, "folder", why);
	}
	if (r < 0) {
		close(folder);
		return r;
	}
	return folder;
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR: return "a folder";
	case S_IFIFO: return "a FIFO";
	default: return "a device"; /* a socket or a symbolic link has not been opened */
	}
}

static int check_file(const struct stat *st, bool trusted, struct sentence *why)
{
	if (!S_ISREG(st->st_mode)) {
		sentence_set(why, "it is %s; only a regular file is read", kind_of(st->st_mode));
		return -EINVAL;
	}
	if (st->st_size > (off_t)CONFIG_FILE_MAX) {
		sentence_set(why, "it has %lld bytes, and more than %zu are not read", (long long)st->st_size,
			CONFIG_FILE_MAX);
		return -EFBIG;
	}
	return trusted ? trust(st, "file", why) : 0;
}

/* Reads up to size bytes; their number or -errno. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = pread(fd, buf + used, size - used, (off_t)used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* One try to read the whole file as it was at one moment: -EAGAIN if it changed meanwhile. */
static int read_once(int fd, bool trusted, struct file *file, struct sentence *why)
{
	AUTO_FREE char *text = NULL;
	struct stat before, after;
	ssize_t got;
	int r;

	if (fstat(fd, &before) < 0)
		return -errno;
	r = check_file(&before, trusted, why);
	if (r < 0)
		return r;
	/* One byte more than there should be shows whether the file has grown. */
	text = malloc((size_t)before.st_size + 1);
	if (!text)
		return -ENOMEM;
	got = read_all(fd, text, (size_t)before.st_size + 1);
	if (got < 0)
		return (int)got;
	if (fstat(fd, &after) < 0)
		return -errno;
	if (got != before.st_size || !same(&before, &after))
		return -EAGAIN;
	file->text = text;
	file->size = (size_t)got;
	text = NULL;
	return 0;
}

int files_read(int folder, const char *name, bool trusted, struct file *file, struct sentence *why)
{
	AUTO_CLOSE int fd = -1;
	int r = -EAGAIN;

	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		if (r == -ELOOP)
			sentence_set(why, "it is a symbolic link; only a regular file is read");
		else if (r == -ENXIO)
			sentence_set(why, "it is a socket or a device; only a regular file is read");
		else if (r != -ENOENT)
			sentence_set(why, "it cannot be opened: %s", strerror(-r));
		return r;
	}
	for (int i = 0; i < READ_AGAIN && r == -EAGAIN; i++)
		r = read_once(fd, trusted, file, why);
	if (r == -EAGAIN)
		sentence_set(why, "it changes again and again while it is read");
	else if (r < 0 && !why->text[0])
		sentence_set(why, "it cannot be read: %s", strerror(-r));
	return r;
}

static int wanted(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* alphasort would follow the locale, and so would the order of policies. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int files_list(int folder, char ***names, size_t *n_names)
{
	struct dirent **entries = NULL;
	int count = scandirat(folder, ".", &entries, wanted, by_bytes);
	int r;

	*names = NULL;
	*n_names = 0;
	if (count < 0)
		return -errno;
	*names = calloc((size_t)count + 1, sizeof(**names));
	r = *names ? 0 : -ENOMEM;
	for (int i = 0; i < count; i++) {
		if (r == 0) {
			(*names)[*n_names] = strdup(entries[i]->d_name);
			r = (*names)[(*n_names)++] ? 0 : -ENOMEM;
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}
