/* Values one by one, the table of keys, callers, names that nobody should have, and a name service that
 * fails. */
#include "fake_nss.h"
#include "policy/callers.h"
#include "policy/keys.h"
#include "policy/names.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "policy/specifiers.h"
#include "policy/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int read_value(const char *name, const char *text, struct policy *policy)
{
	struct sentence why = {.text = ""};

	memset(policy, 0, sizeof(*policy));
	return settings_apply(key_find(span_of(name)), text, &sample_specifiers, policy, &why);
}

static void times_are_systemds(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: not valid */
	} times[] = {{"5s", 5000}, {"5", 5000}, {"500ms", 500}, {"1min 30s", 90000}, {"1min30s", 90000},
		{"1.5s", 1500}, {"0.25h", 900000}, {"2 min", 120000}, {"0", 0}, {"1h 1m 1s 1ms", 3661001},
		{"1us", 0}, {"1500us", 1}, {"1d", 86400000}, {"1w", 604800000}, {"1M", 2629800000}, {"", -1},
		{" ", -1}, {"s", -1}, {"5x", -1}, {"-5", -1}, {"5s5", 10000}, {"1e3", -1}, {"0x10", -1},
		{"infinity", -1}, {"1y", -1}, {"99999999999999999999", -1}, {"4294967295ms", 4294967295},
		{"4294967296ms", -1}, {"50000h", -1}, {"604800", 604800000}, {"3600000ms", 3600000},
		{"1.123456789s", 1123}, {"99999999999999y", -1}, {"18446744073709551615us", -1}, {"5.s", -1},
		{".5s", -1}, {"5 s s", -1}, {"1,5s", -1}};
	struct policy policy;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		int r = read_value("TimeoutStopSec", times[i].text, &policy);

		if ((r == 0) != (times[i].ms >= 0) || (r == 0 && policy.timeout_stop_ms != times[i].ms))
			fail_msg("\"%s\" is %d, %" PRIu32, times[i].text, r, policy.timeout_stop_ms);
	}
}

static void limits_are_checked_and_handed_on_as_they_stand(void **state)
{
	static const struct {
		const char *key, *good[9], *bad[18];
	} limits[] = {
		{"TasksMax", {"1", "100", "50%", "infinity", "100%"},
			{"0", "-1", "101%", "1K", "x", "1 0", "0%", "1.5", "0100", "010%"}},
		{"MemoryMax", {"4096", "1K", "1.5G", "0.5G", "0.001K", "2T", "50%", "infinity"},
			{"-1", "1k", "1X", "1GB", "101%", "K", "1.G", "99999999999T", "18446744073709551616",
				"0", "0%", "0K", "0.0G", "0.0001K", "0100M", "050%", "10.5%"}},
		{"CPUWeight", {"1", "100", "10000", "idle"},
			{"0", "10001", "-1", "1%", "idl", "1 ", "IDLE", "0100"}},
		{"IOWeight", {"1", "100", "10000"}, {"0", "10001", "idle", "x", "0100"}},
		{"RuntimeMaxSec", {"8h", "1day 12h", "infinity", "30", "604800", "1us"},
			{"8x", "soon", "-1", " ", "0", "0h"}},
	};
	struct policy policy;

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		const struct key *key = key_find(span_of(limits[i].key));
		char *value;

		for (const char *const *good = limits[i].good; *good; good++) {
			assert_int_equal(read_value(limits[i].key, *good, &policy), 0);
			memcpy(&value, (char *)&policy + key->field, sizeof(value));
			assert_string_equal(value, *good);
			settings_free_policy(&policy);
		}
		for (const char *const *bad = limits[i].bad; *bad; bad++)
			if (read_value(limits[i].key, *bad, &policy) != -EINVAL)
				fail_msg("%s = %s passes", limits[i].key, *bad);
		assert_int_equal(read_value(limits[i].key, "", &policy), 0);
		memcpy(&value, (char *)&policy + key->field, sizeof(value));
		assert_null(value);
	}
}

static void every_key_is_whole(void **state)
{
	struct policy policy;

	(void)state;
	for (size_t i = 0; i < n_keys; i++) {
		assert_ptr_equal(key_find(span_of(keys[i].name)), &keys[i]);
		assert_non_null(keys[i].parse);
		assert_non_null(keys[i].allowed);
		assert_non_null(keys[i].says);
		assert_int_equal(keys[i].matches, i < N_MATCH_KEYS);
		if (keys[i].built_in)
			assert_int_equal(read_value(keys[i].name, keys[i].built_in, &policy), 0);
	}
}

