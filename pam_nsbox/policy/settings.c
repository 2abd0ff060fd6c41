#include "settings.h"
#include "file_size.h"
#include "specifiers.h"
#include "values.h"

#include <errno.h>
#include <fcntl.h>
#include <iniparser/iniparser.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

/* iniparser gets this name for every section: it lower-cases names, and a colon in one would confuse it. */
#define INI_SECTION "s"

/* A sealed file in memory with the section's text, for a library that reads files by name alone. */
static int section_file(struct span body)
{
	static char header[] = "[" INI_SECTION "]\n";
	struct iovec parts[] = {{header, sizeof(header) - 1}, {(void *)(uintptr_t)body.at, body.length}};
	size_t size = parts[0].iov_len + parts[1].iov_len;
	struct file_size limit;
	ssize_t written;
	int fd = memfd_create("nsbox.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("nsbox.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	file_size_lift(&limit);
	written = writev(fd, parts, 2);
	file_size_restore(&limit);
	if (written != (ssize_t)size ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
		int r = errno ? -errno : -EIO;

		close(fd);
		return r;
	}
	return fd;
}

/* Sees that iniparser will find memory: 4.1 does not look whether it got any. What is given back here stays
 * with the process, so that no call to the kernel, which could fail, is needed for as much.
 */
static int reserve_memory(size_t body)
{
	/* Its first tables and a stream's buffer; and of each line a copy, a name and a value. */
	size_t size = 32768 + 4 * (body < 16384 ? body : 16384);
	void *reserve = malloc(size);

	if (!reserve)
		return -ENOMEM;
	/* The compiler may leave out a pair of calls that nothing is done between. */
	explicit_bzero(reserve, size);
	free(reserve);
	return 0;
}

/* iniparser's reading of a section. 0 or -errno. */
static int load_section(const struct section *section, void **out)
{
	AUTO_CLOSE int fd = section_file(section->body);
	char path[64];

	if (fd < 0)
		return fd;
	/* iniparser would complain on standard error, which may be a user's terminal, and its way to be quiet
	 * is a setting of the whole process. So what it would complain of is found beforehand: by the index,
	 * and here.
	 */
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	if (access(path, R_OK) < 0)
		return -errno;
	if (reserve_memory(section->body.length) < 0)
		return -ENOMEM;
	*out = iniparser_load(path);
	return *out ? 0 : -ENOMEM;
}

/* iniparser's value of a row, or NULL. */
static const char *ini_value(const void *dictionary, const struct key *key)
{
	char name[64];

	snprintf(name, sizeof(name), INI_SECTION ":%s", key->name);
	return iniparser_getstring(dictionary, name, NULL);
}

/* The rows of which the section says something unusable, as bits. */
static uint64_t wrong_rows(const struct config *config, const struct section *section)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < section->n_entries; i++) {
		const struct entry *entry = &config->entries[section->first_entry + i];

		if (entry->key && entry->fault != FAULT_NONE)
			rows |= UINT64_C(1) << key_index(entry->key);
	}
	return rows;
}

/* Takes over the values of one section. Problems of entries are not said here: settings_read knows their
 * weight. 0, or -errno and why.
 */
static int take_section(const struct config *config, const struct section *section, struct settings *settings,
	void **dictionary, struct sentence *why)
{
	uint64_t wrong = wrong_rows(config, section);
	int r = load_section(section, dictionary);

	if (r < 0) {
		sentence_set(why, "%s:%u: iniparser cannot read the section through /proc: %s",
			config->files[section->file].path, section->line, strerror(-r));
		return r;
	}
	for (size_t i = 0; i < section->n_entries; i++) {
		const struct entry *entry = &config->entries[section->first_entry + i];
		struct setting *setting;

		if (!entry->key)
			continue;
		setting = &settings->of[key_index(entry->key)];
		*setting = (struct setting){.text = ini_value(*dictionary, entry->key),
			.section = section,
			.line = entry->line,
			.wrong = (wrong >> key_index(entry->key)) & 1};
		setting->differs =
			!setting->wrong && (!setting->text || !span_equal(entry->value, setting->text));
	}
	return 0;
}

/* Whether a problem of [default] is made good by the deciding section: a bad value of a key that it
 * overrides.
 */
static bool overridden(
	const struct config *config, const struct problem *problem, const struct section *section)
{
	return problem->fault >= FAULT_QUOTE_OPEN && problem->key && section &&
	       config_entry(config, section, problem->key);
}

/* The first problem of one section that refuses its logins. */
static int section_problem(const struct config *config, const struct section *section,
	const struct section *deciding, struct sentence *why)
{
	if (!section->faulty)
		return 0;
	for (size_t i = 0; i < config->n_problems; i++) {
		const struct problem *problem = &config->problems[i];

		/* A twin's problem stands with the second of the two. */
		if (config_weight(problem->fault) != WEIGHT_SECTION ||
			(&config->sections[problem->section] != section &&
				!(problem->fault == FAULT_SECTION_TWICE &&
					problem->other_file == section->file &&
					problem->other_line == section->line)))
			continue;
		if (section != deciding && overridden(config, problem, deciding))
			continue;
		config_describe(config, problem, why);
		return -EINVAL;
	}
	return 0;
}

