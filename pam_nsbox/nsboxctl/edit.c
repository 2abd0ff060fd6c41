/* edit: visudo's way to a new configuration.
 *
 * Beside nsbox.conf stands, while somebody edits, the folder .nsbox.conf.edit, root's alone:
 *
 *	draft.XXXXXX/NAME		what the editor works on, with whatever else it puts there; the editor of an
 *					nsboxctl that died does not know the next one's name
 *	check/nsbox.conf, check/nsbox.conf.d/	the configuration as it would be with the draft
 *
 * The draft's bytes are copied into check/, checked there, and that copy, not the draft, is renamed into place:
 * what is installed is what was checked, whatever an editor that is still alive does. The folder itself carries
 * the lock, so a dead nsboxctl leaves nothing locked, and whoever gets the lock next sweeps up.
 */
#include "../box/kernel.h"
#include "commands.h"
#include "findings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK "check"
#define DRAFT "draft.XXXXXX"

struct edit {
	char folder[PATH_MAX];	 /* where nsbox.conf lies */
	char conf[NAME_MAX + 1]; /* "nsbox.conf" */
	char inside
		[PATH_MAX]; /* the file that is edited, below folder: "nsbox.conf", "nsbox.conf.d/10-x.conf" */
	char work[PATH_MAX];   /* folder/.nsbox.conf.edit */
	char check[PATH_MAX];  /* work/check */
	char draft[PATH_MAX];  /* work/draft.XXXXXX/NAME */
	char target[PATH_MAX]; /* folder/inside */
	struct bytes {
		char *text; /* NULL: there is no file */
		size_t size;
	} before, after; /* the target as it was when the draft was taken, and the draft that is checked */
	mode_t mode;
	gid_t gid;
};

