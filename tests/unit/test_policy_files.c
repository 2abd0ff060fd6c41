/* What stands in place of a good configuration: the corpus of tests/policy/broken, and files that are no
 * files, others' files, and files that change while they are read.
 *
 * argv[1] or NSBOX_TEST_POLICY: the folder tests/policy. argv[2]: rounds of the random tests.
 */
#include "fake_nss.h"
#include "policy/config.h"
#include "policy/policy.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <iniparser/iniparser.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static const char *source = "tests/policy";
static unsigned int rounds = 2000;
static char folder[] = "/tmp/nsbox-files.XXXXXX";
static char conf[PATH_MAX];

static void write_bytes(const char *path, const char *bytes, size_t size)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void write_text(const char *path, const char *bytes)
{
	write_bytes(path, bytes, strlen(bytes));
}

/* Stands before iniparser's: a version that reads a value in a way of its own. */
static bool iniparser_differs;

const char *iniparser_getstring(const dictionary *ini, const char *key, const char *otherwise);

const char *iniparser_getstring(const dictionary *ini, const char *key, const char *otherwise)
{
	const char *(*real)(const dictionary *, const char *, const char *);
	void *address = dlsym(RTLD_NEXT, "iniparser_getstring");

	assert_non_null(address);
	memcpy(&real, &address, sizeof(real));
	return iniparser_differs && strstr(key, "Hostname") ? "other" : real(ini, key, otherwise);
}

/* All findings as check prints them, in new memory. */
static char *findings_of(const char *path, bool trusted)
{
	struct config *config = config_load(path, trusted);
	struct finding *findings;
	size_t count, size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(config);
	assert_non_null(out);
	assert_int_equal(config_check(config, &findings, &count), 0);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s:%u: %s\n", findings[i].file, findings[i].line, findings[i].message);
	fclose(out);
	findings_free(findings, count);
	config_free(config);
	return text;
}

static void resolve(const char *user, struct resolution *resolution)
{
	const struct login login = {.user = user, .service = "sshd", .box_id = "abcdefghij"};

	policy_resolve(conf, &login, resolution);
}

/* The login is refused, deny, with this in the message; root is let in, with it in the reason. */
static void expect_refusal(const char *part)
{
	struct resolution resolution;

	resolve("alice", &resolution);
	assert_int_equal(resolution.verdict, VERDICT_REFUSE);
	assert_int_equal(resolution.on_error, ON_ERROR_DENY);
	if (!strstr(resolution.problem, part))
		fail_msg("\"%s\" does not hold \"%s\"", resolution.problem, part);
	assert_null(strpbrk(resolution.problem, "\n\r\x1b"));
	resolution_free(&resolution);
	resolve("root", &resolution);
	assert_int_equal(resolution.verdict, VERDICT_NO_BOX);
	assert_non_null(strstr(resolution.policy.reason, part));
	resolution_free(&resolution);
}

static int empty_folder(void **state)
{
	char command[PATH_MAX + 32];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) != 0 || mkdir(folder, 0755) < 0)
		return -1;
	return 0;
}

static void check_broken_file(void **state)
{
	const char *name = *state;
	char path[PATH_MAX], *found = findings_of(name, false), expected[8192];
	FILE *file;

	snprintf(path, sizeof(path), "%.*s.expected", (int)strlen(name) - 5, name);
	file = fopen(path, "re");
	assert_non_null(file);
	expected[fread(expected, 1, sizeof(expected) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(found, expected);
	free(found);
}

static void a_fifo_is_refused_and_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(conf, 0644), 0);
	alarm(5);
	expect_refusal("it is a FIFO");
	alarm(0);
}

static void a_folder_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(conf, 0755), 0);
	expect_refusal("it is a folder");
}

static void a_socket_is_refused(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/nsbox.conf", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	expect_refusal("it is a socket");
	close(fd);
}

static void a_device_is_refused(void **state)
{
	(void)state;
	if (mknod(conf, S_IFCHR | 0644, makedev(1, 5)) < 0)
		skip();
	expect_refusal("a device");
}

static void a_symbolic_link_is_refused(void **state)
{
	char target[PATH_MAX];

	(void)state;
	snprintf(target, sizeof(target), "%s/other", folder);
	write_text(target, "[default]\n");
	assert_int_equal(symlink(target, conf), 0);
	expect_refusal("it is a symbolic link");
	assert_int_equal(unlink(target), 0);
	expect_refusal("it is a symbolic link");
}

static void a_file_that_others_may_write_is_refused(void **state)
{
	(void)state;
	write_text(conf, "[default]\n");
	chmod(conf, 0664);
	expect_refusal("others than root may write the file (mode 0664)");
	chmod(conf, 0646);
	expect_refusal("nsbox.conf:1: others than root may write the file (mode 0646)");
}

