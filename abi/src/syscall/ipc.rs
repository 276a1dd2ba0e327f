//! Rows: futexes, System V IPC, POSIX message queues, keys.
use super::{
    kinds::{ArgKind::*, Dir::*, Set as S, StructKind as K},
    rows,
};

rows! {
    FUTEX futex(uaddr: Pointer, futex_op: FutexOp, val: Depends, timeout: Depends, uaddr2: Depends, val3: Depends) -> Int;
    FUTEX_WAITV futex_waitv(waiters: Structs(K::FutexWaitv, In, 1), nr_futexes: Uint, flags: Hex32, timeout: Struct(K::Timespec, In), clockid: Enum(S::FutexWaitvClock)) -> Int;
    FUTEX_WAKE futex_wake(uaddr: Pointer, mask: Hex, nr: Int, flags: Hex32) -> Int;
    FUTEX_WAIT futex_wait(uaddr: Pointer, val: Ulong, mask: Hex, flags: Hex32, timeout: Struct(K::Timespec, In), clockid: Enum(S::ClockId)) -> Int;
    FUTEX_REQUEUE futex_requeue(waiters: Pointer, flags: Hex32, nr_wake: Int, nr_requeue: Int) -> Int;

    SHMGET shmget(key: Key, size: Size, shmflg: FlagsMode(S::IpcShmGet)) -> Int;
    SHMAT shmat(shmid: Int, shmaddr: Pointer, shmflg: Flags(S::Shmat)) -> Hex;
    SHMDT shmdt(shmaddr: Pointer) -> Int;
    SHMCTL shmctl(shmid: Int, cmd: Enum(S::Shmctl), buf: Depends) -> Int;
    SEMGET semget(key: Key, nsems: Int, semflg: FlagsMode(S::IpcSemGet)) -> Int;
    SEMOP semop(semid: Int, sops: Structs(K::Sembuf, In, 2), nsops: Uint) -> Int;
    SEMTIMEDOP semtimedop(semid: Int, sops: Structs(K::Sembuf, In, 2), nsops: Uint, timeout: Struct(K::Timespec, In)) -> Int;
    SEMCTL semctl(semid: Int, semnum: Int, cmd: Enum(S::Semctl), arg: Pointer) -> Int;
    MSGGET msgget(key: Key, msgflg: FlagsMode(S::IpcMsgGet)) -> Int;
    MSGSND msgsnd(msqid: Int, msgp: Message(2, In), msgsz: Size, msgflg: Flags(S::MsgrcvFlags)) -> Int;
    MSGRCV msgrcv(msqid: Int, msgp: Message(2, Out), msgsz: Size, msgtyp: Long, msgflg: Flags(S::MsgrcvFlags)) -> Int;
    MSGCTL msgctl(msqid: Int, cmd: Enum(S::Msgctl), buf: Depends) -> Int;

    MQ_OPEN mq_open(name: Path, oflag: Flags(S::OpenFlags), mode: Depends, attr: Depends) -> Fd;
    MQ_UNLINK mq_unlink(name: Path) -> Int;
    MQ_TIMEDSEND mq_timedsend(mqdes: Fd, msg_ptr: BufIn(2), msg_len: Size, msg_prio: Uint, abs_timeout: Struct(K::Timespec, In)) -> Int;
    MQ_TIMEDRECEIVE mq_timedreceive(mqdes: Fd, msg_ptr: BufOut(2), msg_len: Size, msg_prio: Struct(K::Int, Out), abs_timeout: Struct(K::Timespec, In)) -> Int;
    MQ_NOTIFY mq_notify(mqdes: Fd, sevp: Struct(K::Sigevent, In)) -> Int;
    MQ_GETSETATTR mq_getsetattr(mqdes: Fd, newattr: Struct(K::MqAttr, In), oldattr: Struct(K::MqAttr, Out)) -> Int;

    ADD_KEY add_key(type: Str, description: Str, payload: BufIn(3), plen: Size, keyring: KeySerial) -> Int;
    REQUEST_KEY request_key(type: Str, description: Str, callout_info: Str, dest_keyring: KeySerial) -> Int;
    KEYCTL keyctl(operation: Enum(S::Keyctl), arg2: Depends, arg3: Depends, arg4: Depends, arg5: Depends) -> Int;
}
