/* check: everything that is wrong in the configuration. */
#include "commands.h"
#include "findings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_text(const char *text, const char *old, const char *new, FILE *out)
{
	size_t length = old ? strlen(old) : 0;

	/* Messages are clean; a path is whatever the caller, or a folder, has. */
	for (const char *at = text; *at; at++)
		if (old && strncmp(at, old, length) == 0 && at[length] == '/') {
			write_text(new, NULL, NULL, out);
			at += length - 1;
		} else {
			fputc((unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at, out);
		}
}

void write_finding(const struct finding *finding, const char *old, const char *new, FILE *out)
{
	write_text(finding->file, old, new, out);
	fprintf(out, ":%u: ", finding->line);
	write_text(finding->message, old, new, out);
	fputc('\n', out);
}

/* Whether the file is the one that logins go by, by whatever name: then it matters whose it is, too. */
static bool is_installed(const char *path)
{
	struct stat st, installed;

	return stat(path, &st) == 0 && stat(NSBOX_CONF, &installed) == 0 && st.st_dev == installed.st_dev &&
	       st.st_ino == installed.st_ino;
}

static int check(const char *path, bool trusted)
{
	struct config *config = config_load(path, trusted);
	struct finding *findings = NULL;
	size_t n_findings = 0;
	int r = config ? config_check(config, &findings, &n_findings) : -ENOMEM;

	for (size_t i = 0; i < n_findings; i++)
		write_finding(&findings[i], NULL, NULL, stderr);
	if (r < 0)
		complain("the configuration could not be checked: %s", strerror(-r));
	findings_free(findings, n_findings);
	config_free(config);
	return r < 0 || n_findings > 0 ? STATUS_FAILED : STATUS_DONE;
}

/* A login does without a file; somebody who names one wants that very file checked. */
static int check_named(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && is_installed(path))
		return check(whole_path(path), true);
	if (lstat(path, &st) == 0)
		return check(path, false);
	complain("%s cannot be checked: %s; without a name the files are checked that logins use", path,
		strerror(errno));
	return STATUS_FAILED;
}

int command_check(int argc, char **argv)
{
	int status = STATUS_DONE;

	if (next_option(argc, argv) != -1)
		return STATUS_USAGE;
	if (optind == argc)
		return check(NULL, true);
	for (; optind < argc; optind++)
		if (check_named(argv[optind]) != STATUS_DONE)
			status = STATUS_FAILED;
	return status;
}
