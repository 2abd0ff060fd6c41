/* A directory behind NSS that is there, away or slow to say: asked through the real NSS, with a service of
 * the test's own in an nsswitch.conf of its own, in a private mount namespace.
 *
 * argv[1] or NSBOX_TEST_POLICY: the folder tests/policy, whose nss_stub.c is built with $CC (cc). Root only.
 */
#include "policy/directory.h"
#include "policy/names.h"
#include "policy/policy.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/nsbox-directory.XXXXXX";
static char conf[PATH_MAX], state_file[PATH_MAX], nsswitch[PATH_MAX];

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Writes into the file that is mounted over /etc/nsswitch.conf. */
static void services(const char *groups)
{
	char text[256];

	snprintf(text, sizeof(text), "passwd: files\ngroup: %s\n", groups);
	write_text(nsswitch, text);
	/* glibc looks at the file's time, to the second in some versions, and at its inode. */
	assert_int_equal(umount2("/etc/nsswitch.conf", MNT_DETACH), 0);
	assert_int_equal(unlink(nsswitch), 0);
	write_text(nsswitch, text);
	assert_int_equal(mount(nsswitch, "/etc/nsswitch.conf", NULL, MS_BIND, NULL), 0);
}

static void resolve(const char *user, const char *service, struct resolution *resolution)
{
	const struct login login = {.user = user, .service = service, .box_id = "abcdefghij"};

	policy_resolve(conf, &login, resolution);
}

static void expect(const char *user, const char *service, enum verdict verdict, const char *name,
	enum on_error on_error, const char *problem)
{
	struct resolution resolution;

	resolve(user, service, &resolution);
	if (resolution.verdict != verdict)
		print_error("%s\n", resolution.problem);
	assert_int_equal(resolution.verdict, verdict);
	assert_string_equal(resolution.policy.name, name);
	if (verdict == VERDICT_REFUSE) {
		assert_int_equal(resolution.on_error, on_error);
		if (!strstr(resolution.problem, problem))
			fail_msg("\"%s\" does not hold \"%s\"", resolution.problem, problem);
	}
	resolution_free(&resolution);
}

#define AWAY "the service nsboxstub, which /etc/nsswitch.conf names for groups, does not answer"

static void a_directory_that_is_there_gives_its_groups(void **state)
{
	(void)state;
	services("files nsboxstub");
	write_text(state_file, "up");
	write_text(conf, "[policy stub]\nGroups = Stub Group\n");
	expect("daemon", "sshd", VERDICT_BOX, "stub", 0, NULL);
}

static void a_directory_that_is_away_refuses_whom_its_groups_concern(void **state)
{
	(void)state;
	services("files nsboxstub");
	write_text(state_file, "down");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, AWAY);
}

static void a_local_service_behind_it_does_not_hide_that_it_is_away(void **state)
{
	(void)state;
	services("files nsboxstub [UNAVAIL=continue] systemd files");
	write_text(state_file, "down");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, AWAY);
	write_text(state_file, "again");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, AWAY);
}

static void who_matches_without_groups_needs_no_directory(void **state)
{
	(void)state;
	services("files nsboxstub");
	write_text(state_file, "down");
	write_text(
		conf, "[policy named]\nUsers = bin\n[policy stub]\nGroups = Stub Group\nServices = sshd\n");
	expect("bin", "sshd", VERDICT_BOX, "named", 0, NULL);
	expect("daemon", "su", VERDICT_BOX, "default", 0, NULL);
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, AWAY);
}

static void root_needs_no_directory(void **state)
{
	(void)state;
	services("files nsboxstub");
	write_text(state_file, "down");
	write_text(conf, "[policy stub]\nGroups = Stub Group\n");
	expect("root", "sshd", VERDICT_NO_BOX, "none", 0, NULL);
	write_text(conf, "[policy stub]\nUsers = root\nGroups = Stub Group\n");
	expect("root", "sshd", VERDICT_NO_BOX, "none", 0, NULL);
}

static void a_login_is_let_in_only_if_every_policy_that_might_decide_says_so(void **state)
{
	(void)state;
	services("files nsboxstub");
	write_text(state_file, "down");
	write_text(conf, "[default]\nOnError = allow\n[policy stub]\nGroups = Stub Group\n");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_ALLOW, AWAY);
	write_text(conf, "[default]\nOnError = allow\n[policy stub]\nGroups = Stub Group\nOnError = deny\n");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, AWAY);
	write_text(conf, "[policy stub]\nGroups = Stub Group\nOnError = allow\n");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, AWAY);
	write_text(conf, "[default]\nOnError = allow\n[policy stub]\nGroups = Stub Group\n"
			 "[policy other]\nServices = su\nOnError = deny\n");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_ALLOW, AWAY);
	expect("daemon", "su", VERDICT_REFUSE, "none", ON_ERROR_DENY, AWAY);
}

