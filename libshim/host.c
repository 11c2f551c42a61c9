// SPDX-License-Identifier: Apache-2.0
/* Sockets in a cgroup and a network namespace of the caller's choosing, and what else the host offers. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weft.h"

/*
 * A socket belongs to the cgroup and the network namespace of the task that creates it, and the runtime's threads must
 * not be moved: a short-lived child creates it there and hands it over. It calls async-signal-safe functions only.
 */
struct work {
	int (*make)(const struct work *work);
	int cgroup_fd, netns_fd;
	int domain, type, protocol;
};

static int send_fd(int channel, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	int result = fd;
	struct iovec data = { &result, sizeof(result) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *header;

		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive_fd(int channel)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	int result = -EIO;
	struct iovec data = { &result, sizeof(result) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	ssize_t got;

	do
		got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(result))
		return got < 0 ? -errno : -ECHILD;
	header = CMSG_FIRSTHDR(&message);
	if (header)
		memcpy(&result, CMSG_DATA(header), sizeof(result));
	return result;
}

static int run_in_child(const struct work *work, uint64_t flags)
{
	struct clone_args arguments = { .flags = flags };
	int channel[2], result;
	pid_t child;

	if (work->cgroup_fd >= 0) {
		arguments.flags |= CLONE_INTO_CGROUP;
		arguments.cgroup = work->cgroup_fd;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel))
		return -errno;
	child = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (child < 0) {
		result = -errno;
		close(channel[0]);
		close(channel[1]);
		return result;
	}
	if (!child)
		_exit(send_fd(channel[1], work->make(work)) ? 1 : 0);
	close(channel[1]);
	result = receive_fd(channel[0]);
	close(channel[0]);
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
	return result;
}

static int make_socket(const struct work *work)
{
	int fd;

	if (work->netns_fd >= 0 && setns(work->netns_fd, CLONE_NEWNET))
		return -errno;
	fd = socket(work->domain, work->type, work->protocol);
	return fd < 0 ? -errno : fd;
}

int weft_socket(int cgroup_fd, int netns_fd, int domain, int type, int protocol)
{
	struct work work = {
		make_socket, cgroup_fd, netns_fd, domain, type | SOCK_CLOEXEC, protocol
	};
	int fd;

	if (cgroup_fd >= 0 || netns_fd >= 0)
		return run_in_child(&work, 0);
	fd = make_socket(&work);
	return fd;
}

static int make_netns(const struct work *work)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)work;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		return -errno;
	close(fd);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int weft_netns_create(void)
{
	struct work work = { .make = make_netns, .cgroup_fd = -1 };

	return run_in_child(&work, CLONE_NEWNET);
}

int weft_mount_bpffs(const char *path)
{
	return mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ? -errno
											: 0;
}

int weft_lock_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

int weft_close(int fd)
{
	return close(fd) ? -errno : 0;
}

int weft_open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