static void a_file_of_somebody_else_is_refused(void **state)
{
	(void)state;
	write_text(conf, "[default]\n");
	assert_int_equal(chown(conf, 1001, 0), 0);
	expect_refusal("the file belongs to user 1001");
}

static void a_folder_that_others_may_write_is_refused(void **state)
{
	(void)state;
	write_text(conf, "[default]\n");
	chmod(folder, 01777);
	expect_refusal("others than root may write the folder");
}

static void a_folder_of_somebody_else_is_refused(void **state)
{
	(void)state;
	write_text(conf, "[default]\n");
	assert_int_equal(chown(folder, 1001, 0), 0);
	expect_refusal("the folder belongs to user 1001");
}

static void drop_ins_are_held_to_the_same(void **state)
{
	char drop_in[PATH_MAX], file[PATH_MAX + 8];

	(void)state;
	snprintf(drop_in, sizeof(drop_in), "%s/nsbox.conf.d", folder);
	snprintf(file, sizeof(file), "%s/a.conf", drop_in);
	assert_int_equal(mkdir(drop_in, 0755), 0);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	expect_refusal("nsbox.conf.d/a.conf:1: it is a symbolic link");
	assert_int_equal(unlink(file), 0);
	write_text(file, "[default]\n");
	chmod(file, 0666);
	expect_refusal("others than root may write the file");
	chmod(file, 0644);
	chmod(drop_in, 0777);
	expect_refusal("others than root may write the folder");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(drop_in), 0);
	write_text(drop_in, "no folder\n");
	expect_refusal("nsbox.conf.d:1: the folder cannot be opened: Not a directory");
}

static void a_file_too_large_is_refused(void **state)
{
	(void)state;
	write_text(conf, "[default]\n");
	assert_int_equal(truncate(conf, (off_t)CONFIG_FILE_MAX + 1), 0);
	expect_refusal("bytes, and more than 8388608 are not read");
}

static void a_line_of_a_mebibyte_is_refused_with_its_place(void **state)
{
	size_t size = (size_t)1 << 20;
	char *bytes = malloc(size + 32);

	(void)state;
	assert_non_null(bytes);
	memcpy(bytes, "[default]\n", 10);
	memset(bytes + 10, 'x', size);
	memcpy(bytes + 10 + size, "\nLinger = no\n", 13);
	write_bytes(conf, bytes, size + 23);
	free(bytes);
	expect_refusal("nsbox.conf:2: the line \"xxx");
	expect_refusal("has 1048576 bytes; iniparser reads at most 1022");
}

static void the_longest_line_is_read_whole(void **state)
{
	char line[CONFIG_LINE_MAX + 64];
	struct resolution resolution;
	int used;

	(void)state;
	used = snprintf(line, sizeof(line), "[policy a]\nUsers = alice\nHostname = ");
	memset(line + used, 'h', CONFIG_LINE_MAX - 11);
	line[used + CONFIG_LINE_MAX - 11] = '\n';
	write_bytes(conf, line, (size_t)used + CONFIG_LINE_MAX - 10);
	resolve("alice", &resolution);
	assert_int_equal(resolution.verdict, VERDICT_BOX);
	assert_int_equal(strlen(resolution.policy.hostname), POLICY_HOSTNAME_MAX);
	resolution_free(&resolution);
	line[used + CONFIG_LINE_MAX - 11] = 'h';
	line[used + CONFIG_LINE_MAX - 10] = '\n';
	write_bytes(conf, line, (size_t)used + CONFIG_LINE_MAX - 9);
	expect_refusal("has 1023 bytes");
}

static void a_file_that_is_named_must_be_there(void **state)
{
	static const char *const paths[] = {
		"/no/such/folder/nsbox.conf", "/etc/no-such-nsbox.conf", "nsbox.conf", "./nsbox.conf", ""};
	const struct login login = {.user = "alice", .service = "sshd", .box_id = "abcdefghij"};
	struct resolution resolution;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		policy_resolve(paths[i], &login, &resolution);
		assert_int_equal(resolution.verdict, VERDICT_REFUSE);
		assert_int_equal(resolution.on_error, ON_ERROR_DENY);
		assert_ptr_equal(strstr(resolution.problem, paths[i]), resolution.problem);
		assert_non_null(
			strstr(resolution.problem, paths[i][0] == '/' ? ":1: the configuration is to be here"
								      : ":1: a path that does not begin"));
		resolution_free(&resolution);
	}
}

static atomic_bool stop;

