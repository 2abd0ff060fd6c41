/* Not a module, but preloaded: libpam has no memory for the data items that pam_systemd reads, or for those whose names begin
 * with what the environment variable NO_DATA says.
 */
#include <dlfcn.h>
#include <security/pam_modules.h>
#include <stdlib.h>
#include <string.h>

typedef int set_data(pam_handle_t *, const char *, void *, void (*)(pam_handle_t *, void *, int));

int pam_set_data(
	pam_handle_t *pamh, const char *name, void *data, void (*cleanup)(pam_handle_t *, void *, int))
{
	static set_data *real;
	const char *prefix = getenv("NO_DATA");

	if (!prefix)
		prefix = "systemd.";
	if (strncmp(name, prefix, strlen(prefix)) == 0)
		return PAM_BUF_ERR;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pam_set_data");
	return real(pamh, name, data, cleanup);
}
