// SPDX-License-Identifier: Apache-2.0
/*
 * What C sees in bpf/types.h, to hold the generated codecs against.
 *
 *   print_structs            what there is, one a line: "struct tier 8" with its size, "enum tier_flag TIER_WEIGHTED 2147483648"
 *   print_structs STRUCT     reads such structs from standard input and prints one line of JSON each: numbers as decimal strings in
 *                            host order, addresses and other bytes as hexadecimal digits
 */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "types.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static char separator = '{';

static void begin(const char *name)
{
	printf("%c\"%s\":", separator, name);
	separator = ',';
}

static void number(const char *name, unsigned long long value)
{
	begin(name);
	printf("\"%llu\"", value);
}

static void bytes(const char *name, const void *start, size_t size)
{
	begin(name);
	putchar('"');
	for (size_t i = 0; i < size; i++)
		printf("%02x", ((const unsigned char *)start)[i]);
	putchar('"');
}

static void address(const char *name, const struct address *address)
{
	bytes(name, address->words, sizeof(address->words));
}

static void frontend_key(const void *start)
{
	const struct frontend_key *it = start;

	address("address", &it->address);
	number("port", ntohs(it->port));
	number("protocol", it->protocol);
	number("zero", it->zero);
}

static void frontend(const void *start)
{
	const struct frontend *it = start;

	number("service_port", it->service_port);
	number("tag", it->tag);
}

static void range_key(const void *start)
{
	const struct range_key *it = start;

	number("prefix_length", it->prefix_length);
	address("address", &it->address);
}

static void range(const void *start)
{
	const struct range *it = start;

	number("id", it->id);
	number("tag", it->tag);
}

static void frontend_way(const void *start)
{
	const struct frontend_way *it = start;

	begin("key");
	separator = '{';
	frontend_key(&it->key);
	putchar('}');
	number("zero", it->zero);
	begin("frontend");
	separator = '{';
	frontend(&it->frontend);
	putchar('}');
}

static void frontend_line(const void *start)
{
	const struct frontend_line *it = start;

	begin("first");
	separator = '{';
	frontend_way(&it->first);
	putchar('}');
	begin("second");
	separator = '{';
	frontend_way(&it->second);
	putchar('}');
}

static void tier(const void *start)
{
	const struct tier *it = start;

	number("slot", it->slot);
	number("count", it->count);
}

static void service_port(const void *start)
{
	const struct service_port *it = start;

	number("flags", it->flags);
	number("choices", it->choices);
	number("limit", it->limit);
	begin("tier");
	separator = '{';
	tier(&it->tier);
	putchar('}');
}

static void record_entry(const void *start)
{
	const struct record_entry *it = start;

	number("threshold", it->threshold);
	number("endpoint", it->endpoint);
}

static void endpoint(const void *start)
{
	const struct endpoint *it = start;

	address("address", &it->address);
	number("port", ntohs(it->port));
	number("flags", it->flags);
	number("generation", it->generation);
}

static void connection_limit(const void *start)
{
	const struct connection_limit *it = start;

	number("most", it->most);
	number("tag", it->tag);
}

static void socket_bucket(const void *start)
{
	const struct socket_bucket *it = start;

	number("displaced", it->displaced);
	number("holders", it->holders);
	begin("cookies");
	for (int way = 0; way < BUCKET_WAYS; way++)
		printf("%c\"%llu\"", way ? ',' : '[', (unsigned long long)it->cookies[way]);
	putchar(']');
}

static void socket_peer(const void *start)
{
	const struct socket_peer *it = start;

	number("seal", it->seal);
	address("vip", &it->vip);
	address("backend", &it->backend);
	number("vip_port", ntohs(it->vip_port));
	number("backend_port", ntohs(it->backend_port));
	number("endpoint", it->endpoint);
	number("generation", it->generation);
	number("held", it->held);
	number("unanswered", it->unanswered);
}

static void flow_key(const void *start)
{
	const struct flow_key *it = start;

	number("cookie", it->cookie);
	address("address", &it->address);
	number("port", ntohs(it->port));
	number("role", it->role);
	number("zero", it->zero);
}

static void flow(const void *start)
{
	const struct flow *it = start;

	number("seal", it->seal);
	address("other", &it->other);
	address("next", &it->next);
	number("other_port", ntohs(it->other_port));
	number("next_port", ntohs(it->next_port));
	number("next_role", it->next_role);
	number("zero", it->zero);
	number("endpoint", it->endpoint);
	number("generation", it->generation);
}

static void refusal_event(const void *start)
{
	const struct refusal_event *it = start;

	address("address", &it->address);
	number("port", ntohs(it->port));
	number("protocol", it->protocol);
	number("pid", it->pid);
	number("limit", it->limit);
	bytes("command", it->command, sizeof(it->command));
}

static void settings(const void *start)
{
	const struct settings *it = start;

	number("bucket_mask", it->bucket_mask);
	number("line_mask", it->line_mask);
	number("has_ranges", it->has_ranges);
	number("has_set_retval", it->has_set_retval);
	number("consecutive_failures", it->consecutive_failures);
	number("has_mptcp", it->has_mptcp);
}

