#include "doctor.h"
#include "commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool is_known(const struct diagnosis *diagnosis, const json_t *finding)
{
	const json_t *known;
	size_t i;

	json_array_foreach(diagnosis->findings, i, known) if (json_equal(known, finding)) return true;
	return false;
}

void diagnose(struct diagnosis *diagnosis, enum severity severity, const char *check, struct place place,
	const char *why, const char *mend, const char *what, ...)
{
	char sentence[1024];
	va_list arguments;
	json_t *finding;

	va_start(arguments, what);
	vsnprintf(sentence, sizeof(sentence), what, arguments);
	va_end(arguments);
	for (char *at = sentence; *at; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at >= 0x7f)
			*at = '?';
	finding = json_pack("{ss, ss, ss*, ss, ss, ss}", "check", check, "severity",
		severity == SEVERITY_FAULT ? "fault" : "note", "file", place.file, "what", sentence, "why",
		why, "mend", mend);
	if (finding && place.line > 0)
		json_object_set_new(finding, "line", json_integer((json_int_t)place.line));
	if (!finding || is_known(diagnosis, finding)) {
		json_decref(finding);
		return;
	}
	json_array_append_new(diagnosis->findings, finding);
	diagnosis->n_faults += severity == SEVERITY_FAULT;
}

static bool is_among(struct span word, const char *words)
{
	struct span rest = span_of(words), item;

	for (bool more = true; more;) {
		more = span_next(&rest, ",", &item);
		if (item.length == word.length && strncasecmp(item.at, word.at, word.length) == 0)
			return true;
	}
	return false;
}

bool config_sets(const struct config *config, const char *names, const char *values, struct place *place)
{
	for (size_t i = 0; config && i < config->n_sections; i++) {
		const struct section *section = &config->sections[i];

		for (size_t j = 0; j < section->n_entries; j++) {
			const struct entry *entry = &config->entries[section->first_entry + j];

			if (!entry->key || !is_among(span_of(entry->key->name), names) ||
				(values && !is_among(entry->value, values)))
				continue;
			*place = (struct place){
				.file = config->files[section->file].path, .line = entry->line};
			return true;
		}
	}
	return false;
}

/* --- what is printed --- */

static void print_finding(const json_t *finding)
{
	const char *file, *severity, *what, *why, *mend;
	json_int_t line = 0;

	json_unpack((json_t *)(uintptr_t)finding, "{ss, ss, s?I, ss, ss, ss}", "file", &file, "severity",
		&severity, "line", &line, "what", &what, "why", &why, "mend", &mend);
	if (line > 0)
		printf("%s:%lld: ", file, (long long)line);
	else
		printf("%s: ", file);
	printf("%s: %s\n  why:  %s\n  mend: %s\n", severity, what, why, mend);
}

static void print_json(const struct diagnosis *diagnosis)
{
	json_t *all = json_pack("{sb, sI, sO, sO}", "healthy", diagnosis->n_faults == 0, "faults",
		(json_int_t)diagnosis->n_faults, "findings", diagnosis->findings, "system",
		diagnosis->system);

	if (all)
		json_dumpf(all, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(all);
}

static void examine(struct diagnosis *diagnosis)
{
	examine_kernel(diagnosis);
	examine_installation(diagnosis);
	examine_configuration(diagnosis, diagnosis->conf);
	examine_logind(diagnosis);
	/* What is known to be broken need not be tried. */
	if (diagnosis->n_faults == 0)
		examine_box(diagnosis);
	examine_pam(diagnosis);
}

static int doctor(const char *conf, bool json)
{
	struct config *config = config_load(conf, true);
	struct diagnosis diagnosis = {
		.findings = json_array(),
		.system = json_object(),
		.conf = conf,
		.config = config,
	};
	const json_t *finding;
	size_t i;

	if (!config || !diagnosis.findings || !diagnosis.system) {
		complain("there is no memory to examine the system");
		return STATUS_FAILED;
	}
	examine(&diagnosis);
	if (json)
		print_json(&diagnosis);
	else
		json_array_foreach(diagnosis.findings, i, finding) print_finding(finding);
	json_decref(diagnosis.findings);
	json_decref(diagnosis.system);
	config_free(config);
	return diagnosis.n_faults == 0 ? STATUS_DONE : STATUS_FAILED;
}

int command_doctor(int argc, char **argv)
{
	const char *conf = NULL;
	bool json = false;
	int letter;

	while ((letter = next_option(argc, argv)) != -1)
		switch (letter) {
		case OPTION_JSON: json = true; break;
		case OPTION_CONF: conf = optarg; break;
		default: return STATUS_USAGE;
		}
	if (optind < argc)
		return complain_about_call("doctor takes no argument such as \"%s\"", argv[optind]);
	return is_root() ? doctor(conf, json) : STATUS_FAILED;
}
