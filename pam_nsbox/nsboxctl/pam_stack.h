/* PAM stacks, read as libpam reads them (pam.conf(5)): what a service's stack is, with all that it includes. */
#ifndef NSBOX_PAM_STACK_H
#define NSBOX_PAM_STACK_H

#include <stdbool.h>
#include <stddef.h>

struct pam_line {
	char *text; /* owns the words below */
	char *file;
	unsigned int line;
	int level;		  /* how many substacks it lies in */
	bool may_be_missing;	  /* the type begins with "-" */
	const char *type;	  /* auth, account, password or session */
	const char *unknown_type; /* what stands in its place, unknown to libpam */
	const char *control;	  /* a word, or all between "[" and "]" */
	const char *module;	  /* as it stands there */
	char *arguments[32];
	size_t n_arguments;
	bool is_missing_file; /* not a module: an included file, named by module, that cannot be read */
	bool is_substack;     /* not a module: here begins the substack of the file that module names */
};

struct pam_stack {
	struct pam_line *lines;
	size_t n_lines;
};

/* Reads the stack of a service from /etc/pam.d, or a file by its absolute path. 0, or -ENOENT, or -ENOMEM. */
int pam_stack_read(const char *service, struct pam_stack *stack);
void pam_stack_free(struct pam_stack *stack);

/* Whether the line's module is the one of that name, in whatever folder. */
bool pam_line_is(const struct pam_line *line, const char *type, const char *module);

/* The names of all services, sorted: owned, as is the array. 0 or a negative errno. */
int pam_services(char ***names, size_t *n_names);

#endif
