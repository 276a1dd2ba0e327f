//! Signal frames: what a handler finds on its stack, and what rt_sigreturn(2) takes back (`struct rt_sigframe` of
//! `arch/x86/include/asm/sigframe.h`).
//!
//! ```text
//!   high   user's stack pointer (or the alternate stack's top), less the red zone of 128 bytes
//!          XSAVE area, 64-byte aligned, MAGIC2 after it
//!          siginfo_t
//!          ucontext: flags, link, stack, registers, mask
//!   low    return address = restorer           <- rsp, 8 modulo 16 as after a call
//! ```

use super::{
    SigInfo,
    action::{SA_ONSTACK, SA_RESTORER, SigAction},
    alt_stack,
    info::SIGINFO_SIZE,
    state::FaultContext,
};
use crate::{Errno, arch, arch::TrapFrame, mm::user, task::Task};
use alloc::vec::Vec;
use core::mem::{offset_of, size_of};
use vitrine_abi::layout::{USER_CS, USER_END, USER_SS};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Below the stack pointer, the ABI lets a function keep data.
const RED_ZONE: u64 = 128;
/// The XSAVE area is there and has software-reserved bytes.
const UC_FP_XSTATE: u64 = 1;
/// `ss` is saved.
const UC_SIGCONTEXT_SS: u64 = 2;
/// `ss` is to be restored as it stands.
const UC_STRICT_RESTORE_SS: u64 = 4;
/// Marks valid software-reserved bytes.
const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
/// Follows the XSAVE area.
const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;
/// Bytes of FP_XSTATE_MAGIC2.
const MAGIC2_SIZE: usize = 4;
/// The legacy (FXSAVE) part of the XSAVE area.
const FXSAVE_SIZE: usize = 512;
/// Where in it software may keep what it likes.
const SW_RESERVED: usize = 464;
/// XSAVE header: which components are not in their initial state.
const XSTATE_BV: usize = 512;
/// End of the XSAVE header.
const XSAVE_HEADER_END: usize = 576;
/// x87 and SSE in XSTATE_BV.
const X87_SSE: u8 = 3;
/// Flags that a program may set: AC, OF, DF, TF, SF, ZF, AF, PF, CF, RF.
const USER_FLAGS: u64 = 0x5_0dd5;
/// Flags that a handler starts without: DF, RF, TF.
const CLEARED_FLAGS: u64 = 0x1_0500;

/// `struct ucontext` with its `struct sigcontext`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct UContext {
    flags: u64,
    link: u64,
    stack: alt_stack::RawStack,
    r8: u64,
    r9: u64,
    r10: u64,
    r11: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    rflags: u64,
    cs: u16,
    gs: u16,
    fs: u16,
    ss: u16,
    err: u64,
    trapno: u64,
    oldmask: u64,
    cr2: u64,
    fpstate: u64,
    reserved: [u64; 8],
    sigmask: u64,
}

/// `struct rt_sigframe`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct SignalFrame {
    return_address: u64,
    context: UContext,
    info: [u8; SIGINFO_SIZE],
}

/// `struct _fpx_sw_bytes`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct SoftwareReserved {
    magic1: u32,
    extended_size: u32,
    features: u64,
    xstate_size: u32,
    padding: [u32; 7],
}

const _: () = {
    assert!(size_of::<UContext>() == 304);
    assert!(offset_of!(UContext, fpstate) == 40 + 184);
    assert!(size_of::<SoftwareReserved>() == FXSAVE_SIZE - SW_RESERVED);
    assert!(size_of::<SignalFrame>() == 440);
};

/// Bytes of stack that the kernel may need to deliver a signal (AT_MINSIGSTKSZ).
pub fn min_stack_size() -> usize {
    // Up to 63 bytes to align the XSAVE area, 15 for the frame.
    size_of::<SignalFrame>() + arch::xsave_size() + MAGIC2_SIZE + 63 + 15
}

/// Sets up the handler's frame on the user's stack and `frame` to run the handler. `mask` is what sigreturn restores. Nothing in `frame` has changed on an error:
/// the stack is bad, or the action has no restorer.
pub(super) fn push(
    task: &Task,
    frame: &mut TrapFrame,
    info: &SigInfo,
    action: &SigAction,
    mask: u64,
) -> Result<(), Errno> {
    if action.flags & SA_RESTORER == 0 {
        return Err(Errno::EFAULT);
    }
    let stack = *task.signals.alt_stack.lock();
    let mut sp = frame.rsp.wrapping_sub(RED_ZONE);
    let on_stack = alt_stack::is_on(&stack, frame.rsp);
    let mut entering = false;
    if action.flags & SA_ONSTACK != 0 && stack.size != 0 && !on_stack {
        sp = stack.sp.wrapping_add(stack.size);
        entering = true;
    }
    let state = xsave_image(frame);
    let fpstate = sp.wrapping_sub(state.len() as u64) & !63;
    let at = (fpstate.wrapping_sub(size_of::<SignalFrame>() as u64) & !15).wrapping_sub(8);
    if (on_stack || entering) && !alt_stack::contains(&stack, at) {
        return Err(Errno::EFAULT);
    }
    let fault = *task.signals.fault.lock();
    let signal_frame = SignalFrame {
        return_address: action.restorer,
        context: save(frame, &stack, &fault, fpstate, mask),
        info: info.encode(),
    };
    // Above USER_END lies nothing of the program's; the copies refuse it, a wrapped address included.
    user::write_bytes(fpstate, &state)?;
    user::write(at, &signal_frame)?;
    if action.handler >= USER_END {
        return Err(Errno::EFAULT);
    }

    frame.rdi = u64::from(info.signo);
    frame.rsi = at + offset_of!(SignalFrame, info) as u64;
    frame.rdx = at + offset_of!(SignalFrame, context) as u64;
    frame.rax = 0;
    frame.rip = action.handler;
    frame.rsp = at;
    frame.cs = u64::from(USER_CS);
    frame.ss = u64::from(USER_SS);
    frame.rflags &= !CLEARED_FLAGS;
    Ok(())
}

