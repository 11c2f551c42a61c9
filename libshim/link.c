// SPDX-License-Identifier: Apache-2.0
/* Programs on hooks, pins, and what the kernel says of them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "weft.h"

int weft_link_create(int program_fd, int cgroup_fd, int attach_type)
{
	return bpf_link_create(program_fd, cgroup_fd, attach_type, NULL);
}

int weft_link_update(int link_fd, int program_fd)
{
	return bpf_link_update(link_fd, program_fd, NULL);
}

int weft_link_detach(int link_fd)
{
	return bpf_link_detach(link_fd);
}

int weft_link_info(int link_fd, uint64_t out[4])
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);
	int error = bpf_obj_get_info_by_fd(link_fd, &info, &size);

	if (error)
		return error;
	out[0] = info.id;
	out[1] = info.prog_id;
	out[2] = info.cgroup.cgroup_id;
	out[3] = info.cgroup.attach_type;
	return 0;
}

int weft_pin(int fd, const char *path)
{
	return bpf_obj_pin(fd, path);
}

int weft_open_pin(const char *path)
{
	return bpf_obj_get(path);
}

int weft_program_info(int program_fd, uint64_t out[5], char *name)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int error = bpf_obj_get_info_by_fd(program_fd, &info, &size);

	if (error)
		return error;
	out[0] = info.id;
	out[1] = info.type;
	out[2] = info.nr_map_ids;
	out[3] = info.run_time_ns;
	out[4] = info.run_cnt;
	memcpy(name, info.name, sizeof(info.name));
	return 0;
}

int weft_program_by_id(uint32_t id)
{
	return bpf_prog_get_fd_by_id(id);
}

int weft_program_query(int cgroup_fd, int attach_type, uint32_t *ids, uint32_t capacity)
{
	uint32_t count = capacity;
	int error =
		bpf_prog_query(cgroup_fd, attach_type, BPF_F_QUERY_EFFECTIVE, NULL, ids, &count);

	return error && error != -ENOSPC ? error : (int)count;
}

int weft_enable_stats(void)
{
	return bpf_enable_stats(BPF_STATS_RUN_TIME);
}