/* The first value that iniparser reads otherwise than it stands there. */
static int find_difference(const struct config *config, const struct settings *settings, struct sentence *why)
{
	for (size_t i = 0; i < n_keys; i++)
		if (settings->of[i].differs) {
			sentence_set(why, SETTINGS_DIFFER, keys[i].name);
			settings_place(config, &settings->of[i], why);
			return -EINVAL;
		}
	return 0;
}

int settings_read(const struct config *config, const struct section *section, struct settings *settings,
	struct sentence *why)
{
	const struct section *base =
		config->default_section == SIZE_MAX ? NULL : &config->sections[config->default_section];
	int r = 0;

	memset(settings, 0, sizeof(*settings));
	for (size_t i = 0; i < n_keys; i++)
		settings->of[i].text = keys[i].built_in;
	if (base)
		r = take_section(config, base, settings, &settings->dictionaries[0], why);
	if (r == 0 && section && section != base)
		r = take_section(config, section, settings, &settings->dictionaries[1], why);
	if (r == 0 && section)
		r = section_problem(config, section, section, why);
	if (r == 0 && base && base != section)
		r = section_problem(config, base, section, why);
	return r == 0 ? find_difference(config, settings, why) : r;
}

void settings_free(struct settings *settings)
{
	for (size_t i = 0; i < 2; i++)
		if (settings->dictionaries[i])
			iniparser_freedict(settings->dictionaries[i]);
}

int settings_apply(const struct key *key, const char *text, const struct specifiers *specifiers,
	struct policy *policy, struct sentence *why)
{
	struct reading reading = {.policy = policy, .specifiers = specifiers};
	char shown[PRINTABLE_SIZE];
	int r = key->parse(key, text, &reading);

	if (r == -ENOMEM)
		sentence_set(why, "there is no memory for the value of %s", key->name);
	else if (r < 0)
		sentence_set(why, "the value %s of %s is not valid%s%s; expected %s",
			printable(span_of(text), shown), key->name, reading.why.text[0] ? ": " : "",
			reading.why.text, key->allowed);
	return r;
}

void settings_place(const struct config *config, const struct setting *setting, struct sentence *why)
{
	struct sentence what = *why;

	if (setting->section)
		sentence_set(why, "%s:%u: %s", config->files[setting->section->file].path, setting->line,
			what.text);
}

/* Whether the row asks for something that is mounted. */
static bool mounts(const struct key *key, const struct settings *settings, const struct policy *policy)
{
	const char *text = settings->of[key_index(key)].text;

	if (key->field == offsetof(struct policy, private_tmp))
		return policy->private_tmp != PRIVATE_TMP_NO;
	if (key->field == offsetof(struct policy, protect_proc))
		return policy->protect_proc != PROTECT_PROC_DEFAULT;
	if (key->field == offsetof(struct policy, proc_subset))
		return policy->proc_subset != PROC_SUBSET_ALL;
	return text && text[0] &&
	       (key->parse == parse_paths || key->parse == parse_binds || key->parse == parse_temporary);
}

/* Combination number n: one for each row, and then the others. */
static int agree(size_t n, const struct settings *settings, const struct policy *policy,
	const struct key **key, struct sentence *why)
{
	bool has_mount = policy->namespaces & CLONE_NEWNS;

	*key = n < n_keys ? &keys[n] : key_find(span_of(n == n_keys ? "PrivateTmp" : "Namespaces"));
	if (n < n_keys && !has_mount && mounts(*key, settings, policy))
		return sentence_set(why, "%s needs mount among Namespaces", (*key)->name);
	if (n == n_keys && policy->scope == SCOPE_POLICY && policy->private_tmp == PRIVATE_TMP_USER)
		return sentence_set(why, "PrivateTmp = user would show one user's files to all others whom "
					 "Scope = policy puts "
					 "into the same box; one of the two must change");
	if (n == n_keys + 1 && !has_mount && (policy->namespaces & CLONE_NEWPID))
		return sentence_set(why,
			"Namespaces has pid without mount, so the box would see the host's /proc; add "
			"mount");
	return 0;
}

int settings_agree(const struct settings *settings, const struct policy *policy, size_t *next,
	const struct key **key, struct sentence *why)
{
	int r = 0;

	while (policy->enabled && r == 0 && *next < n_keys + 2)
		r = agree((*next)++, settings, policy, key, why);
	return r;
}

void settings_free_policy(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_paths; i++) {
		free(policy->paths[i].path);
		free(policy->paths[i].source);
		free(policy->paths[i].options);
	}
	free(policy->paths);
	free(policy->netns_path);
	free(policy->tasks_max);
	free(policy->memory_max);
	free(policy->cpu_weight);
	free(policy->io_weight);
	free(policy->runtime_max_sec);
	free(policy->name);
	free(policy->source);
	free(policy->reason);
	memset(policy, 0, sizeof(*policy));
}

uint64_t settings_digest(const struct settings *settings)
{
	uint64_t value = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < n_keys; i++) {
		const char *parts[] = {keys[i].name, "=", settings->of[i].text, "\n"};

		for (size_t j = 0; j < 4 && settings->of[i].text && !keys[i].matches; j++)
			for (const char *c = parts[j]; *c; c++)
				value = (value ^ (unsigned char)*c) * UINT64_C(1099511628211);
	}
	return value;
}