fn save(
    frame: &TrapFrame,
    stack: &super::state::AltStack,
    fault: &FaultContext,
    fpstate: u64,
    mask: u64,
) -> UContext {
    UContext {
        flags: UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
        link: 0,
        stack: alt_stack::RawStack::saved(stack),
        r8: frame.r8,
        r9: frame.r9,
        r10: frame.r10,
        r11: frame.r11,
        r12: frame.r12,
        r13: frame.r13,
        r14: frame.r14,
        r15: frame.r15,
        rdi: frame.rdi,
        rsi: frame.rsi,
        rbp: frame.rbp,
        rbx: frame.rbx,
        rdx: frame.rdx,
        rax: frame.rax,
        rcx: frame.rcx,
        rsp: frame.rsp,
        rip: frame.rip,
        // The program never sees which ring's flags it runs with.
        rflags: frame.rflags & USER_FLAGS | 0x202,
        cs: USER_CS,
        gs: 0,
        fs: 0,
        ss: USER_SS,
        err: fault.error,
        trapno: fault.trapno,
        oldmask: mask,
        cr2: fault.cr2,
        fpstate,
        reserved: [0; 8],
        sigmask: mask,
    }
}

/// The extended state as it goes to the stack: with the software-reserved bytes and MAGIC2.
fn xsave_image(frame: &TrapFrame) -> Vec<u8> {
    let mut state = arch::extended_state(frame);
    let size = state.len();
    if size < XSAVE_HEADER_END {
        state.resize(XSAVE_HEADER_END, 0);
    }
    let size = size.max(XSAVE_HEADER_END);
    if state[XSTATE_BV] & 1 == 0 {
        // A handler may edit x87 registers although they are in their initial state: spell that out.
        state[..24].fill(0);
        state[..2].copy_from_slice(&0x037f_u16.to_le_bytes());
        state[32..160].fill(0);
    }
    state[XSTATE_BV] |= X87_SSE;
    let reserved = SoftwareReserved {
        magic1: FP_XSTATE_MAGIC1,
        extended_size: (size + MAGIC2_SIZE) as u32,
        features: arch::xcr0(),
        xstate_size: size as u32,
        padding: [0; 7],
    };
    state[SW_RESERVED..FXSAVE_SIZE].copy_from_slice(reserved.as_bytes());
    state.extend_from_slice(&FP_XSTATE_MAGIC2.to_le_bytes());
    state
}

/// What [`pop`] found beside the registers.
pub(super) struct Restored {
    /// The code selector that the frame names.
    pub cs: u16,
    /// The mask from before the handler.
    pub mask: u64,
    /// The alternate stack from before the handler.
    pub stack: alt_stack::RawStack,
}

/// Takes the frame that the handler returned to back into `frame`. Everything in it is the program's: selectors and privileged flags are not
/// taken from it. On an error `frame` is as it was.
pub(super) fn pop(frame: &mut TrapFrame) -> Result<Restored, Errno> {
    // The handler's `ret` has taken the return address.
    let at = frame.rsp.wrapping_sub(8);
    let context: UContext = user::read(at.wrapping_add(offset_of!(SignalFrame, context) as u64))?;
    let mut restored = *frame;
    restore_extended_state(&mut restored, context.fpstate)?;
    *frame = TrapFrame {
        r8: context.r8,
        r9: context.r9,
        r10: context.r10,
        r11: context.r11,
        r12: context.r12,
        r13: context.r13,
        r14: context.r14,
        r15: context.r15,
        rdi: context.rdi,
        rsi: context.rsi,
        rbp: context.rbp,
        rbx: context.rbx,
        rdx: context.rdx,
        rax: context.rax,
        rcx: context.rcx,
        rsp: context.rsp,
        rip: context.rip,
        rflags: frame.rflags & !USER_FLAGS | context.rflags & USER_FLAGS,
        cs: u64::from(USER_CS),
        ss: u64::from(USER_SS),
        // No system call to restart.
        orig_rax: u64::MAX,
        ..restored
    };
    Ok(Restored {
        cs: context.cs,
        mask: context.sigmask,
        stack: context.stack,
    })
}

/// Loads the extended state at `fpstate`: as much of it as its software-reserved bytes vouch for, else its legacy part.
fn restore_extended_state(frame: &mut TrapFrame, fpstate: u64) -> Result<(), Errno> {
    if fpstate == 0 {
        arch::reset_extended_state(frame);
        return Ok(());
    }
    let reserved: SoftwareReserved = user::read(fpstate.wrapping_add(SW_RESERVED as u64))?;
    let size = reserved.xstate_size as usize;
    let is_extended = reserved.magic1 == FP_XSTATE_MAGIC1
        && (XSAVE_HEADER_END..=arch::xsave_size()).contains(&size)
        && reserved.extended_size as usize >= size
        && user::read::<u32>(fpstate.wrapping_add(size as u64)) == Ok(FP_XSTATE_MAGIC2);
    let mut state = alloc::vec![0; arch::xsave_size().max(XSAVE_HEADER_END)];
    let taken = if is_extended { size } else { FXSAVE_SIZE };
    user::read_bytes(fpstate, &mut state[..taken])?;
    if !is_extended {
        state[XSTATE_BV] = X87_SSE;
    }
    arch::set_extended_state(frame, &state)
}