static void a_service_that_is_not_installed_is_passed_over(void **state)
{
	(void)state;
	services("files not_installed [NOTFOUND=return] # nsboxstub");
	write_text(conf, "[policy stub]\nGroups = Stub Group\n");
	expect("daemon", "sshd", VERDICT_BOX, "default", 0, NULL);
}

static void a_directory_that_comes_back_is_believed(void **state)
{
	(void)state;
	services("files nsboxstub");
	write_text(state_file, "down");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, AWAY);
	write_text(state_file, "up");
	expect("daemon", "sshd", VERDICT_BOX, "stub", 0, NULL);
}

static void two_services_that_name_a_group_name_one(void **state)
{
	struct account account;
	struct groups groups;
	struct sentence why;

	(void)state;
	services("files nsboxstub [SUCCESS=continue] nsboxstub");
	write_text(state_file, "up");
	assert_int_equal(names_account("daemon", &account, &why), 0);
	assert_int_equal(names_groups(&account, &groups, &why), 0);
	assert_int_equal(groups.n_names, 2);
	assert_string_equal(groups.names[0], "Stub Group");
	assert_string_equal(groups.names[1], "daemon");
	names_free_groups(&groups);
	names_free_account(&account);
}

/* Asked for groups, it gives one, and has gone away when it is asked for the name. */
static void what_a_directory_has_said_is_not_forgotten_when_it_goes_away(void **state)
{
	(void)state;
	services("files nsboxstub");
	write_text(conf, "[policy stub]\nGroups = Stub Group\n");
	write_text(state_file, "once");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, AWAY);
}

static void a_service_that_lists_groups_by_name_is_asked_for_one(void **state)
{
	(void)state;
	services("files nsboxlist");
	write_text(state_file, "up");
	expect("daemon", "sshd", VERDICT_BOX, "default", 0, NULL);
	write_text(state_file, "down");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, "the service nsboxlist, which");
}

static void a_service_that_cannot_be_loaded_is_not_passed_over(void **state)
{
	(void)state;
	services("files nsboxbroken");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY,
		"the service nsboxbroken, which /etc/nsswitch.conf names for groups, cannot be asked: ");
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void sssd_that_is_not_there_is_away_whatever_its_library_says(void **state)
{
	int fd;

	(void)state;
	services("files sss");
	assert_int_equal(mount("tmpfs", "/var/lib", "tmpfs", 0, NULL), 0);
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, "the service sss, which");
	assert_int_equal(mkdir("/var/lib/sss", 0755), 0);
	assert_int_equal(mkdir("/var/lib/sss/pipes", 0755), 0);
	fd = listen_at("/var/lib/sss/pipes/nss");
	expect("daemon", "sshd", VERDICT_BOX, "default", 0, NULL);
	close(fd);
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, "the service sss, which");
	assert_int_equal(umount2("/var/lib", MNT_DETACH), 0);
}

/* A socket cannot be opened, not even by root. */
static void an_nsswitch_conf_that_cannot_be_read_is_not_an_empty_one(void **state)
{
	char path[PATH_MAX];
	struct sentence why;
	gid_t *gids = NULL;
	int n_gids = 0;

	(void)state;
	write_text(conf, "[policy stub]\nGroups = Stub Group\n");
	services("files");
	snprintf(path, sizeof(path), "%s/socket", folder);
	close(listen_at(path));
	assert_int_equal(mount(path, "/etc/nsswitch.conf", NULL, MS_BIND, NULL), 0);
	assert_int_equal(directory_check("daemon", 1, &gids, &n_gids, &why), -ENXIO);
	assert_non_null(strstr(why.text, "/etc/nsswitch.conf cannot be read"));
	assert_int_equal(n_gids, 0);
	assert_int_equal(umount2("/etc/nsswitch.conf", MNT_DETACH), 0);
	unlink(path);
	expect("daemon", "sshd", VERDICT_BOX, "default", 0, NULL);
}

