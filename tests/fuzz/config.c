/* Fuzzes the reader of nsbox.conf, the check of every value, and the decision for one login: a file is the input. */
#include "users.h"

#include "policy/config.h"
#include "policy/index.h"
#include "policy/resolve.h"

static void decide(const struct config *config, const char *user, const char *service)
{
	const struct login login = {.user = user, .service = service, .box_id = "abcdefghij"};
	struct resolution resolution;
	struct explanation explanation;

	memset(&explanation, 0, sizeof(explanation));
	policy_decide(config, &login, &resolution, &explanation);
	explanation_free(&explanation);
	resolution_free(&resolution);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = calloc(1, sizeof(*config));
	struct finding *findings = NULL;
	struct sentence sentence;
	size_t n_findings = 0;

	if (!config)
		return 0;
	config->default_section = config->untrusted = SIZE_MAX;
	config->files = calloc(1, sizeof(*config->files));
	config->n_files = 1;
	config->files[0].path = strdup("fuzz.conf");
	config->files[0].text = malloc(size + 1);
	memcpy(config->files[0].text, data, size);
	config->files[0].size = size;
	if (index_file(config, 0) == 0 && index_finish(config) == 0) {
		for (size_t i = 0; i < config->n_problems; i++)
			config_describe(config, &config->problems[i], &sentence);
		if (config_check(config, &findings, &n_findings) == 0)
			findings_free(findings, n_findings);
		decide(config, fuzz_users[size % FUZZ_COUNT(fuzz_users)].pw_name,
			size % 3 ? "sshd" : "login");
	}
	config_free(config);
	return 0;
}
