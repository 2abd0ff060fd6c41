/* The table tests/policy/cases.tsv: user, groups, service and files on one side, policy and settings on the
 * other.
 *
 * argv[1] or NSBOX_TEST_POLICY: the folder tests/policy. Root only, since only root's files are trusted.
 */
#include "fake_nss.h"
#include "namespaces.h"
#include "policy/policy.h"
#include "policy/resolve.h"

#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COLUMNS 9
enum { CLAIM, CONF, USER, SERVICE, EXE, VERDICT, POLICY, PLACE, EXPECTED };

struct test_case {
	char *line;
	char *column[COLUMNS];
	char conf[PATH_MAX];
};

static void show_paths(const struct policy *policy, char *buf, size_t size)
{
	static const char *const kinds[] = {
		[PATH_READ_ONLY] = "ro",
		[PATH_READ_WRITE] = "rw",
		[PATH_INACCESSIBLE] = "inaccessible",
		[PATH_NO_EXEC] = "noexec",
		[PATH_EXEC] = "exec",
		[PATH_EPHEMERAL] = "ephemeral",
		[PATH_TEMPORARY] = "tmpfs",
		[PATH_BIND] = "bind",
		[PATH_BIND_READ_ONLY] = "bind-ro",
	};
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < policy->n_paths; i++) {
		const struct path_rule *rule = &policy->paths[i];

		used += (size_t)snprintf(buf + used, size - used, "%s%s%s:", i ? " " : "",
			rule->optional ? "-" : "", rule->recursive ? kinds[rule->kind] : "norbind");
		if (rule->source)
			used += (size_t)snprintf(buf + used, size - used, "%s>", rule->source);
		used += (size_t)snprintf(buf + used, size - used, "%s", rule->path);
		if (rule->options)
			used += (size_t)snprintf(buf + used, size - used, "(%s%s)", rule->options,
				rule->read_only ? ",ro" : "");
	}
}

static const char *text(const char *string)
{
	return string ? string : "";
}

/* One setting as the table writes it. */
static void show(const struct resolution *resolution, const char *name, char *buf, size_t size)
{
	static const char *const yes_no[] = {"no", "yes"}, *const propagations[] = {"rslave", "rprivate"},
				 *const scopes[] = {"login", "user", "policy"},
				 *const on_errors[] = {"deny", "allow"},
				 *const tmps[] = {"no", "yes", "user"}, *const subsets[] = {"all", "pid"},
				 *const procs[] = {"default", "noaccess", "invisible", "ptraceable"};
	const struct policy *policy = &resolution->policy;
	char kinds[64], timeout[16], caps[32] = "all", paths[1024];
	const struct {
		const char *name, *value;
	} settings[] = {
		{"problem", resolution->problem},
		{"reason", text(policy->reason)},
		{"namespaces", namespaces_names(policy->namespaces, kinds, sizeof(kinds))},
		{"propagation", propagations[policy->propagation]},
		{"hostname", policy->hostname},
		{"protect_proc", procs[policy->protect_proc]},
		{"proc_subset", subsets[policy->proc_subset]},
		{"scope", scopes[policy->scope]},
		{"linger", yes_no[policy->linger]},
		{"timeout", timeout},
		{"on_error", on_errors[policy->on_error]},
		{"private_tmp", tmps[policy->private_tmp]},
		{"paths", paths},
		{"netns", text(policy->netns_path)},
		{"nnp", yes_no[policy->no_new_privileges]},
		{"caps", caps},
		{"tasks", text(policy->tasks_max)},
		{"memory", text(policy->memory_max)},
		{"cpu", text(policy->cpu_weight)},
		{"io", text(policy->io_weight)},
		{"runtime", text(policy->runtime_max_sec)},
	};

	snprintf(timeout, sizeof(timeout), "%" PRIu32, policy->timeout_stop_ms);
	if (policy->bounding_set_given)
		snprintf(caps, sizeof(caps), "%" PRIx64, policy->bounding_set);
	show_paths(policy, paths, sizeof(paths));
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (strcmp(settings[i].name, name) == 0) {
			snprintf(buf, size, "%s", settings[i].value);
			return;
		}
	fail_msg("the table asks for %s, which no setting is called", name);
}

/* The expected value with @l and @H filled in. */
static void fill_in_host(const char *expected, char *buf, size_t size)
{
	size_t used = 0;

	for (const char *at = expected; *at && used + 64 < size; at++)
		if (at[0] == '@' && (at[1] == 'l' || at[1] == 'H')) {
			used += (size_t)snprintf(buf + used, size - used, "%.*s",
				at[1] == 'l' ? (int)strcspn(FAKE_HOSTNAME, ".") : 64, FAKE_HOSTNAME);
			at++;
		} else {
			buf[used++] = *at;
		}
	buf[used] = '\0';
}

static void check_settings(const struct resolution *resolution, const char *expected)
{
	char copy[2048], value[2048], wanted[2048], *save = NULL;

	if (strcmp(expected, "-") == 0)
		return;
	snprintf(copy, sizeof(copy), "%s", expected);
	/* A message may hold "; ", so a setting ends at a ";" without a space. */
	for (char *at = copy; (at = strchr(at, ';')); at++)
		if (at[1] != ' ')
			*at = '\n';
	for (char *item = strtok_r(copy, "\n", &save); item; item = strtok_r(NULL, "\n", &save)) {
		char *sign = item + strcspn(item, "=~");
		bool part = *sign == '~';

		*sign = '\0';
		show(resolution, item, value, sizeof(value));
		fill_in_host(sign + 1, wanted, sizeof(wanted));
		if (part && !strstr(value, wanted))
			fail_msg("%s is \"%s\", without \"%s\"", item, value, wanted);
		if (!part)
			assert_string_equal(value, wanted);
	}
}