static void private_tmp_takes_all_words_for_yes_and_no(void **state)
{
	static const char *const words[][2] = {
		{"yes", "no"}, {"true", "false"}, {"ON", "Off"}, {"1", "0"}, {"y", "n"}, {"t", "f"}};
	struct policy policy;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		assert_int_equal(read_value("PrivateTmp", words[i][0], &policy), 0);
		assert_int_equal(policy.private_tmp, PRIVATE_TMP_YES);
		assert_int_equal(read_value("PrivateTmp", words[i][1], &policy), 0);
		assert_int_equal(policy.private_tmp, PRIVATE_TMP_NO);
	}
}

static void any_one_letter_wrong_still_finds_the_key(void **state)
{
	char name[64];

	(void)state;
	for (size_t i = 0; i < n_keys; i++)
		for (size_t at = 1; keys[i].name[at]; at++) {
			snprintf(name, sizeof(name), "%s", keys[i].name);
			name[at] = '_';
			assert_ptr_equal(key_nearest(span_of(name)), &keys[i]);
			snprintf(name, sizeof(name), "%.*s%s", (int)at, keys[i].name, keys[i].name + at + 1);
			assert_ptr_equal(key_nearest(span_of(name)), &keys[i]);
		}
	assert_ptr_equal(key_nearest(span_of("Host")), key_find(span_of("Hostname")));
	assert_ptr_equal(key_nearest(span_of("tmp")), key_find(span_of("PrivateTmp")));
	assert_ptr_equal(key_nearest(span_of("Timeout")), key_find(span_of("TimeoutStopSec")));
	assert_ptr_equal(key_nearest(span_of("LingerSec")), key_find(span_of("Linger")));
	assert_null(key_nearest(span_of("PrivateNetwork")));
	assert_null(key_nearest(span_of("")));
	assert_null(key_nearest(span_of("x")));
	assert_null(key_nearest(span_of("Completely different and far too long to be any of them")));
}

static void hostnames_are_made_valid(void **state)
{
	static const struct {
		const char *text, *name;
	} names[] = {{"a", "a"}, {"A.b-C9", "A.b-C9"}, {"-a-", "a"}, {"a..b", "a.b"}, {".a.", "a"},
		{"a-.-b", "a.b"}, {"a b", "a-b"}, {"a  b", "a-b"}, {"a_b", "a-b"}, {"-.-a", "a"},
		{"a/../b", "a.b"}, {"%%a", "a"}, {"..", NULL}, {"-", NULL}, {"\xc3\xbc", NULL}, {"%x", NULL},
		{"%", NULL}, {"\n", NULL}};
	char buf[POLICY_HOSTNAME_MAX + 1];
	struct sentence why;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int r = expand_hostname(span_of(names[i].text), &sample_specifiers, buf, &why);

		if (!names[i].name)
			assert_int_equal(r, -EINVAL);
		else if (names[i].name[0])
			assert_string_equal(buf, names[i].name);
	}
}

static void paths_are_made_plain(void **state)
{
	static const struct {
		const char *text, *path;
	} paths[] = {{"/", "/"}, {"//", "/"}, {"/a/", "/a"}, {"/./a//b/.", "/a/b"}, {"/%u/%%", "/user/%"},
		{"%h/x", "/home/user/x"}, {"a", NULL}, {"", NULL}, {"/..", NULL}, {"/a/../b", NULL},
		{"/a/..", NULL}, {"/...", "/..."}, {"/%", NULL}, {"/%z", NULL}, {"~/a", NULL}};
	char buf[PATH_MAX];
	struct sentence why;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		int r = expand_path(span_of(paths[i].text), &sample_specifiers, buf, sizeof(buf), &why);

		assert_int_equal(r, paths[i].path ? 0 : -EINVAL);
		if (r == 0)
			assert_string_equal(buf, paths[i].path);
	}
}