/* Joins the two; a path that does not fit is cut, and then nothing is found by it. */
static void join(char *buf, const char *folder, const char *name)
{
	if (snprintf(buf, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
		buf[0] = '\0';
}

/* --- files --- */

/* The whole of a regular file that is no link, in new memory. 0 or -errno. */
static int read_file(const char *path, struct bytes *bytes, struct stat *st)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	size_t room;

	*bytes = (struct bytes){NULL, 0};
	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	/* What check would refuse for its size is found by check: one byte more than it takes. */
	room = (size_t)st->st_size < CONFIG_FILE_MAX ? (size_t)st->st_size + 1 : CONFIG_FILE_MAX + 1;
	bytes->text = malloc(room);
	if (!bytes->text)
		return -ENOMEM;
	for (ssize_t got = 1; got != 0 && bytes->size < room;) {
		got = read(fd, bytes->text + bytes->size, room - bytes->size);
		if (got < 0 && errno != EINTR) {
			int r = -errno;

			free(bytes->text);
			bytes->text = NULL;
			return r;
		}
		bytes->size += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

/* A new file, on the disk when this returns. */
static int write_file(const char *path, const struct bytes *bytes, mode_t mode, gid_t gid)
{
	cleanup_fd int fd = -1;

	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < bytes->size;) {
		ssize_t put = write(fd, bytes->text + done, bytes->size - done);

		if (put < 0 && errno != EINTR)
			return -errno;
		done += put > 0 ? (size_t)put : 0;
	}
	return fchown(fd, 0, gid) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 ? -errno : 0;
}

static bool equal(const struct bytes *a, const struct bytes *b)
{
	return !a->text == !b->text && a->size == b->size &&
	       (!a->text || memcmp(a->text, b->text, a->size) == 0);
}

static int fsync_folder(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* --- the work folder --- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind;
	/* The folder itself carries the lock, and goes last. */
	return ftw->level > 0 ? remove(path) : 0;
}

static int sweep(const char *folder)
{
	return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ? 0 : -errno;
}

/* Makes the work folder and takes its lock; the descriptor, or -errno (-EWOULDBLOCK: somebody has it). */
static int take_lock(const struct edit *edit)
{
	for (;;) {
		struct stat held, there;
		int fd;

		if (mkdir(edit->work, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = open(edit->work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &held) < 0) {
			int r = -errno;

			close(fd);
			return r;
		}
		/* Whoever had it before may have taken the folder away between open and flock. */
		if (lstat(edit->work, &there) == 0 && there.st_ino == held.st_ino &&
			there.st_dev == held.st_dev)
			return fd;
		close(fd);
	}
}

/* The configuration as it is, copied for check. What cannot be copied (a link, a FIFO) is wrong before and
 * after the edit alike, and left out.
 */
static int copy_for_check(const char *from, const char *to)
{
	struct bytes bytes;
	struct stat st;
	int r = read_file(from, &bytes, &st);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = write_file(to, &bytes, 0600, 0);
	free(bytes.text);
	return r;
}

static int copy_drop_ins(const struct edit *edit)
{
	char from[PATH_MAX], to[PATH_MAX], name[NAME_MAX + 3], one[PATH_MAX], other[PATH_MAX];
	const struct dirent *entry;
	DIR *folder;
	int r = 0;

	snprintf(name, sizeof(name), "%s.d", edit->conf);
	join(from, edit->folder, name);
	join(to, edit->check, name);
	if (mkdir(to, 0700) < 0)
		return -errno;
	folder = opendir(from);
	while (folder && r == 0 && (entry = readdir(folder))) {
		join(one, from, entry->d_name);
		join(other, to, entry->d_name);
		r = copy_for_check(one, other);
	}
	if (folder)
		closedir(folder);
	return r;
}

/* The configuration as it is now, in place of what was there. */
static int fill_check(const struct edit *edit)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r = sweep(edit->check);

	join(from, edit->folder, edit->conf);
	join(to, edit->check, edit->conf);
	if (r == 0)
		r = copy_for_check(from, to);
	return r == 0 ? copy_drop_ins(edit) : r;
}

static int fill_work(struct edit *edit)
{
	const char *slash = strrchr(edit->inside, '/');
	char drafts[PATH_MAX];
	int r;

	join(drafts, edit->work, DRAFT);
	if (mkdir(edit->check, 0700) < 0 || !mkdtemp(drafts))
		return -errno;
	join(edit->draft, drafts, slash ? slash + 1 : edit->inside);
	r = fill_check(edit);
	return r == 0 ? write_file(edit->draft, &edit->before, 0600, 0) : r;
}

/* The target as it is now. Where there is none the draft is empty, and a new file is made as one that a
 * package installs.
 */
static int take_target(struct edit *edit)
{
	struct stat st = {.st_mode = 0};
	int r;

	free(edit->before.text);
	r = read_file(edit->target, &edit->before, &st);
	if (r == -ENOENT) {
		edit->mode = 0644;
		edit->gid = 0;
		return 0;
	}
	if (r < 0)
		return r;
	/* What others may write would be refused; to edit it is to mend that. */
	edit->mode = st.st_mode & 07777 & ~(mode_t)(S_IWGRP | S_IWOTH);
	edit->gid = st.st_gid;
	return 0;
}

/* --- the editor --- */

/* VISUAL and EDITOR are shell's words, not only a name (environ(7)). */
static void exec_editor(const struct edit *edit)
{
	const char *editor = getenv("VISUAL");
	char *line = NULL;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = access("/usr/bin/editor", X_OK) == 0 ? "/usr/bin/editor" : "vi";
	if (asprintf(&line, "%s \"$@\"", editor) > 0)
		execl("/bin/sh", "sh", "-c", line, editor, edit->draft, (char *)NULL);
	_exit(127);
}

/* Runs the editor as system(3) does, and complains if it did not end well: then its file may be half of
 * something, and nothing shows it.
 */
static bool run_editor(const struct edit *edit)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
	int status = -1;
	pid_t pid;

	fflush(stdout);
	sigaction(SIGINT, &ignore, &interrupt);
	sigaction(SIGQUIT, &ignore, &quit);
	pid = fork();
	if (pid == 0) {
		sigaction(SIGINT, &interrupt, NULL);
		sigaction(SIGQUIT, &quit, NULL);
		exec_editor(edit);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGQUIT, &quit, NULL);
	if (pid < 0)
		complain("the editor could not be started: %s", strerror(errno));
	else if (WIFSIGNALED(status) || WEXITSTATUS(status) > 128) /* so says the shell of its command */
		complain(
			"the editor was ended by signal %d, so its file may be cut off, and is not installed",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128);
	else if (WEXITSTATUS(status) == 127)
		complain("the editor was not found; set VISUAL or EDITOR");
	else if (WEXITSTATUS(status) != 0)
		complain("the editor ended with status %d, so its file may be cut off, and is not installed",
			WEXITSTATUS(status));
	return pid > 0 && status == 0;
}

/* --- checking --- */

/* What the check of the whole found. */
struct tally {
	size_t own, notes; /* errors and notes of the file that is edited */
	char *elsewhere;   /* errors of others: a line each, and an empty one first */
};

/* Without the place where something stands first: that may be a line of the draft, which moves. */
static void write_elsewhere(const struct finding *finding, FILE *out)
{
	const char *place = strstr(finding->message, CONFIG_STANDS_FIRST);
	size_t length = place ? (size_t)(place - finding->message) : strlen(finding->message);

	fprintf(out, "%s:%u: %.*s\n", finding->file, finding->line, (int)length, finding->message);
}

/* Whether an error of other files is none of those before. A line is looked for with the newlines at both its
 * ends.
 */
static bool has_new_error(const char *elsewhere, const char *before)
{
	for (const char *at = elsewhere, *end; (end = strchr(at + 1, '\n')); at = end)
		if (!memmem(before, strlen(before), at, (size_t)(end - at) + 1))
			return true;
	return false;
}

/* The caller frees tally->elsewhere, also after an error. */
static int check(const struct edit *edit, bool print, struct tally *tally)
{
	char conf[PATH_MAX], own[PATH_MAX];
	struct finding *findings = NULL;
	size_t n_findings = 0, size;
	struct config *config;
	FILE *elsewhere;
	int r;

	join(conf, edit->check, edit->conf);
	join(own, edit->check, edit->inside);
	*tally = (struct tally){0};
	elsewhere = open_memstream(&tally->elsewhere, &size);
	if (!elsewhere)
		return -ENOMEM;
	fputc('\n', elsewhere);
	/* Whose the files are does not matter here: the one that is installed will be root's. */
	config = config_load(conf, false);
	r = config ? config_check(config, &findings, &n_findings) : -ENOMEM;
	for (size_t i = 0; i < n_findings; i++) {
		bool note = findings[i].weight == WEIGHT_NOTE;

		if (strcmp(findings[i].file, own) == 0)
			(*(note ? &tally->notes : &tally->own))++;
		else if (!note)
			write_elsewhere(&findings[i], elsewhere);
		if (print)
			write_finding(&findings[i], edit->check, edit->folder, stderr);
	}
	findings_free(findings, n_findings);
	config_free(config);
	return fclose(elsewhere) == 0 ? r : -ENOMEM;
}

/* Checks the whole as it is now, and as it would be with the draft, which is installed from there. */
static int check_draft(const struct edit *edit, bool print, struct tally *before, struct tally *after)
{
	char to[PATH_MAX];
	int r = fill_check(edit);

	*before = *after = (struct tally){0};
	join(to, edit->check, edit->inside);
	if (r == 0)
		r = check(edit, false, before);
	if (r == 0)
		r = write_file(to, &edit->after, edit->mode, edit->gid);
	return r == 0 ? check(edit, print, after) : r;
}

/* --- installing --- */

static int install(const struct edit *edit)
{
	char from[PATH_MAX], *parent = strdup(edit->target);
	int r = parent ? 0 : -ENOMEM;

	join(from, edit->check, edit->inside);
	if (r == 0 && mkdir(dirname(parent), 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0 && rename(from, edit->target) < 0)
		r = -errno;
	if (r == 0)
		r = fsync_folder(parent);
	free(parent);
	return r;
}

/* Whether the target is as it was when the draft was taken; if not, the draft stands against what is there
 * now.
 */
static bool unchanged_meanwhile(struct edit *edit)
{
	struct bytes now;
	struct stat st;
	int r = read_file(edit->target, &now, &st);
	bool same = (r == 0 || r == -ENOENT) && equal(&now, &edit->before);

	free(now.text);
	if (same)
		return true;
	complain("%s was changed by somebody else meanwhile, so the draft, which does not have that, is not "
		 "installed",
		edit->target);
	if (take_target(edit) < 0)
		complain("%s cannot be read any more", edit->target);
	return false;
}

/* --- the round: edit, check, ask --- */

enum answer { ANSWER_EDIT, ANSWER_QUIT, ANSWER_INSTALL };

static enum answer ask(bool may_install)
{
	char *line = NULL;
	size_t size = 0;
	enum answer answer = ANSWER_QUIT;

	for (;;) {
		printf("What now? %se: edit again, q: quit and install nothing: ",
			may_install ? "i: install, " : "");
		fflush(stdout);
		if (getline(&line, &size, stdin) < 0) {
			printf("\n");
			break;
		}
		if (line[0] == 'q')
			break;
		answer = line[0] == 'e'			 ? ANSWER_EDIT
			 : line[0] == 'i' && may_install ? ANSWER_INSTALL
							 : ANSWER_QUIT;
		if (answer != ANSWER_QUIT)
			break;
	}
	free(line);
	return answer;
}

/* The draft with the other files as they are now. 1: it can be installed; 2: likewise, and there are notes; -1: it
 * cannot be installed, as was said. What was found is not said again if it was before.
 */
static int weigh(const struct edit *edit, bool again)
{
	struct tally before, after;
	int r = check_draft(edit, !again, &before, &after), verdict = after.notes > 0 ? 2 : 1;

	/* An error that is new in another file is this draft's doing, though another one may be gone. */
	if (r < 0 || after.own > 0 || has_new_error(after.elsewhere, before.elsewhere))
		verdict = -1;
	if (r < 0)
		complain("the draft %s cannot be checked: %s", edit->draft, strerror(-r));
	else if (verdict < 0 && again)
		complain("somebody else changed another file meanwhile, which the draft does not go together "
			 "with; edit it again to see why");
	free(before.elsewhere);
	free(after.elsewhere);
	return verdict;
}

/* One look at the draft: as weigh(), or 0: it is as before. */
static int judge(struct edit *edit)
{
	struct stat st;
	bool same;
	int r;

	free(edit->after.text);
	r = read_file(edit->draft, &edit->after, &st);
	if (r < 0) {
		complain("the draft %s cannot be checked: %s", edit->draft, strerror(-r));
		return -1;
	}
	/* An editor that was asked to make a new file, and left it empty, made none. */
	same = equal(&edit->after, &edit->before) || (!edit->before.text && edit->after.size == 0);
	return same ? 0 : weigh(edit, false);
}

static int edit_rounds(struct edit *edit)
{
	for (;;) {
		int verdict = run_editor(edit) ? judge(edit) : -1;
		enum answer answer = verdict == 1 ? ANSWER_INSTALL : ANSWER_EDIT;
		int r;

		if (verdict == 0) {
			printf("%s is unchanged.\n", edit->target);
			return STATUS_DONE;
		}
		if (verdict != 1)
			answer = ask(verdict == 2);
		/* An answer may be long in coming, and the other files be others by then. */
		if (answer == ANSWER_INSTALL && verdict == 2 && weigh(edit, true) < 0)
			answer = ask(false);
		if (answer == ANSWER_INSTALL && !unchanged_meanwhile(edit))
			answer = ask(false);
		if (answer == ANSWER_EDIT)
			continue;
		if (answer == ANSWER_QUIT) {
			complain("nothing was installed; %s is as it was", edit->target);
			return STATUS_FAILED;
		}
		r = install(edit);
		if (r < 0)
			complain("%s could not be installed: %s", edit->target, strerror(-r));
		else
			printf("%s is installed.\n", edit->target);
		return r < 0 ? STATUS_FAILED : STATUS_DONE;
	}
}

/* With the lock held. */
static int edit_locked(struct edit *edit)
{
	int r = sweep(edit->work);

	if (r == 0)
		r = fill_work(edit);
	if (r < 0) {
		complain("%s could not be prepared: %s", edit->work, strerror(-r));
		return STATUS_FAILED;
	}
	return edit_rounds(edit);
}

static int edit_target(struct edit *edit)
{
	int lock = take_lock(edit), status, r;

	if (lock < 0) {
		if (lock == -EWOULDBLOCK)
			complain("somebody else is editing the configuration; try again when they have "
				 "finished");
		else
			complain("%s could not be made and locked: %s", edit->work, strerror(-lock));
		return STATUS_FAILED;
	}
	r = take_target(edit);
	if (r < 0) {
		complain("%s cannot be edited: %s", edit->target,
			r == -ELOOP || r == -EINVAL ? "it is no regular file, and logins are refused for that"
						    : strerror(-r));
		status = STATUS_FAILED;
	} else {
		status = edit_locked(edit);
	}
	/* A folder that stays is swept by whoever comes next. */
	if (sweep(edit->work) == 0)
		rmdir(edit->work);
	close(lock);
	free(edit->before.text);
	free(edit->after.text);
	return status;
}

/* --- the call --- */

/* Names the drop-in: with or without ".conf", below nsbox.conf.d and nowhere else. */
static int name_drop_in(struct edit *edit, const char *name)
{
	size_t length = strlen(name);
	bool whole = length > 5 && strcmp(name + length - 5, ".conf") == 0;

	if (length == 0 || name[0] == '.' || strchr(name, '/') || length > NAME_MAX - 5)
		return -EINVAL;
	snprintf(edit->inside, sizeof(edit->inside), "%s.d/%s%s", edit->conf, name, whole ? "" : ".conf");
	return 0;
}

static int name_files(struct edit *edit, const char *conf, const char *drop_in)
{
	char for_folder[PATH_MAX], for_name[PATH_MAX], work[NAME_MAX + 8];

	if (snprintf(for_folder, sizeof(for_folder), "%s", conf) >= PATH_MAX ||
		strlen(conf) > PATH_MAX - 2 * NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(for_name, sizeof(for_name), "%s", conf);
	snprintf(edit->conf, sizeof(edit->conf), "%s", basename(for_name));
	snprintf(edit->folder, sizeof(edit->folder), "%s", dirname(for_folder));
	snprintf(edit->inside, sizeof(edit->inside), "%s", edit->conf);
	if (drop_in && name_drop_in(edit, drop_in) < 0)
		return -EINVAL;
	snprintf(work, sizeof(work), ".%s.edit", edit->conf);
	join(edit->work, edit->folder, work);
	join(edit->check, edit->work, CHECK);
	join(edit->target, edit->folder, edit->inside);
	return 0;
}

int command_edit(int argc, char **argv)
{
	static struct edit edit;
	const char *conf = NSBOX_CONF, *drop_in;
	int letter;

	while ((letter = next_option(argc, argv)) != -1) {
		if (letter != OPTION_CONF)
			return STATUS_USAGE;
		conf = optarg;
	}
	drop_in = argv[optind];
	if (optind + 1 < argc)
		return complain_about_call("one file at a time");
	if (name_files(&edit, conf, drop_in) < 0)
		return complain_about_call("%s is no name of a file in %s.d", drop_in ? drop_in : conf, conf);
	return is_root() ? edit_target(&edit) : STATUS_FAILED;
}