static const char *verdict_of(const struct resolution *resolution)
{
	if (resolution->verdict == VERDICT_REFUSE)
		return resolution->on_error == ON_ERROR_ALLOW ? "allow" : "deny";
	return resolution->verdict == VERDICT_BOX ? "box" : "none";
}

static void check_case(void **state)
{
	const struct test_case *test = *state;
	const struct login login = {
		.user = test->column[USER],
		.service = test->column[SERVICE],
		.caller_exe = strcmp(test->column[EXE], "-") == 0 ? NULL : test->column[EXE],
		.box_id = "abcdefghij",
	};
	struct resolution resolution;
	const char *slash;

	policy_resolve(test->conf, &login, &resolution);
	if (strcmp(verdict_of(&resolution), test->column[VERDICT]) != 0)
		print_error("%s\n", resolution.problem);
	assert_string_equal(verdict_of(&resolution), test->column[VERDICT]);
	assert_string_equal(resolution.policy.name, test->column[POLICY]);
	slash = strrchr(resolution.policy.source, '/');
	assert_string_equal(slash ? slash + 1 : resolution.policy.source, test->column[PLACE]);
	check_settings(&resolution, test->column[EXPECTED]);
	resolution_free(&resolution);
}

/* What explain would say, on the same case: it must not differ. */
static void check_explanation(void **state)
{
	const struct test_case *test = *state;
	const struct login login = {
		.user = test->column[USER],
		.service = test->column[SERVICE],
		.caller_exe = strcmp(test->column[EXE], "-") == 0 ? NULL : test->column[EXE],
		.box_id = "abcdefghij",
	};
	struct config *config = config_load(test->conf, true);
	struct explanation explanation;
	struct resolution resolution;

	policy_decide(config, &login, &resolution, &explanation);
	assert_string_equal(verdict_of(&resolution), test->column[VERDICT]);
	assert_string_equal(resolution.policy.name, test->column[POLICY]);
	check_settings(&resolution, test->column[EXPECTED]);
	for (size_t i = 0; i < explanation.match.n_steps; i++)
		assert_true(explanation.match.steps[i].decides == (i + 1 == explanation.match.n_steps) ||
			    !explanation.match.steps[i].decides);
	explanation_free(&explanation);
	resolution_free(&resolution);
	config_free(config);
}

static int split(struct test_case *test, const char *folder)
{
	char *at = test->line;

	test->line[strcspn(test->line, "\n")] = '\0';
	for (size_t i = 0; i < COLUMNS; i++) {
		test->column[i] = strsep(&at, "\t");
		if (!test->column[i])
			return -1;
	}
	snprintf(test->conf, sizeof(test->conf), "%s/%s", folder, test->column[CONF]);
	return 0;
}

/* Reads the table; the number of cases, each of which is two tests, or 0. */
static size_t read_table(const char *source, const char *folder, struct test_case *cases,
	struct CMUnitTest *tests, size_t room)
{
	char path[PATH_MAX], *line = NULL;
	size_t count = 0, size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/cases.tsv", source);
	file = fopen(path, "re");
	while (file && count < room && getline(&line, &size, file) >= 0) {
		struct test_case *test = &cases[count];

		if (line[0] == '#')
			continue;
		test->line = strdup(line);
		if (!test->line || split(test, folder) < 0) {
			fprintf(stderr, "%s: a line has not %d columns: %s\n", path, COLUMNS, line);
			exit(1);
		}
		tests[2 * count] = (struct CMUnitTest){test->column[CLAIM], check_case, NULL, NULL, test};
		tests[2 * count + 1] =
			(struct CMUnitTest){test->column[CLAIM], check_explanation, NULL, NULL, test};
		count++;
	}
	free(line);
	if (file)
		fclose(file);
	return count;
}

int main(int argc, char **argv)
{
	static struct test_case cases[512];
	static struct CMUnitTest tests[1024];
	const char *source = argc > 1 ? argv[1] : getenv("NSBOX_TEST_POLICY");
	char folder[] = "/tmp/nsbox-cases.XXXXXX", command[3 * PATH_MAX];
	size_t count;
	int failed;

	if (geteuid() != 0) {
		puts("1..0 # SKIP only root's files are trusted, and this is not root");
		return 0;
	}
	if (!source)
		source = "tests/policy";
	/* Copies are root's and nobody else's to write, whatever the checkout is. */
	if (!mkdtemp(folder))
		return 1;
	snprintf(command, sizeof(command), "umask 022 && cp -r '%s/conf/.' '%s' && chmod -R go-w '%s'",
		source, folder, folder);
	if (system(command) != 0)
		return 1;
	fake_nss_folder = source;
	count = read_table(source, folder, cases, tests, 512);
	failed = count < 80 ? 1 : _cmocka_run_group_tests("policy cases", tests, 2 * count, NULL, NULL);
	for (size_t i = 0; i < count; i++)
		free(cases[i].line);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command) != 0 || failed ? 1 : 0;
}
