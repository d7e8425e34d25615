/* Lets User-Mode Linux 6.1 run where the processor's register state is larger than it knows.
 *
 * UML keeps 2,696 bytes of a process's extended registers (x87 to AVX-512 and PKRU) and writes them back by
 * PTRACE_SETREGSET. Linux takes such a write only whole (arch/x86/kernel/fpu/regset.c, xstateregs_set): with AMX
 * the state has about 11 KB, the write fails with EFAULT, and UML kills its first process. Preloaded into
 * linux.uml this completes the write with what the process has there already: tile registers, which nothing in
 * the lab asks the kernel for.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <linux/ptrace.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef long ptrace_call(int request, pid_t pid, void *address, void *data);

static __thread char state[65536] __attribute__((aligned(64)));

long ptrace(int request, pid_t pid, void *address, void *data)
{
	static ptrace_call *real;
	struct iovec *given = data;
	struct iovec whole = { state, sizeof state };

	if (!real)
		real = (ptrace_call *)dlsym(RTLD_NEXT, "ptrace");
	if (request != PTRACE_SETREGSET || (long)address != NT_X86_XSTATE)
		return real(request, pid, address, data);
	if (real(PTRACE_GETREGSET, pid, address, &whole) == 0 && whole.iov_len > given->iov_len) {
		memcpy(state, given->iov_base, given->iov_len);
		return real(request, pid, address, &whole);
	}
	return real(request, pid, address, data);
}
