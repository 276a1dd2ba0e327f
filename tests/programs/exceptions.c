// Privileged, odd and faulting instructions, each in a child: what signal it gets, with which code, as the same program gets natively.
#include "check.h"
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

static char alternate[65536];

static void handler(int signal, siginfo_t *info, void *context) {
    ucontext_t *c = context;
    char text[200];
    // Addresses and error codes differ between processors' makers; what a program can rely on is here.
    int n = snprintf(text, sizeof text, "signal %d code %d trap %lld\n", signal, info->si_code, (long long)c->uc_mcontext.gregs[REG_TRAPNO]);
    write(1, text, (size_t)n);
    _exit(0);
}

static void attempt(const char *name, void (*body)(void)) {
    printf("%s: ", name);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(5);
        sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, 0);
        struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM};
        for (int i = 0; i < 7; i++) sigaction(signals[i], &action, 0);
        body();
        write(1, "went on\n", 8);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) printf("killed by %d\n", WTERMSIG(status));
    else if (WEXITSTATUS(status)) printf("exit %d\n", WEXITSTATUS(status));
}

#define CASES \
    X(hlt, "hlt") X(cli, "cli") X(sti, "sti") X(clts, "clts") X(invd, "invd") X(wbinvd, "wbinvd") X(swapgs, "swapgs") X(sysretq, "sysretq") \
    X(in_al, "in $0x60, %%al") X(in_dx, "mov $0x10, %%edx; in %%dx, %%eax") X(out_host_call, "out %%al, $0x10") X(out_idle, "out %%al, $0x11") X(out_ring, "out %%al, $0x12") X(out_panic, "out %%al, $0x13") \
    X(out_debug, "out %%al, $0x14") X(out_nop, "out %%al, $0x15") X(out_post, "out %%al, $0x80") X(out_wide, "mov $0x13, %%edx; out %%eax, %%dx") X(out_far, "mov $0x3f8, %%edx; out %%al, %%dx") X(out_last, "mov $0xffff, %%edx; out %%al, %%dx") \
    X(insb, "mov $0x10, %%edx; lea -512(%%rsp), %%rdi; mov $4, %%ecx; rep insb") X(outsb, "mov $0x13, %%edx; lea -512(%%rsp), %%rsi; mov $4, %%ecx; rep outsb") X(outsw, "mov $0x12, %%edx; lea -512(%%rsp), %%rsi; outsw") \
    X(lgdt, "lgdt -64(%%rsp)") X(lidt, "lidt -64(%%rsp)") X(lldt, "xor %%eax, %%eax; lldt %%ax") X(ltr, "mov $0x40, %%eax; ltr %%ax") X(lmsw, "xor %%eax, %%eax; lmsw %%ax") \
    X(mov_from_cr0, "mov %%cr0, %%rax") X(mov_from_cr2, "mov %%cr2, %%rax") X(mov_from_cr3, "mov %%cr3, %%rax") X(mov_from_cr4, "mov %%cr4, %%rax") X(mov_to_cr0, "xor %%eax, %%eax; mov %%rax, %%cr0") X(mov_to_cr3, "xor %%eax, %%eax; mov %%rax, %%cr3") X(mov_to_cr8, "xor %%eax, %%eax; mov %%rax, %%cr8") \
    X(mov_from_dr7, "mov %%dr7, %%rax") X(mov_to_dr0, "mov %%rax, %%dr0") X(rdmsr, "mov $0x1b, %%ecx; rdmsr") X(wrmsr, "mov $0xc0000082, %%ecx; xor %%eax, %%eax; xor %%edx, %%edx; wrmsr") X(rdpmc, "xor %%ecx, %%ecx; rdpmc") X(invlpg, "invlpg (%%rsp)") \
    X(xsetbv, "xor %%ecx, %%ecx; xor %%edx, %%edx; mov $3, %%eax; xsetbv") X(iret_ring0, "mov %%rsp, %%rcx; push $0x18; push %%rcx; push $0x202; push $0x10; lea 1f(%%rip), %%rax; push %%rax; iretq; 1:") \
    X(vmcall, "vmcall") X(vmmcall, "vmmcall") X(vmrun, "vmrun") X(ud2, "ud2") X(ud1, ".byte 0x0f, 0xb9, 0xc0") X(int3, "int3") X(int3_long, ".byte 0xcd, 3") X(icebp, ".byte 0xf1") X(rsm, "rsm") \
    X(push_es, ".byte 0x06") X(into, ".byte 0xce") X(far_direct, ".byte 0x9a, 0, 0, 0, 0, 0, 0") X(lock_nop, ".byte 0xf0, 0x90") X(lock_mov, ".byte 0xf0, 0x89, 0x00") \
    X(divide, "xor %%ecx, %%ecx; mov $1, %%eax; cdq; idiv %%ecx") X(divide_overflow, "mov $0x80000000, %%eax; cdq; mov $-1, %%ecx; idiv %%ecx") \
    X(read_null, "xor %%eax, %%eax; mov (%%rax), %%rax") X(write_null, "xor %%eax, %%eax; mov %%rax, (%%rax)") X(read_noncanonical, "movabs $0x8000000000000000, %%rax; mov (%%rax), %%rax") X(write_noncanonical, "movabs $0x1234567812345678, %%rax; mov %%rax, (%%rax)") \
    X(stack_noncanonical, "movabs $0x8000000000000000, %%rsp; push %%rax") X(stack_null, "xor %%esp, %%esp; push %%rax") X(stack_edge, "movabs $0x800000000000, %%rsp; push %%rax; push %%rax") \
    X(jump_null, "xor %%eax, %%eax; jmp *%%rax") X(jump_noncanonical, "movabs $0x8000000000000000, %%rax; jmp *%%rax") X(jump_hole, "movabs $0x800000000000, %%rax; jmp *%%rax") X(jump_user_end, "movabs $0x7ffffffff000, %%rax; jmp *%%rax") X(jump_high_hole, "movabs $0xffff7fffffffffff, %%rax; jmp *%%rax") \
    X(jump_high, "movabs $0xffff900000000000, %%rax; jmp *%%rax") X(jump_vsyscall_hole, "movabs $0xffffffffff5ff000, %%rax; jmp *%%rax") X(jump_last, "mov $-1, %%rax; jmp *%%rax") X(call_high, "movabs $0xffffd00000000000, %%rax; call *%%rax") \
    X(ret_noncanonical, "movabs $0x9000000000000000, %%rax; push %%rax; ret") X(ret_high, "movabs $0xffffa00000000000, %%rax; push %%rax; ret") \
    X(load_ds_kernel, "mov $0x18, %%eax; mov %%ax, %%ds") X(load_ds_null, "xor %%eax, %%eax; mov %%ax, %%ds") X(load_ds_user, "mov $0x2b, %%eax; mov %%ax, %%ds") X(load_es_odd, "mov $0x1238, %%eax; mov %%ax, %%es") X(load_ss_null, "xor %%eax, %%eax; mov %%ax, %%ss") X(load_ss_kernel, "mov $0x18, %%eax; mov %%ax, %%ss") X(load_fs_code, "mov $0x33, %%eax; mov %%ax, %%gs") \
    X(load_cs, "mov %%ss, %%eax; .byte 0x8e, 0xc8") X(far_return_kernel, "push $0x10; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:") X(far_return_user, "pop %%rcx; push $0x33; lea 1f(%%rip), %%rax; push %%rax; lretq; 1: push %%rcx") X(far_return_data, "push $0x2b; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:") X(far_return_null, "push $0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:") \
    X(iret_noncanonical, "mov %%rsp, %%rcx; push $0x2b; push %%rcx; pushfq; push $0x33; movabs $0x8000000000000000, %%rax; push %%rax; iretq") X(iret_user, "mov %%rsp, %%rcx; push $0x2b; push %%rcx; pushfq; push $0x33; lea 1f(%%rip), %%rax; push %%rax; iretq; 1:") X(iret_bad_ss, "mov %%rsp, %%rcx; push $0x18; push %%rcx; pushfq; push $0x33; lea 1f(%%rip), %%rax; push %%rax; iretq; 1:") \
    X(popf_nested, "pushfq; orq $0x4000, (%%rsp); popfq; mov $39, %%eax; syscall; pushfq; andq $~0x4000, (%%rsp); popfq") X(popf_nested_iret, "pushfq; orq $0x4000, (%%rsp); popfq; mov %%rsp, %%rcx; push $0x2b; push %%rcx; pushfq; push $0x33; lea 1f(%%rip), %%rax; push %%rax; iretq; 1:") \
    X(popf_all, "push $0x3f7ed7; popfq; mov $39, %%eax; syscall") X(popf_direction, "std; mov $39, %%eax; syscall; cld") X(popf_alignment, "pushfq; orq $0x40000, (%%rsp); popfq; mov $39, %%eax; syscall; lea -301(%%rsp), %%rax; mov (%%rax), %%rcx") X(popf_alignment_fault, "pushfq; orq $0x40000, (%%rsp); popfq; xor %%eax, %%eax; mov (%%rax), %%rax") \
    X(popf_iopl, "pushfq; orq $0x3000, (%%rsp); popfq; cli") X(popf_interrupts, "pushfq; andq $~0x200, (%%rsp); popfq; mov $39, %%eax; syscall") X(popf_resume, "pushfq; orq $0x10000, (%%rsp); popfq; mov $39, %%eax; syscall") \
    X(trap_flag, "pushfq; orq $0x100, (%%rsp); popfq; nop; nop") X(trap_flag_syscall, "mov $39, %%eax; pushfq; orq $0x100, (%%rsp); popfq; syscall; nop") \
    X(int_0, "int $0") X(int_1, "int $1") X(int_2, "int $2") X(int_4, "int $4") X(int_6, "int $6") X(int_8, "int $8") X(int_13, "int $13") X(int_14, "int $14") X(int_32, "int $32") X(int_64, "int $64") X(int_129, "int $129") X(int_255, "int $255") \
    X(wrfsbase_noncanonical, "movabs $0x8000000000000000, %%rax; wrfsbase %%rax") X(wrgsbase_noncanonical, "movabs $0x8000000000000000, %%rax; wrgsbase %%rax") X(wrgsbase_kernel, "movabs $0xffff880000000000, %%rax; wrgsbase %%rax; mov $39, %%eax; syscall; mov %%gs:0, %%rax") X(wrfsbase_odd, "rdfsbase %%rcx; mov $0x777, %%eax; wrfsbase %%rax; mov $39, %%eax; syscall; wrfsbase %%rcx") \
    X(sgdt, "sgdt -64(%%rsp)") X(str, "str %%eax") X(smsw, "smsw %%eax") X(xgetbv_odd, "mov $7, %%ecx; xgetbv") X(xrstor_misaligned, "lea -1001(%%rsp), %%rcx; mov $3, %%eax; xor %%edx, %%edx; xrstor (%%rcx)") \
    X(movaps_misaligned, "movaps -1001(%%rsp), %%xmm0") X(long_instruction, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90") X(x87_pending, "fninit; movw $0, -64(%%rsp); fldcw -64(%%rsp); fldz; fldz; fdivp; fwait") X(sse_unmasked, "movl $0, -64(%%rsp); ldmxcsr -64(%%rsp); xorps %%xmm0, %%xmm0; divss %%xmm0, %%xmm0") \
    X(sysenter_zero, "xor %%eax, %%eax; sysenter") X(syscall_odd_number, "mov $-1, %%rax; syscall") X(syscall_far_number, "movabs $0x700000000, %%rax; syscall") X(syscall_x32, "mov $0x40000027, %%eax; syscall") X(prefetch_kernel, "movabs $0xffffffff80100000, %%rax; prefetcht0 (%%rax)") X(stac, "stac") X(encls, ".byte 0x0f, 0x01, 0xcf") X(pause, "pause") X(rdpkru, "xor %%ecx, %%ecx; rdpkru; xor %%eax, %%eax") X(rdtscp, "rdtscp") X(cpuid, "xor %%eax, %%eax; xor %%ecx, %%ecx; cpuid")

#define X(name, text) static void do_##name(void) { __asm__ volatile(text ::: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r11", "memory", "cc"); }
CASES
#undef X

static void last_page(void) {
    // A system call whose return address is the first one beyond user memory.
    unsigned char *page = mmap((void *)0x7fffffffe000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (page == MAP_FAILED) {
        write(1, "no page ", 8);
        return;
    }
    page[4094] = 0x0f;
    page[4095] = 0x05;
    __asm__ volatile("mov $39, %%eax; jmp *%0" ::"r"(page + 4094) : "rax", "rcx", "r11");
}

static void odd_handler(uint64_t address, int flags) {
    struct { uint64_t handler, flags, restorer, mask; } action = {address, 0x04000000 | (uint64_t)flags, 0, 0};
    syscall(SYS_rt_sigaction, SIGSEGV, &action, 0, 8);
    syscall(SYS_rt_sigaction, SIGUSR1, &action, 0, 8);
    syscall(SYS_kill, getpid(), SIGUSR1);
}
static void handler_noncanonical(void) { odd_handler(0x8000000000000000, 0); }
static void handler_high(void) { odd_handler(0xffff900000000000, 0); }
static void handler_hole(void) { odd_handler(0x800000000000, SA_NODEFER); }
static void handler_nodefer(void) { odd_handler(0xdead000000000000, SA_NODEFER); }
static void handler_null_page(void) { odd_handler(4, SA_NODEFER); }

// A signal that comes while the stack pointer is no address.
static void stack_odd(uint64_t stack, int alternative) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | (alternative ? SA_ONSTACK : 0)};
    sigaction(SIGUSR1, &action, 0);
    __asm__ volatile("mov %0, %%rsp; mov %1, %%edi; mov $10, %%esi; mov $62, %%eax; syscall; 1: jmp 1b" ::"r"(stack), "r"(getpid()) : "memory", "rax", "rdi", "rsi", "rcx", "r11");
}
static void signal_stack_noncanonical(void) { stack_odd(0x8000000000000000, 0); }
static void signal_stack_noncanonical_alternate(void) { stack_odd(0x8000000000000000, 1); }
static void signal_stack_zero(void) { stack_odd(0, 0); }
static void signal_stack_kernel(void) { stack_odd(0xffffffff80200000, 0); }
static void signal_stack_top(void) { stack_odd(~(uint64_t)7, 0); }

