//! ioctl requests and the terminal's structures.

use super::{
    Style, View,
    names::{Names, ioctl::REQUESTS},
    put, text,
};

/// Appends an ioctl request.
pub fn request(out: &mut Vec<u8>, request: u32) {
    if let Ok(at) = REQUESTS.binary_search_by_key(&request, |(value, _)| *value) {
        return put(out, REQUESTS[at].1);
    }
    let direction = match request >> 30 {
        0 => "_IOC_NONE",
        1 => "_IOC_WRITE",
        2 => "_IOC_READ",
        _ => "_IOC_READ|_IOC_WRITE",
    };
    put(out, "_IOC(");
    put(out, direction);
    for value in [request >> 8 & 0xff, request & 0xff, request >> 16 & 0x3fff] {
        put(out, ", ");
        text::hex(out, u64::from(value));
    }
    out.push(b')');
}

/// Appends a `struct termios`.
pub fn termios(out: &mut Vec<u8>, view: View<'_>, style: &Style) {
    put(out, "{c_iflag=");
    flags(out, &INPUT, view.u32(0));
    put(out, ", c_oflag=");
    let oflag = view.u32(4);
    for (shift, width, label) in [
        (8, 1, "NL"),
        (9, 2, "|CR"),
        (11, 2, "|TAB"),
        (13, 1, "|BS"),
        (14, 1, "|VT"),
        (15, 1, "|FF"),
    ] {
        put(out, label);
        text::udec(out, u64::from(oflag >> shift & ((1 << width) - 1)));
    }
    out.push(b'|');
    if oflag & 0xff != 0 {
        OUTPUT.write(out, u64::from(oflag & 0xff));
    }
    put(out, ", c_cflag=");
    control(out, view.u32(8));
    put(out, ", c_lflag=");
    flags(out, &LOCAL, view.u32(12));
    if style.abbreviate {
        return put(out, ", ...}");
    }
    put(out, ", c_line=");
    text::udec(out, u64::from(view.0.get(16).copied().unwrap_or(0)));
    put(out, ", c_cc=");
    text::quoted_hex(out, view.0.get(17..36).unwrap_or_default());
    out.push(b'}');
}

/// Appends a `struct termio`: the same in 16 bits.
pub fn termio(out: &mut Vec<u8>, view: View<'_>, style: &Style) {
    let mut wide = [0; 36];
    for word in 0..4 {
        wide[word * 4..word * 4 + 2].copy_from_slice(&view.u16(word * 2).to_le_bytes());
    }
    wide[16] = view.0.get(8).copied().unwrap_or(0);
    if style.abbreviate {
        return termios(out, View(&wide), style);
    }
    let start = out.len();
    termios(out, View(&wide), style);
    let whole = out.len();
    const KEY: &[u8] = b", c_cc=";
    let found = out[start..whole]
        .windows(KEY.len())
        .position(|window| window == KEY);
    out.truncate(found.map_or(whole, |at| start + at + KEY.len()));
    text::quoted_hex(out, view.0.get(9..17).unwrap_or_default());
    out.push(b'}');
}

fn flags(out: &mut Vec<u8>, names: &Names, value: u32) {
    if value != 0 {
        names.write(out, u64::from(value));
    }
}

fn control(out: &mut Vec<u8>, cflag: u32) {
    const CBAUD: u32 = 0o10017;
    let low = [
        "B0", "B50", "B75", "B110", "B134", "B150", "B200", "B300", "B600", "B1200", "B1800",
        "B2400", "B4800", "B9600", "B19200", "B38400",
    ];
    let high = [
        "BOTHER", "B57600", "B115200", "B230400", "B460800", "B500000", "B576000", "B921600",
        "B1000000", "B1152000", "B1500000", "B2000000", "B2500000", "B3000000", "B3500000",
        "B4000000",
    ];
    let table = if cflag & 0o10000 == 0 { low } else { high };
    put(out, table[(cflag & 0o17) as usize]);
    let sizes = ["|CS5", "|CS6", "|CS7", "|CS8"];
    put(out, sizes[(cflag >> 4 & 3) as usize]);
    let rest = cflag & !CBAUD & !0o60;
    out.push(b'|');
    if rest != 0 {
        CONTROL.write(out, u64::from(rest));
    }
}

const fn flag_names(bits: &'static [(u64, &'static str)]) -> Names {
    Names {
        field: 0,
        values: &[],
        bits,
        unknown: "",
        zero: "0",
        unknown_bits: "",
    }
}

static INPUT: Names = flag_names(&[
    (0o1, "IGNBRK"),
    (0o2, "BRKINT"),
    (0o4, "IGNPAR"),
    (0o10, "PARMRK"),
    (0o20, "INPCK"),
    (0o40, "ISTRIP"),
    (0o100, "INLCR"),
    (0o200, "IGNCR"),
    (0o400, "ICRNL"),
    (0o1000, "IUCLC"),
    (0o2000, "IXON"),
    (0o4000, "IXANY"),
    (0o10000, "IXOFF"),
    (0o20000, "IMAXBEL"),
    (0o40000, "IUTF8"),
]);

static OUTPUT: Names = flag_names(&[
    (0o1, "OPOST"),
    (0o2, "OLCUC"),
    (0o4, "ONLCR"),
    (0o10, "OCRNL"),
    (0o20, "ONOCR"),
    (0o40, "ONLRET"),
    (0o100, "OFILL"),
    (0o200, "OFDEL"),
]);

static CONTROL: Names = flag_names(&[
    (0o100, "CSTOPB"),
    (0o200, "CREAD"),
    (0o400, "PARENB"),
    (0o1000, "PARODD"),
    (0o2000, "HUPCL"),
    (0o4000, "CLOCAL"),
    (0o10000000000, "CMSPAR"),
    (0o20000000000, "CRTSCTS"),
]);

static LOCAL: Names = flag_names(&[
    (0o1, "ISIG"),
    (0o2, "ICANON"),
    (0o4, "XCASE"),
    (0o10, "ECHO"),
    (0o20, "ECHOE"),
    (0o40, "ECHOK"),
    (0o100, "ECHONL"),
    (0o200, "NOFLSH"),
    (0o400, "TOSTOP"),
    (0o100000, "IEXTEN"),
    (0o1000, "ECHOCTL"),
    (0o2000, "ECHOPRT"),
    (0o4000, "ECHOKE"),
    (0o10000, "FLUSHO"),
    (0o40000, "PENDIN"),
    (0o200000, "EXTPROC"),
]);