static void endpoint_connections(const void *start)
{
	const struct endpoint_connections *it = start;

	number("active", it->active);
	number("generation", it->generation);
}

static void connect_failures(const void *start)
{
	const struct connect_failures *it = start;

	number("in_a_row", it->in_a_row);
	number("generation", it->generation);
}

static void failure_event(const void *start)
{
	const struct failure_event *it = start;

	number("endpoint", it->endpoint);
	number("generation", it->generation);
	number("in_a_row", it->in_a_row);
	number("failure", it->failure);
}

#define STRUCT(name) { #name, sizeof(struct name), name }

static const struct {
	const char *name;
	size_t size;
	void (*print)(const void *start);
} structs[] = {
	STRUCT(frontend_key),
	STRUCT(frontend),
	STRUCT(tier),
	STRUCT(service_port),
	STRUCT(record_entry),
	STRUCT(endpoint),
	STRUCT(connection_limit),
	STRUCT(socket_bucket),
	STRUCT(socket_peer),
	STRUCT(flow_key),
	STRUCT(flow),
	STRUCT(refusal_event),
	STRUCT(settings),
	STRUCT(range_key),
	STRUCT(range),
	STRUCT(frontend_way),
	STRUCT(frontend_line),
	STRUCT(connect_failures),
	STRUCT(failure_event),
	STRUCT(endpoint_connections),
};

#define ENUM(of, name) { #of, #name, (__u32)name }

static const struct {
	const char *of;
	const char *name;
	__u32 value;
} enums[] = {
	ENUM(frontend_flag, FRONTEND_RANGE),
	ENUM(tier_flag, TIER_WEIGHTED),
	ENUM(tier_flag, TIER_MAPPED),
	ENUM(service_flag, SERVICE_LEAVE),
	ENUM(service_flag, SERVICE_ROUND_ROBIN),
	ENUM(service_flag, SERVICE_LEAST_REQUEST),
	ENUM(service_flag, SERVICE_RING_HASH),
	ENUM(service_flag, SERVICE_MAGLEV),
	ENUM(held_flag, HELD_ENDPOINT),
	ENUM(bound, MOST_CHOICES),
	ENUM(bound, NO_CONNECTIONS),
	ENUM(endpoint_flag, ENDPOINT_USABLE),
	ENUM(flow_role, FLOW_HEAD),
	ENUM(flow_role, FLOW_SENT),
	ENUM(flow_role, FLOW_REPLY),
	ENUM(counter, COUNTER_TCP_BALANCED),
	ENUM(counter, COUNTER_UDP_BALANCED),
	ENUM(counter, COUNTER_TCP_REFUSED),
	ENUM(counter, COUNTER_UDP_REFUSED),
	ENUM(counter, COUNTER_STATE_FULL),
	ENUM(counter, COUNTER_SEND_REFUSED_FULL),
	ENUM(counter, COUNTER_EXEMPT),
	ENUM(counter, COUNTER_BROKEN),
	ENUM(counter, COUNTER_EVENTS_LOST),
	ENUM(counter, COUNTERS),
	ENUM(counter, COUNTER_ENDPOINT_REFUSED),
	ENUM(counter, COUNTER_ENDPOINT_TIMED_OUT),
	ENUM(counter, COUNTER_ENDPOINT_RESET),
	ENUM(counter, COUNTER_ENDPOINT_UNREACHABLE),
	ENUM(counter, COUNTER_ENDPOINT_GIVEN_UP),
	ENUM(counter, COUNTER_FAILURE_EVENTS_LOST),
	ENUM(counter, COUNTER_TCP_OVER_LIMIT),
	ENUM(counter, COUNTER_NOT_LIMITED),
	ENUM(failure, FAILURE_REFUSED),
	ENUM(failure, FAILURE_TIMED_OUT),
	ENUM(failure, FAILURE_RESET),
	ENUM(failure, FAILURE_UNREACHABLE),
	ENUM(failure, FAILURE_GIVEN_UP),
	ENUM(failure, FAILURES),
};

static int list(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(structs); i++)
		printf("struct %s %zu\n", structs[i].name, structs[i].size);
	for (size_t i = 0; i < ARRAY_SIZE(enums); i++)
		printf("enum %s %s %u\n", enums[i].of, enums[i].name, enums[i].value);
	return 0;
}

static int print_structs(const char *name)
{
	_Alignas(8) unsigned char one[256];

	for (size_t i = 0; i < ARRAY_SIZE(structs); i++) {
		if (strcmp(structs[i].name, name))
			continue;
		if (structs[i].size > sizeof(one))
			return 1;
		while (fread(one, structs[i].size, 1, stdin) == 1) {
			separator = '{';
			structs[i].print(one);
			puts("}");
		}
		return 0;
	}
	fprintf(stderr, "print_structs: no struct %s\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	return argc < 2 ? list() : print_structs(argv[1]);
}