// rt_sigreturn with a frame of the caller's making.
static uint64_t change_register, change_value;
static void changer(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[change_register] = (greg_t)change_value;
}
static void with_frame(uint64_t reg, uint64_t value) {
    change_register = reg;
    change_value = value;
    sigaction(SIGUSR1, &(struct sigaction){.sa_sigaction = changer, .sa_flags = SA_SIGINFO}, 0);
    kill(getpid(), SIGUSR1);
}
static void return_rip_noncanonical(void) { with_frame(REG_RIP, 0x8000000000000000); }
static void return_rip_high(void) { with_frame(REG_RIP, 0xffff900000000000); }
static void return_rip_hole(void) { with_frame(REG_RIP, 0x800000000000); }
static void return_flags_all(void) { with_frame(REG_EFL, ~(uint64_t)0x100); }
static void return_flags_trap(void) { with_frame(REG_EFL, 0x302); }
static void return_flags_nested(void) { with_frame(REG_EFL, 0x4202); }
static void return_selectors_zero(void) { with_frame(REG_CSGSFS, 0); }
static void return_selectors_kernel(void) { with_frame(REG_CSGSFS, 0x0018000000000010); }

static uint64_t garbage_seed;
static void garbage(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    ucontext_t *c = context;
    unsigned char *state = (unsigned char *)c->uc_mcontext.fpregs;
    uint64_t x = garbage_seed;
    // The state itself, the components' header, and with odd seeds the software bytes that say how long it is.
    for (int i = 0; i < 512 + 64 + 200; i++) {
        x = x * 6364136223846793005 + 1442695040888963407;
        if (i >= 464 && i < 512 && garbage_seed % 2 == 0) continue;
        state[i] = (unsigned char)(x >> 33);
    }
}
static void state_garbage(void) {
    sigaction(SIGUSR1, &(struct sigaction){.sa_sigaction = garbage, .sa_flags = SA_SIGINFO}, 0);
    for (garbage_seed = 0; garbage_seed < 40; garbage_seed++) kill(getpid(), SIGUSR1);
    // Whatever was loaded, the state is usable.
    __asm__ volatile("fninit; ldmxcsr %0" ::"m"((int){0x1f80}));
}
static void state_pointer(void) {
    // Where the frame says that the state lies there is nothing.
    change_register = 23;
    change_value = 0xffff900000000000;
    with_frame(23, 0xffff900000000000);
}
static void frame_nowhere(void) { __asm__ volatile("xor %%esp, %%esp; mov $15, %%eax; syscall" ::: "memory"); }
static void frame_noncanonical(void) { __asm__ volatile("movabs $0x8000000000000000, %%rsp; mov $15, %%eax; syscall" ::: "memory"); }
static void frame_garbage(void) { __asm__ volatile("sub $4096, %%rsp; mov %%rsp, %%rdi; mov $4000, %%ecx; mov $0x5a, %%al; rep stosb; mov $15, %%eax; syscall" ::: "memory"); }

int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
#define X(name, text) attempt(#name, do_##name);
    CASES
#undef X
#define RUN(name) attempt(#name, name);
    RUN(last_page)
    RUN(handler_noncanonical) RUN(handler_high) RUN(handler_hole) RUN(handler_nodefer) RUN(handler_null_page)
    RUN(signal_stack_noncanonical) RUN(signal_stack_noncanonical_alternate) RUN(signal_stack_zero) RUN(signal_stack_kernel) RUN(signal_stack_top)
    RUN(return_rip_noncanonical) RUN(return_rip_high) RUN(return_rip_hole) RUN(return_flags_all) RUN(return_flags_trap) RUN(return_flags_nested) RUN(return_selectors_zero) RUN(return_selectors_kernel)
    RUN(state_garbage) RUN(state_pointer) RUN(frame_nowhere) RUN(frame_noncanonical) RUN(frame_garbage)
    return 0;
}