static void what_is_too_long_is_refused_with_the_reason(void **state)
{
	struct specifiers specifiers = sample_specifiers;
	char buf[PATH_MAX], name[NAME_MAX + 3] = "/", path[PATH_MAX + 1], home[4 * PATH_MAX];
	char hostname[POLICY_HOSTNAME_MAX + 1];
	struct sentence why;

	(void)state;
	memset(name + 1, 'a', NAME_MAX);
	assert_int_equal(expand_path(span_of(name), &specifiers, buf, sizeof(buf), &why), 0);
	name[NAME_MAX + 1] = 'a';
	assert_int_equal(expand_path(span_of(name), &specifiers, buf, sizeof(buf), &why), -EINVAL);
	assert_string_equal(why.text, "a part of the path is longer than 255 bytes");

	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = "/a"[i % 2];
	path[PATH_MAX] = '\0';
	assert_int_equal(expand_path(span_of(path), &specifiers, buf, sizeof(buf), &why), -EINVAL);
	assert_string_equal(why.text, "it is longer than 4095 bytes");
	path[PATH_MAX - 1] = '\0';
	assert_int_equal(expand_path(span_of(path), &specifiers, buf, sizeof(buf), &why), 0);

	memset(home, 'h', sizeof(home) - 1);
	home[sizeof(home) - 1] = '\0';
	specifiers.home = home;
	assert_int_equal(expand_hostname(span_of("%h"), &specifiers, hostname, &why), 0);
	assert_int_equal(strlen(hostname), POLICY_HOSTNAME_MAX);
	assert_int_equal(expand_hostname(span_of("%h%h"), &specifiers, hostname, &why), -EINVAL);
	assert_string_equal(why.text, "it is longer than 16383 bytes");
}

static void no_specifier_leads_a_path_astray(void **state)
{
	static const char *const users[] = {"..", ".", "", "a/b", "/", "a\nb", "\x1b", "../..", "\x7f"};
	char buf[PATH_MAX];
	struct sentence why;

	(void)state;
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++) {
		struct specifiers specifiers = sample_specifiers;

		specifiers.user = users[i];
		assert_int_equal(expand_path(span_of("/x/%u"), &specifiers, buf, sizeof(buf), &why), -EINVAL);
		assert_null(strpbrk(why.text, "\n\x1b\x7f"));
	}
	{
		struct specifiers specifiers = sample_specifiers;

		specifiers.user = "a";
		specifiers.service = ".";
		assert_int_equal(
			expand_path(span_of("/x/.%s"), &specifiers, buf, sizeof(buf), &why), -EINVAL);
		specifiers.home = "/h/\n";
		assert_int_equal(expand_path(span_of("%h"), &specifiers, buf, sizeof(buf), &why), -EINVAL);
		specifiers.home = "";
		assert_int_equal(expand_path(span_of("%h/x"), &specifiers, buf, sizeof(buf), &why), -EINVAL);
		specifiers.group = NULL;
		assert_int_equal(expand_path(span_of("/%g"), &specifiers, buf, sizeof(buf), &why), -EINVAL);
	}
}

static void messages_hold_no_byte_that_a_terminal_obeys(void **state)
{
	char buf[PRINTABLE_SIZE], all[256], *huge = malloc(65536);

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (size_t i = 0; i < 256; i++) {
		printable((struct span){all + i, 256 - i < 30 ? 256 - i : 30}, buf);
		for (const char *c = buf; *c; c++)
			assert_true(*c >= ' ' && *c <= '~');
	}
	assert_non_null(huge);
	memset(huge, '\n', 65535);
	huge[65535] = '\0';
	printable(span_of(huge), buf);
	assert_true(strlen(buf) < PRINTABLE_SIZE);
	assert_non_null(strstr(buf, "...\""));
	free(huge);
}

static char folder[] = "/tmp/nsbox-values.XXXXXX", conf[sizeof(folder) + sizeof("/nsbox.conf")];

static int make_conf(void **state)
{
	FILE *file = NULL;

	(void)state;
	if (mkdtemp(folder)) {
		snprintf(conf, sizeof(conf), "%s/nsbox.conf", folder);
		file = fopen(conf, "we");
	}
	return !file || fclose(file) != 0;
}

static int remove_conf(void **state)
{
	(void)state;
	return unlink(conf) < 0 || rmdir(folder) < 0;
}

/* The configuration is a file without a word, which must be root's. */
static void needs_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void resolve(const char *user, const char *service, struct resolution *resolution)
{
	const struct login login = {.user = user, .service = service, .box_id = "abcdefghij"};

	policy_resolve(conf, &login, resolution);
}

static void odd_user_names_are_refused_in_plain_words(void **state)
{
	char *huge = malloc(65537);
	const char *names[] = {"", "\n", "a\x1b[2Jb", NULL, huge};

	(void)state;
	needs_root();
	assert_non_null(huge);
	memset(huge, 'x', 65536);
	huge[65536] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct resolution resolution;

		resolve(names[i], "sshd", &resolution);
		assert_int_equal(resolution.verdict, VERDICT_REFUSE);
		assert_int_equal(resolution.on_error, ON_ERROR_DENY);
		assert_null(strpbrk(resolution.problem, "\n\x1b"));
		assert_true(strlen(resolution.problem) > 10);
		resolution_free(&resolution);
	}
	free(huge);
}

