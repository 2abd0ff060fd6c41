/* A PAM module for tests: when a session opens, it writes the data items that pam_systemd reads then, one "NAME=VALUE" a
 * line, to the file that its argument names.
 */
#include <stdio.h>

#define PAM_SM_SESSION
#include <security/pam_modules.h>

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	static const char *const names[] = {"systemd.memory_max", "systemd.tasks_max", "systemd.cpu_weight",
		"systemd.io_weight", "systemd.runtime_max_sec"};
	FILE *out = argc == 1 ? fopen(argv[0], "we") : NULL;

	(void)flags;
	if (!out)
		return PAM_SYSTEM_ERR;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const void *value = NULL;

		if (pam_get_data(pamh, names[i], &value) == PAM_SUCCESS && value)
			fprintf(out, "%s=%s\n", names[i], (const char *)value);
	}
	return fclose(out) == 0 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}
