/* The resolved policy: what the configuration says for one login, as one plain struct.
 *
 * This is all that the two wings of the engine share. policy/ fills it in, in the caller and on the host's
 * view, with every NSS look-up done and every specifier expanded; box/ acts on it and never parses, asks
 * NSS or reads the configuration.
 */
#ifndef NSBOX_POLICY_H
#define NSBOX_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define POLICY_HOSTNAME_MAX 64 /* bytes, __NEW_UTS_LEN of the kernel */
#define BOX_ID_SIZE	    11 /* ten characters of [a-z2-7] and a NUL */

enum propagation { PROPAGATION_RSLAVE, PROPAGATION_RPRIVATE };
enum protect_proc {
	PROTECT_PROC_DEFAULT,
	PROTECT_PROC_NOACCESS,
	PROTECT_PROC_INVISIBLE,
	PROTECT_PROC_PTRACEABLE
};
enum proc_subset { PROC_SUBSET_ALL, PROC_SUBSET_PID };
enum scope { SCOPE_LOGIN, SCOPE_USER, SCOPE_POLICY };
enum on_error { ON_ERROR_DENY, ON_ERROR_ALLOW };
enum private_tmp { PRIVATE_TMP_NO, PRIVATE_TMP_YES, PRIVATE_TMP_USER };

/* One file-system rule. Order in the array has no meaning: the deeper path wins (box/paths.c). */
enum path_kind {
	PATH_READ_ONLY,
	PATH_READ_WRITE,
	PATH_INACCESSIBLE,
	PATH_NO_EXEC,
	PATH_EXEC,
	PATH_EPHEMERAL,
	PATH_TEMPORARY,
	PATH_BIND,
	PATH_BIND_READ_ONLY,
};

struct path_rule {
	enum path_kind kind;
	char *path;	/* absolute, normalised (no "//", ".", "..", trailing "/"), in the box */
	char *source;	/* PATH_BIND*: absolute and normalised, on the host's view; else NULL */
	char *options;	/* PATH_TEMPORARY: tmpfs options, checked, e.g. "size=10%,mode=0755"; or NULL */
	bool read_only; /* PATH_TEMPORARY: the option ro was given */
	bool no_exec;	/* PATH_TEMPORARY: the option noexec was given */
	bool recursive; /* PATH_BIND*: rbind (default) or norbind */
	bool optional;	/* a leading "-": skipped if the path (or source) does not exist */
};

struct policy {
	char *name;	 /* the deciding policy's name, or "default" */
	char *source;	 /* "file:line" of the deciding section, or "built-in" */
	uint64_t digest; /* of every effective setting before specifiers: tells that a box was made under
			    other settings than today's */

	bool enabled;	/* false: this login is not boxed */
	char *reason;	/* why it is not boxed, or what was taken away (sudo: the PID namespace), as a clause
			   for the log; NULL if there is nothing to say */
	int namespaces; /* mask of CLONE_NEW*, from the table in namespaces.h; never a PID namespace without a
			   mount namespace, whose users would see the host's /proc */
	enum propagation propagation;
	char hostname[POLICY_HOSTNAME_MAX + 1]; /* valid, or empty: keep the host's */
	enum protect_proc protect_proc;
	enum proc_subset proc_subset;
	enum scope scope;
	bool linger;
	uint32_t timeout_stop_ms;
	enum on_error on_error;
	enum private_tmp private_tmp;
	struct path_rule *paths;
	size_t n_paths;
	char *netns_path; /* NetworkNamespacePath, or NULL */
	bool no_new_privileges;
	bool bounding_set_given;
	uint64_t bounding_set; /* capabilities that stay, as bits 1 << CAP_*; valid if bounding_set_given */

	/* As pam_systemd reads them (systemd.resource-control(5)), or NULL where the policy is silent. */
	char *tasks_max, *memory_max, *cpu_weight, *io_weight, *runtime_max_sec;
};

/* Who logs in, and how; what PAM knows. Strings are borrowed, and hostile until proved otherwise. */
struct login {
	const char *user;	/* PAM_USER */
	const char *service;	/* PAM_SERVICE */
	const char *caller_exe; /* the caller's executable (readlink of /proc/self/exe), or NULL if unknown */
	char box_id[BOX_ID_SIZE];
};

/* What NSS says of the user; filled in by policy_resolve. Owned strings. */
struct account {
	char *name; /* pw_name: may differ from PAM_USER in case */
	uid_t uid;
	gid_t gid;
	char *home;
};

enum verdict {
	VERDICT_BOX,	/* put it in a box */
	VERDICT_NO_BOX, /* let it in as without the module; policy->reason says why */
	VERDICT_REFUSE, /* the configuration or NSS cannot tell what the box should be; problem says why */
};

struct resolution {
	enum verdict verdict;
	enum on_error
		on_error; /* what a refusal means, of this or of a box that cannot be made; ON_ERROR_DENY
				   where nothing can be trusted, ON_ERROR_ALLOW for uid 0 */
	struct account account;
	struct policy policy;
	char problem[512]; /* VERDICT_REFUSE: one sentence with file and line, for the log */
};

/* Decides for one login. conf is the absolute path of nsbox.conf, or NULL for the built-in place, where no
 * file needs to be; PATH.d beside it is read too. Reads files and asks NSS; changes nothing. resolution must be passed to resolution_free
 * whatever the verdict.
 */
void policy_resolve(const char *conf, const struct login *login, struct resolution *resolution);
void resolution_free(struct resolution *resolution);

#endif
