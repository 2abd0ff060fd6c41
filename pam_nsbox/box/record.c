#include "record.h"
#include "../namespaces.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

size_t box_character(const char *text)
{
	static const unsigned int least[] = {0, 0, 0xa0, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)text;
	unsigned int length = bytes[0] < 0xc0 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
	unsigned int code = bytes[0] & (0x7fU >> length);

	if (length == 1)
		return bytes[0] >= ' ' && bytes[0] < 0x7f;
	for (unsigned int i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	return code < least[length] || (code >= 0xd800 && code < 0xe000) || bytes[0] > 0xf4 || code > 0x10ffff
		       ? 0
		       : length;
}

void box_clean_text(const char *text, char *buf, size_t size)
{
	size_t used = 0;

	while (text && *text) {
		size_t length = box_character(text), takes = length > 0 ? length : 1;

		if (used + takes >= size)
			break;
		memcpy(buf + used, length == 0 || *text == '"' || *text == '\\' ? "?" : text, takes);
		used += takes;
		text += takes;
	}
	memset(buf + used, 0, size - used);
}

/* Cuts it to size; returns how much of buf is used. */
static size_t append(char *buf, size_t size, size_t used, const char *text)
{
	size_t length = strnlen(text, size - used - 1);

	memcpy(buf + used, text, length);
	buf[used + length] = '\0';
	return used + length;
}

/* Not by snprintf(3), which took a third of what the caller does for an opening outside of the kernel. */
void box_describe(const char *policy, const char *user, const char *service, const char *from,
	const char *tty, char *buf, size_t size)
{
	const char *const values[][2] = {
		{"policy", policy}, {"user", user}, {"service", service}, {"from", from}, {"tty", tty}};
	size_t used = 0;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		char clean[128];

		box_clean_text(values[i][1], clean, sizeof(clean));
		used = append(buf, size, used, i > 0 ? " " : "");
		used = append(buf, size, used, values[i][0]);
		used = append(buf, size, used, "=\"");
		used = append(buf, size, used, clean);
		used = append(buf, size, used, "\"");
	}
}

void box_new_id(char id[BOX_ID_SIZE])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint64_t bits = 0;

	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		bits = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	for (int i = 0; i < BOX_ID_SIZE - 1; i++, bits >>= 5)
		id[i] = alphabet[bits & 31];
	id[BOX_ID_SIZE - 1] = '\0';
}

void record_fill(const struct box_request *request, int64_t scope_key, struct box_record *record)
{
	const struct policy *policy = request->policy;

	box_clean_text(request->id, record->id, sizeof(record->id));
	box_clean_text(policy->name, record->policy, sizeof(record->policy));
	box_clean_text(request->account->name, record->user, sizeof(record->user));
	box_clean_text(request->service, record->service, sizeof(record->service));
	box_clean_text(request->from, record->from, sizeof(record->from));
	box_clean_text(request->tty, record->tty, sizeof(record->tty));
	box_clean_text(policy->hostname, record->hostname, sizeof(record->hostname));
	record->digest = policy->digest;
	record->bounding_set = policy->bounding_set;
	record->bounding_set_given = policy->bounding_set_given;
	record->no_new_privileges = policy->no_new_privileges;
	record->scope_key = scope_key;
	record->since = time(NULL);
	record->namespaces = (uint32_t)policy->namespaces;
	record->scope = policy->scope;
	record->timeout_stop_ms = policy->timeout_stop_ms;
	record->linger = policy->linger;
}

void record_fill_lease(const struct box_request *request, struct lease_request *lease)
{
	const struct policy *policy = request->policy;
	char login[512], namespaces[64];

	box_describe(policy->name, request->account->name, request->service, request->from, request->tty,
		login, sizeof(login));
	lease->operation = LEASE_JOIN;
	lease->digest = policy->digest;
	snprintf(lease->who, sizeof(lease->who), "%s namespaces=\"%s\"%s%s%s", login,
		namespaces_names(policy->namespaces, namespaces, sizeof(namespaces)),
		policy->reason ? " without=\"" : "", policy->reason ? policy->reason : "",
		policy->reason ? "\"" : "");
}
