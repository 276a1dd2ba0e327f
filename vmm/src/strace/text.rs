//! What `vitrine strace -h` prints.

/// The help.
pub const HELP: &str = "\
Usage: vitrine strace [OPTION]... PROG [ARGS]
Runs PROG in a sandbox of its own and prints its system calls as strace 6.1 does, options included.

General:
  -e EXPR              trace=SET, signal=SET, status=SET, read=SET, write=SET, abbrev=SET,
                       verbose=SET, raw=SET, quiet=SET, decode-fds=SET; SET alone means trace=SET
  -E VAR=VAL, -E VAR   set or remove a variable of PROG's environment (--env)
  -u USERNAME          run PROG as this user (--user)
  -f                   follow children and threads (--follow-forks)
  -ff                  and write each to FILE.PID (--output-separately)
  -b execve            leave children alone once they run another program (--detach-on)

Selection:
  -e trace=SET         names, numbers, %file %desc %process %network %signal %ipc %memory %creds
                       %clock %stat %lstat %fstat %%stat %statfs %fstatfs %%statfs %pure, /REGEX;
                       ! negates, ? before a name allows it to be unknown (--trace)
  -P PATH              calls that use PATH (--trace-path)
  -z, -Z               calls that succeeded, that failed (--successful-only, --failed-only)

Output:
  -o FILE, |CMD, !CMD  write to FILE or to a command instead of standard error (--output)
  -A                   append to FILE (--output-append-mode)
  -a COLUMN            column of results (--columns)
  -s SIZE              longest string that is printed whole (--string-limit)
  -v                   print structures and environments in full (--no-abbrev)
  -x, -xx              strings in hexadecimal where needed, always (--strings-in-hex)
  -X raw|abbrev|verbose  how constants are printed (--const-print-style)
  -y, -yy              paths of descriptors, and more about them (--decode-fds)
  -Y                   names beside process ids (--decode-pids=comm)
  -i, -n               addresses, numbers of calls (--instruction-pointer, --syscall-number)
  -t, -tt, -ttt        time of day, with microseconds, since the epoch (--absolute-timestamps)
  -r, -T               time since the last line, time in each call (--relative-timestamps, --syscall-times)
  -q, -qq, -qqq        fewer messages (--quiet)

Summary:
  -c, -C               a table of calls, times and errors instead of, or after, the trace
  -w                   with time spent waiting (--summary-wall-clock)
  -S ORDER             time, min-time, max-time, avg-time, calls, errors, name, nothing
  -U COLUMNS           time-percent, total-time, min-time, max-time, avg-time, calls, errors, name, p50, p99
  -O OVERHEAD          time to take off each call

  -h, -V               this help, the version

Accepted for scripts' sake, without effect: -d -D -I --seccomp-bpf --tips. Not possible here: -p (the program
has to be run in the sandbox) and -k.

Exit status: PROG's own; if a signal ended PROG, the same signal ends this command; 1 if it could not be run.

Examples:
  vitrine strace -f -e trace=%file -o log make
  vitrine strace -c -w ls -lR /etc
";