static void no_service_name_is_no_crash(void **state)
{
	struct resolution resolution;

	(void)state;
	needs_root();
	resolve("alice", NULL, &resolution);
	assert_int_equal(resolution.verdict, VERDICT_BOX);
	resolution_free(&resolution);
}

static void an_error_of_the_name_service_is_told_from_an_unknown_user(void **state)
{
	struct resolution resolution;

	(void)state;
	needs_root();
	fake_passwd_error = EIO;
	resolve("alice", "sshd", &resolution);
	assert_int_equal(resolution.verdict, VERDICT_REFUSE);
	assert_non_null(
		strstr(resolution.problem, "the user \"alice\" cannot be looked up: Input/output error"));
	resolution_free(&resolution);
	resolve("root", "sshd", &resolution);
	assert_int_equal(resolution.verdict, VERDICT_NO_BOX);
	resolution_free(&resolution);
	fake_passwd_error = 0;
	resolve("zoe", "sshd", &resolution);
	assert_non_null(strstr(resolution.problem, "no user \"zoe\" is known"));
	resolution_free(&resolution);
}

static void an_error_of_a_group_is_no_group_less(void **state)
{
	struct account account;
	struct groups groups;
	struct sentence why;

	(void)state;
	assert_int_equal(names_account("erin", &account, &why), 0);
	assert_int_equal(names_groups(&account, &groups, &why), 0);
	assert_int_equal(groups.n_names, 501);
	names_free_groups(&groups);
	fake_group_error = ETIMEDOUT;
	assert_int_equal(names_groups(&account, &groups, &why), -ETIMEDOUT);
	assert_non_null(strstr(why.text, "Connection timed out"));
	names_free_groups(&groups);
	fake_group_error = 0;
	names_free_account(&account);
}

static void *resolve_often(void *unused)
{
	for (int i = 0; i < 50; i++) {
		struct resolution resolution;

		resolve("alice", "sshd", &resolution);
		if (resolution.verdict != VERDICT_BOX ||
			strcmp(resolution.policy.hostname, "host7-alice") != 0)
			abort();
		resolution_free(&resolution);
	}
	return unused;
}

static void threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[8];

	(void)state;
	needs_root();
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, resolve_often, NULL), 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void callers_are_known_by_service_or_program(void **state)
{
	(void)state;
	assert_int_equal(caller_find("sudo", NULL)->without, CLONE_NEWPID);
	assert_int_equal(caller_find(NULL, "/usr/bin/sudo")->without, CLONE_NEWPID);
	assert_true(caller_find("systemd-user", NULL)->no_box);
	assert_true(caller_find("x", "/usr/lib/systemd/systemd-executor (deleted)")->no_box);
	assert_null(caller_find("sshd", "/usr/sbin/sshd"));
	assert_null(caller_find("sudoers", "/usr/bin/sudoedit"));
	assert_null(caller_find("", ""));
	assert_null(caller_find(NULL, NULL));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_systemds),
		cmocka_unit_test(limits_are_checked_and_handed_on_as_they_stand),
		cmocka_unit_test(every_key_is_whole),
		cmocka_unit_test(private_tmp_takes_all_words_for_yes_and_no),
		cmocka_unit_test(any_one_letter_wrong_still_finds_the_key),
		cmocka_unit_test(hostnames_are_made_valid),
		cmocka_unit_test(paths_are_made_plain),
		cmocka_unit_test(what_is_too_long_is_refused_with_the_reason),
		cmocka_unit_test(no_specifier_leads_a_path_astray),
		cmocka_unit_test(messages_hold_no_byte_that_a_terminal_obeys),
		cmocka_unit_test(odd_user_names_are_refused_in_plain_words),
		cmocka_unit_test(no_service_name_is_no_crash),
		cmocka_unit_test(an_error_of_the_name_service_is_told_from_an_unknown_user),
		cmocka_unit_test(an_error_of_a_group_is_no_group_less),
		cmocka_unit_test(threads_do_not_disturb_each_other),
		cmocka_unit_test(callers_are_known_by_service_or_program),
	};

	fake_nss_folder = argc > 1 ? argv[1] : getenv("NSBOX_TEST_POLICY");
	if (!fake_nss_folder)
		fake_nss_folder = "tests/policy";
	return cmocka_run_group_tests_name("values and names", tests, make_conf, remove_conf) ? 1 : 0;
}
