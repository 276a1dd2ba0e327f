//! Rows: signals, clocks and timers.
use super::{
    kinds::{ArgKind::*, Dir::*, Set as S, StructKind as K},
    rows,
};

rows! {
    RT_SIGACTION rt_sigaction(signum: Signal, act: Struct(K::Sigaction, In), oldact: Struct(K::Sigaction, Out), sigsetsize: Size) -> Int;
    RT_SIGPROCMASK rt_sigprocmask(how: Enum(S::SigProcMask), set: Struct(K::SigSet, In), oldset: Struct(K::SigSet, Out), sigsetsize: Size) -> Int;
    RT_SIGRETURN rt_sigreturn() -> Int;
    RT_SIGPENDING rt_sigpending(set: Struct(K::SigSet, Out), sigsetsize: Size) -> Int;
    RT_SIGTIMEDWAIT rt_sigtimedwait(set: Struct(K::SigSet, In), info: Struct(K::SigInfo, Out), timeout: Struct(K::Timespec, In), sigsetsize: Size) -> Int;
    RT_SIGQUEUEINFO rt_sigqueueinfo(tgid: Pid, sig: Signal, info: Struct(K::SigInfo, In)) -> Int;
    RT_TGSIGQUEUEINFO rt_tgsigqueueinfo(tgid: Pid, tid: Pid, sig: Signal, info: Struct(K::SigInfo, In)) -> Int;
    RT_SIGSUSPEND rt_sigsuspend(mask: Struct(K::SigSet, In), sigsetsize: Size) -> Int;
    SIGALTSTACK sigaltstack(ss: Struct(K::SigStack, In), old_ss: Struct(K::SigStack, Out)) -> Int;
    KILL kill(pid: Pid, sig: Signal) -> Int;
    TKILL tkill(tid: Pid, sig: Signal) -> Int;
    TGKILL tgkill(tgid: Pid, tid: Pid, sig: Signal) -> Int;
    PIDFD_SEND_SIGNAL pidfd_send_signal(pidfd: Fd, sig: Signal, info: Struct(K::SigInfo, In), flags: Hex32) -> Int;
    PAUSE pause() -> Int;
    RESTART_SYSCALL restart_syscall() -> Int;

    NANOSLEEP nanosleep(req: Struct(K::Timespec, In), rem: Struct(K::Timespec, Out)) -> Int;
    CLOCK_NANOSLEEP clock_nanosleep(clockid: Enum(S::ClockId), flags: Flags(S::TimerAbs), request: Struct(K::Timespec, In), remain: Struct(K::Timespec, Out)) -> Int;
    CLOCK_GETTIME clock_gettime(clockid: Enum(S::ClockId), tp: Struct(K::Timespec, Out)) -> Int;
    CLOCK_SETTIME clock_settime(clockid: Enum(S::ClockId), tp: Struct(K::Timespec, In)) -> Int;
    CLOCK_GETRES clock_getres(clockid: Enum(S::ClockId), res: Struct(K::Timespec, Out)) -> Int;
    CLOCK_ADJTIME clock_adjtime(clockid: Enum(S::ClockId), buf: Struct(K::Timex, InOut)) -> Int;
    ADJTIMEX adjtimex(buf: Struct(K::Timex, InOut)) -> Int;
    GETTIMEOFDAY gettimeofday(tv: Struct(K::Timeval, Out), tz: Struct(K::Timezone, Out)) -> Int;
    SETTIMEOFDAY settimeofday(tv: Struct(K::Timeval, In), tz: Struct(K::Timezone, In)) -> Int;
    TIME time(tloc: Struct(K::Time, Out)) -> Int;
    ALARM alarm(seconds: Uint) -> Int;
    GETITIMER getitimer(which: Enum(S::Itimer), curr_value: Struct(K::Itimerval, Out)) -> Int;
    SETITIMER setitimer(which: Enum(S::Itimer), new_value: Struct(K::Itimerval, In), old_value: Struct(K::Itimerval, Out)) -> Int;
    TIMER_CREATE timer_create(clockid: Enum(S::ClockId), sevp: Struct(K::Sigevent, In), timerid: Struct(K::Int, Out)) -> Int;
    TIMER_SETTIME timer_settime(timerid: Int, flags: Flags(S::TimerAbs), new_value: Struct(K::Itimerspec, In), old_value: Struct(K::Itimerspec, Out)) -> Int;
    TIMER_GETTIME timer_gettime(timerid: Int, curr_value: Struct(K::Itimerspec, Out)) -> Int;
    TIMER_GETOVERRUN timer_getoverrun(timerid: Int) -> Int;
    TIMER_DELETE timer_delete(timerid: Int) -> Int;
}