/* Swaps and rewrites the file between two texts, of which only the whole makes sense. */
static void *swap_files(void *unused)
{
	char other[PATH_MAX], text[4096];

	snprintf(other, sizeof(other), "%s/other", folder);
	for (unsigned int i = 0; !stop; i++) {
		FILE *file;
		unsigned int kind = i % 2 + 1;
		int used = snprintf(
			text, sizeof(text), "[policy p%u]\nUsers = alice\nHostname = h%u\n", kind, kind);

		for (unsigned int j = 0; j < 40 * kind; j++)
			used += snprintf(text + used, sizeof(text) - (size_t)used, "; %u\n", kind);
		snprintf(text + used, sizeof(text) - (size_t)used, "TasksMax = %u\n", kind);
		file = fopen(i % 4 < 2 ? conf : other, "we");
		if (!file)
			continue;
		fputs(text, file);
		fclose(file);
		if (i % 4 >= 2)
			rename(other, conf);
	}
	return unused;
}

static void a_file_that_changes_while_it_is_read_is_read_whole_or_refused(void **state)
{
	pthread_t thread;
	unsigned int boxed = 0;

	(void)state;
	write_text(conf, "[policy p1]\nUsers = alice\nHostname = h1\nTasksMax = 1\n");
	stop = false;
	assert_int_equal(pthread_create(&thread, NULL, swap_files, NULL), 0);
	for (unsigned int i = 0; i < rounds; i++) {
		struct resolution resolution;

		resolve("alice", &resolution);
		/* A rewrite in place begins with an empty file, which is a whole file, too. */
		if (resolution.verdict == VERDICT_BOX && strcmp(resolution.policy.name, "default") != 0 &&
			resolution.policy.tasks_max) {
			assert_string_equal(resolution.policy.name + 1, resolution.policy.hostname + 1);
			assert_string_equal(resolution.policy.name + 1, resolution.policy.tasks_max);
			boxed++;
		}
		resolution_free(&resolution);
	}
	stop = true;
	pthread_join(thread, NULL);
	assert_true(boxed > 0);
}

static unsigned int draw(unsigned int *seed, unsigned int below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 8) % below;
}

struct parts {
	const char *const *parts;
	unsigned int count;
};
#define PARTS(array) ((struct parts){array, sizeof(array) / sizeof(*(array))})

static void add_part(FILE *out, struct parts parts, unsigned int *seed)
{
	fputs(parts.parts[draw(seed, parts.count)], out);
}

/* Lines made of what has a meaning somewhere: mostly KEY = VALUE, now and then anything. */
static void random_text(FILE *out, unsigned int *seed)
{
	static const char *const headers[] = {
		"[default]", "[policy a]\nUsers=alice", "[policy b]", "[ Policy  a ] ; c", "[", "[x]"};
	static const char *const names[] = {"Hostname", "Users", "Groups", "Scope", "BindPaths",
		"TemporaryFileSystem", "TimeoutStopSec", "CapabilityBoundingSet", "MemoryMax", "hostname ",
		"TasksMax\t", "X"};
	static const char *const equals[] = {"=", " = ", "=  ", "\t=\t", "= ="};
	static const char *const pieces[] = {" ", "  ", "\t", "a", "b, c", "alice", "*", "!", "\"", "'", "\"",
		"'", "\\", ";", "#", " ;", " #", "%u", "%", "/a/b", ":", ",", "..", "5s", "10%", "size=1K",
		"~CAP_KILL", "user", "\r", "\x01", "\xff", "\xc3\xbc", "[", "]", "=", "\f", "\v", "\xa0"};

	for (unsigned int lines = 1 + draw(seed, 8); lines > 0; lines--) {
		if (draw(seed, 4) == 0) {
			add_part(out, PARTS(headers), seed);
		} else {
			add_part(out, PARTS(names), seed);
			add_part(out, PARTS(equals), seed);
			for (unsigned int i = draw(seed, 6); i > 0; i--)
				add_part(out, PARTS(pieces), seed);
		}
		if (draw(seed, 100) == 0)
			fputc('\0', out);
		if (draw(seed, 30) > 0)
			fputc('\n', out);
	}
}

static void no_random_text_crashes_or_is_read_in_two_ways(void **state)
{
	unsigned int seed = 20, boxed = 0;

	(void)state;
	for (unsigned int i = 0; i < rounds * 5; i++) {
		struct resolution resolution;
		size_t size;
		char *found, *text = NULL;
		FILE *out = open_memstream(&text, &size);

		assert_non_null(out);
		fputs(draw(&seed, 2) ? "[policy a]\nUsers = alice\n" : "[default]\n", out);
		random_text(out, &seed);
		fclose(out);
		write_bytes(conf, text, size);
		found = findings_of(conf, true);
		if (strstr(found, "otherwise than it stands there"))
			fail_msg("round %u: %s of:\n%s", i, found, text);
		/* What check is silent about refuses nobody. */
		resolve("alice", &resolution);
		if (resolution.verdict == VERDICT_REFUSE && !found[0])
			fail_msg("round %u: %s of:\n%s", i, resolution.problem, text);
		boxed += resolution.verdict == VERDICT_BOX;
		resolution_free(&resolution);
		free(found);
		free(text);
	}
	/* It is no test if nearly all is nonsense. */
	assert_true(boxed > rounds / 2);
}