/* The C library passes over it, and knows the user's primary group alone. */
static void a_group_file_that_cannot_be_read_refuses_whom_groups_concern(void **state)
{
	char path[PATH_MAX];

	(void)state;
	write_text(conf, "[default]\nEnabled = no\n[policy team]\nGroups = team\nEnabled = yes\n");
	snprintf(path, sizeof(path), "%s/group", folder);
	write_text(path, "root:x:0:\n# team:x:7:daemon\nteam:x:7778:bin,daemon\nbad:x:y:daemon\nshort:x\n");
	assert_int_equal(mount(path, "/etc/group", NULL, MS_BIND, NULL), 0);
	services("files");
	expect("daemon", "sshd", VERDICT_BOX, "team", 0, NULL);
	expect("nobody", "sshd", VERDICT_NO_BOX, "default", 0, NULL);
	assert_int_equal(umount2("/etc/group", MNT_DETACH), 0);
	unlink(path);

	close(listen_at(path));
	assert_int_equal(mount(path, "/etc/group", NULL, MS_BIND, NULL), 0);
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, "/etc/group cannot be read");
	write_text(nsswitch, "passwd: files\n");
	expect("daemon", "sshd", VERDICT_REFUSE, "none", ON_ERROR_DENY, "/etc/group cannot be read");
	assert_int_equal(umount2("/etc/group", MNT_DETACH), 0);
	unlink(path);
}

/* Builds the stub in a new folder and begins anew with it in the dynamic loader's path, which is read only when a
 * program begins. Returns on error alone.
 */
static int begin_anew(const char *source, char **argv)
{
	char command[3 * PATH_MAX], absolute[PATH_MAX];

	if (!mkdtemp(folder) || !realpath(source, absolute))
		return 1;
	snprintf(command, sizeof(command),
		"cd %s && ${CC:-cc} -D_GNU_SOURCE -shared -fPIC -o libnss_nsboxstub.so.2 '%s/nss_stub.c' && "
		"cp libnss_nsboxstub.so.2 libnss_nsboxlist.so.2 && cp libnss_nsboxstub.so.2 libnss_sss.so.2 "
		"&& "
		": >libnss_nsboxbroken.so.2",
		folder, absolute);
	if (system(command) != 0)
		return 1;
	setenv("NSBOX_DIRECTORY_TEST", folder, 1);
	setenv("LD_LIBRARY_PATH", folder, 1);
	execv("/proc/self/exe", argv);
	return 1;
}

static void remove_files(void)
{
	static const char *const names[] = {"nsbox.conf", "state", "nsswitch.conf", "libnss_nsboxstub.so.2",
		"libnss_nsboxlist.so.2", "libnss_sss.so.2", "libnss_nsboxbroken.so.2"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_that_is_there_gives_its_groups),
		cmocka_unit_test(a_directory_that_is_away_refuses_whom_its_groups_concern),
		cmocka_unit_test(a_local_service_behind_it_does_not_hide_that_it_is_away),
		cmocka_unit_test(who_matches_without_groups_needs_no_directory),
		cmocka_unit_test(root_needs_no_directory),
		cmocka_unit_test(a_login_is_let_in_only_if_every_policy_that_might_decide_says_so),
		cmocka_unit_test(a_service_that_is_not_installed_is_passed_over),
		cmocka_unit_test(a_directory_that_comes_back_is_believed),
		cmocka_unit_test(two_services_that_name_a_group_name_one),
		cmocka_unit_test(what_a_directory_has_said_is_not_forgotten_when_it_goes_away),
		cmocka_unit_test(a_service_that_lists_groups_by_name_is_asked_for_one),
		cmocka_unit_test(a_service_that_cannot_be_loaded_is_not_passed_over),
		cmocka_unit_test(sssd_that_is_not_there_is_away_whatever_its_library_says),
		cmocka_unit_test(a_group_file_that_cannot_be_read_refuses_whom_groups_concern),
		cmocka_unit_test(an_nsswitch_conf_that_cannot_be_read_is_not_an_empty_one),
	};
	const char *source = argc > 1 ? argv[1] : getenv("NSBOX_TEST_POLICY");
	const char *again = getenv("NSBOX_DIRECTORY_TEST");
	int failed;

	if (geteuid() != 0) {
		puts("1..0 # SKIP it needs root");
		return 0;
	}
	if (!again)
		return begin_anew(source ? source : "tests/policy", argv);
	snprintf(folder, sizeof(folder), "%s", again);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		perror("a private mount namespace");
		return 1;
	}
	snprintf(conf, sizeof(conf), "%s/nsbox.conf", folder);
	snprintf(state_file, sizeof(state_file), "%s/state", folder);
	snprintf(nsswitch, sizeof(nsswitch), "%s/nsswitch.conf", folder);
	setenv("NSBOX_STUB", state_file, 1);
	write_text(nsswitch, "group: files\n");
	if (mount(nsswitch, "/etc/nsswitch.conf", NULL, MS_BIND, NULL) < 0) {
		perror("/etc/nsswitch.conf");
		return 1;
	}
	failed = cmocka_run_group_tests_name("directories", tests, NULL, NULL);
	umount2("/etc/nsswitch.conf", MNT_DETACH);
	remove_files();
	return failed ? 1 : 0;
}
