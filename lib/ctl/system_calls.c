/* SPDX-License-Identifier: BSD-3-Clause */
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/system_calls.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* --- Those that work, by what they are for ---------------------------------------------------- */

static const int useful[] = {
	/* the dataplane: calls and doorbells (base/aio.h), and making way for others */
	SCMP_SYS(io_submit), SCMP_SYS(io_getevents), SCMP_SYS(io_pgetevents), SCMP_SYS(sched_yield),
	SCMP_SYS(io_setup), SCMP_SYS(io_destroy), SCMP_SYS(io_cancel),
	/* the event loop, timers of the EAL */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_create), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select),
	SCMP_SYS(pselect6), SCMP_SYS(eventfd2), SCMP_SYS(signalfd4), SCMP_SYS(pipe2),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
	SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch),
	/* sockets, of the families below */
	SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect),
	SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(socketpair),
	/* files: the configuration, the ledger, /proc and /sys, socket files */
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(read),
	SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(preadv2), SCMP_SYS(lseek), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(fcntl),
	SCMP_SYS(flock), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(umask), SCMP_SYS(fchmod),
	SCMP_SYS(fchown), SCMP_SYS(fchownat),
	/* memory, its NUMA nodes, and what the fault guard puts in place of what is gone */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mlock),
	SCMP_SYS(munlock), SCMP_SYS(mincore), SCMP_SYS(memfd_create), SCMP_SYS(mbind),
	SCMP_SYS(set_mempolicy), SCMP_SYS(get_mempolicy), SCMP_SYS(move_pages),
	/* threads and signals of this process */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier),
	SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler), SCMP_SYS(getcpu), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
	/* time, limits, and who one is */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrlimit),
	SCMP_SYS(setrlimit), SCMP_SYS(prlimit64), SCMP_SYS(getrusage), SCMP_SYS(sysinfo),
	SCMP_SYS(uname), SCMP_SYS(getrandom), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(getgroups), SCMP_SYS(getresuid), SCMP_SYS(getresgid),
	SCMP_SYS(getppid), SCMP_SYS(capget)};

/* --- Those that end the process: no innocent caller has a use for them ------------------------ */

static const int fatal[] = {
	/* another program */
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
	/* another process */
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(process_madvise),
	/* another user, root directory or namespace */
	SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(setfsuid),
	SCMP_SYS(setfsgid), SCMP_SYS(capset), SCMP_SYS(chroot), SCMP_SYS(pivot_root),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2),
	SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
	SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at),
	/* the kernel itself, and doors into it that have been found open before */
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(modify_ldt),
	SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime), SCMP_SYS(personality),
	SCMP_SYS(quotactl), SCMP_SYS(syslog)};

/* --- Those that work with some arguments ------------------------------------------------------ */

/* Guests, the control socket and the service manager are UNIX sockets; the others are uplinks',
 * whose drivers configure a network device through a socket of any of these. */
static const int families[] = {AF_UNIX, AF_NETLINK, AF_PACKET, AF_INET, AF_XDP};

#define IOCTL_TYPE      0xff00
#define IOCTL_TYPE_VFIO 0x3b00
#define IOCTL_TUN       0x40045400 /* TUNSETIFF and its like, which are _IOW('T', n, int) */
#define IOCTL_TUN_MASK  0xffffff00

static int add_useful(scmp_filter_ctx filter)
{
	int result = 0;

	/* The first ones are looked up first, should the kernel have no cache of such answers. */
	for (size_t i = 0; i < sizeof(useful) / sizeof(useful[0]) && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, useful[i], 0);
	return result;
}

static int add_fatal(scmp_filter_ctx filter)
{
	int result = 0;

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]) && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, fatal[i], 0);
	return result;
}

static int allow_if(scmp_filter_ctx filter, int system_call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, system_call, 1, condition);
}

/* No memory becomes code any more, and a new thread is of this process. */
static int add_memory_and_threads(scmp_filter_ctx filter)
{
	int result = allow_if(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (result == 0)
		result = allow_if(
			filter, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (result == 0)
		result = allow_if(filter, SCMP_SYS(clone),
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (result == 0) /* but see the second filter */
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone3), 0);
	if (result == 0)
		result = allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	/* abort(3), and a SIGBUS that is nobody's guest's */
	if (result == 0)
		result = allow_if(
			filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return result;
}

static int add_devices(scmp_filter_ctx filter)
{
	static const struct scmp_arg_cmp requests[] = {
		{1, SCMP_CMP_MASKED_EQ, IOCTL_TYPE, SIOCGIFNAME & IOCTL_TYPE},
		{1, SCMP_CMP_MASKED_EQ, IOCTL_TYPE, IOCTL_TYPE_VFIO},
		{1, SCMP_CMP_MASKED_EQ, IOCTL_TUN_MASK, IOCTL_TUN},
		{1, SCMP_CMP_EQ, TUNGETFEATURES, 0}, {1, SCMP_CMP_EQ, FIONBIO, 0},
		{1, SCMP_CMP_EQ, FIONREAD, 0},
		{1, SCMP_CMP_EQ, TCGETS, 0}, /* is standard error a terminal? */
	};
	int result = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && result == 0; i++)
		result = allow_if(
			filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && result == 0; i++)
		result = allow_if(filter, SCMP_SYS(ioctl), requests[i]);
	return result;
}

/* Of other ABIs (32-bit, x32), whose numbers mean something else, none works. */
static int set_attributes(scmp_filter_ctx filter, bool log)
{
	int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, log);
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* Kernels before 5.16 would slow down every load behind a store; that is for processes
	 * which run code of strangers. */
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	return result;
}

static int build(scmp_filter_ctx filter)
{
	int result = set_attributes(filter, true);

	if (result == 0)
		result = add_useful(filter);
	if (result == 0)
		result = add_memory_and_threads(filter);
	if (result == 0)
		result = add_devices(filter);
	if (result == 0)
		result = add_fatal(filter);
	return result;
}

/* Every new thread tries clone3 first: a filter of its own, so that the log does not tell of each.
 */
static int build_quiet(scmp_filter_ctx filter)
{
	int result = set_attributes(filter, false);

	if (result == 0)
		result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return result;
}

static int confine(uint32_t default_action, int (*fill)(scmp_filter_ctx))
{
	scmp_filter_ctx filter = seccomp_init(default_action);
	int result = filter == NULL ? -ENOMEM : fill(filter);

	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result;
}

/* No code is loaded any more: what the C library loads when it is first needed must be there. That
 * is the unwinder, by which it cancels threads, and the modules that look up users and groups. */
static void load_what_comes_late(void)
{
	(void)dlopen("libgcc_s.so.1", RTLD_NOW);
	(void)getpwnam("no user has this name");
	(void)getgrnam("no group has this name");
}

int tp_system_calls_confine(struct tp_error *error)
{
	int result;

	if (SANITIZED) {
		tp_log(TP_LOG_WARNING, "system calls are not filtered in a build with a sanitizer");
		return 0;
	}
	load_what_comes_late();
	/* The stricter one decides. The second is loaded first: loading takes seccomp(2). */
	result = confine(SCMP_ACT_ALLOW, build_quiet);
	if (result == 0)
		result = confine(SCMP_ACT_ERRNO(EPERM), build);
	if (result == 0)
		return 0;
	return tp_error_set(error, -result,
		"filter of system calls: %s (a kernel with CONFIG_SECCOMP_FILTER is needed; "
		"$.process.system_call_filter \"off\" does without)",
		strerror(-result));
}