static void what_iniparser_reads_otherwise_refuses_the_logins_that_it_concerns(void **state)
{
	struct resolution resolution;
	char *found;

	(void)state;
	write_text(conf, "[default]\nHostname = box\n[policy b]\nUsers = bob\nHostname = bob\n");
	iniparser_differs = true;
	found = findings_of(conf, false);
	resolve("alice", &resolution);
	iniparser_differs = false;
	assert_int_equal(resolution.verdict, VERDICT_REFUSE);
	assert_non_null(strstr(resolution.problem, "iniparser reads the value of Hostname otherwise"));
	resolution_free(&resolution);
	assert_non_null(strstr(found, "nsbox.conf:2: "));
	assert_non_null(strstr(found, "nsbox.conf:5: "));
	free(found);
	found = findings_of(conf, false);
	assert_string_equal(found, "");
	free(found);
}

/* A file of procfs has no size, whatever is read from it. */
static void a_file_that_never_keeps_still_is_refused(void **state)
{
	char *found = findings_of("/proc/version", true);

	(void)state;
	assert_non_null(strstr(found, "it changes again and again while it is read"));
	free(found);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_broken_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	struct stat st;

	return length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0 &&
	       stat(entry->d_name, &st) == 0 && S_ISREG(st.st_mode);
}

/* The corpus, as one test a file, and further tests behind it: one group, for TAP has one plan. Messages name files as
 * they stand in the folder.
 */
static int run_corpus(const struct CMUnitTest *further, size_t n_further)
{
	struct dirent **entries;
	struct CMUnitTest *tests;
	int count, failed;

	if (chdir(source) < 0 || chdir("broken") < 0) {
		perror(source);
		return 1;
	}
	count = scandir(".", &entries, is_broken_file, by_name);
	tests = calloc((count > 0 ? (size_t)count : 1) + n_further, sizeof(*tests));
	if (count < 60 || !tests)
		return 1;
	for (int i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){
			entries[i]->d_name, check_broken_file, NULL, NULL, entries[i]->d_name};
	if (n_further > 0)
		memcpy(tests + count, further, n_further * sizeof(*tests));
	failed = _cmocka_run_group_tests("files", tests, (size_t)count + n_further, NULL, NULL);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	free(tests);
	return failed;
}

#define HOSTILE(test) cmocka_unit_test_setup(test, empty_folder)

int main(int argc, char **argv)
{
	const struct CMUnitTest hostile[] = {
		HOSTILE(a_fifo_is_refused_and_not_waited_for),
		HOSTILE(a_folder_is_refused),
		HOSTILE(a_socket_is_refused),
		HOSTILE(a_device_is_refused),
		HOSTILE(a_symbolic_link_is_refused),
		HOSTILE(a_file_that_others_may_write_is_refused),
		HOSTILE(a_file_of_somebody_else_is_refused),
		HOSTILE(a_folder_that_others_may_write_is_refused),
		HOSTILE(a_folder_of_somebody_else_is_refused),
		HOSTILE(drop_ins_are_held_to_the_same),
		HOSTILE(a_file_too_large_is_refused),
		HOSTILE(a_line_of_a_mebibyte_is_refused_with_its_place),
		HOSTILE(the_longest_line_is_read_whole),
		HOSTILE(a_file_that_is_named_must_be_there),
		HOSTILE(a_file_that_changes_while_it_is_read_is_read_whole_or_refused),
		HOSTILE(a_file_that_never_keeps_still_is_refused),
		HOSTILE(what_iniparser_reads_otherwise_refuses_the_logins_that_it_concerns),
		HOSTILE(no_random_text_crashes_or_is_read_in_two_ways),
	};
	char command[PATH_MAX], *absolute;
	int failed = 0;

	source = argc > 1 ? argv[1] : getenv("NSBOX_TEST_POLICY") ? getenv("NSBOX_TEST_POLICY") : source;
	rounds = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 10) : rounds;
	absolute = realpath(source, NULL);
	if (!absolute) {
		perror(source);
		return 1;
	}
	fake_nss_folder = absolute;
	if (geteuid() == 0 && mkdtemp(folder)) {
		snprintf(conf, sizeof(conf), "%s/nsbox.conf", folder);
		failed = run_corpus(hostile, sizeof(hostile) / sizeof(*hostile));
		snprintf(command, sizeof(command), "rm -rf '%s'", folder);
		failed |= system(command) != 0;
	} else {
		failed = run_corpus(NULL, 0);
	}
	free(absolute);
	return failed ? 1 : 0;
}
