/* Fuzzes templates, with hostile values for every specifier: what comes out is a path without a way up, or a valid host
 * name. The input is a template and the values, one a line.
 */
#include "fuzz.h"

#include "policy/policy.h"
#include "policy/specifiers.h"
#include "policy/text.h"

static void check_path(const char *path)
{
	FUZZ_ASSERT(path[0] == '/');
	FUZZ_ASSERT(!strstr(path, "//"));
	for (const char *part = path; (part = strstr(part, "/.")); part++)
		FUZZ_ASSERT(strncmp(part, "/../", 4) != 0 && strcmp(part, "/..") != 0 &&
			    strncmp(part, "/./", 3) != 0 && strcmp(part, "/.") != 0);
	FUZZ_ASSERT(path[1] == '\0' || path[strlen(path) - 1] != '/');
}

static void check_hostname(const char *name)
{
	FUZZ_ASSERT(name[0] && strlen(name) <= POLICY_HOSTNAME_MAX);
	FUZZ_ASSERT(strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
		    strlen(name));
	FUZZ_ASSERT(name[0] != '-' && name[0] != '.' && name[strlen(name) - 1] != '-');
	FUZZ_ASSERT(!strstr(name, "..") && !strstr(name, "-.") && !strstr(name, ".-"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *template = fuzz_line(&data, &size), *user = fuzz_line(&data, &size),
	     *group = fuzz_line(&data, &size);
	char *home = fuzz_line(&data, &size), *host = fuzz_line(&data, &size),
	     *service = fuzz_line(&data, &size);
	const struct specifiers specifiers = {
		.user = user,
		.uid = 4711,
		.group = group,
		.home = home,
		.hostname = host,
		.service = service,
		.box_id = "abcdefghij",
	};
	char path[300], name[POLICY_HOSTNAME_MAX + 1], shown[PRINTABLE_SIZE];
	struct sentence why;

	if (expand_path(span_of(template), &specifiers, path, sizeof(path), &why) == 0)
		check_path(path);
	if (expand_hostname(span_of(template), &specifiers, name, &why) == 0)
		check_hostname(name);
	printable(span_of(user), shown);
	FUZZ_ASSERT(strlen(shown) < PRINTABLE_SIZE);
	for (const char *byte = shown; *byte; byte++)
		FUZZ_ASSERT(*byte >= ' ' && *byte < 0x7f);
	free(template);
	free(user);
	free(group);
	free(home);
	free(host);
	free(service);
	return 0;
}
