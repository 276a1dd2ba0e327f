//! Host calls on files, against a directory made for each test.

use super::*;

const PATH: u64 = 0x1_0000;
const ATTR: u64 = 0x2_0000;
const BUF: u64 = 0x10_0000;
const IOV: u64 = 0x3_0000;

struct Fixture {
    dir: PathBuf,
    ram: GuestRam,
    files: Files,
}

impl Fixture {
    fn new(name: &str, hide: &[&str]) -> Fixture {
        let dir = std::env::temp_dir().join(format!("vitrine-files-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("sub/deep")).unwrap();
        std::fs::write(dir.join("file"), b"hello, guest").unwrap();
        std::fs::write(dir.join("sub/deep/leaf"), vec![7u8; 10_000]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.join("link")).unwrap();
        std::os::unix::fs::symlink("sub", dir.join("dirlink")).unwrap();
        let hide: Vec<PathBuf> = hide.iter().map(PathBuf::from).collect();
        let files = Files::new(&dir, &hide, 128).unwrap();
        let ram = GuestRam::new(4 << 20, u64::MAX).unwrap();
        Fixture { dir, ram, files }
    }

    fn lookup(&mut self, parent: u64, path: &str) -> Result<u64, Errno> {
        self.ram.write(PATH, path.as_bytes()).unwrap();
        self.files
            .lookup(&self.ram, parent, PATH, path.len() as u64, ATTR)
    }

    fn names(&mut self, dir: u64, len: u64) -> Vec<String> {
        let mut names = Vec::new();
        let mut cookie = 0;
        loop {
            let bytes = self
                .files
                .read_dir(&self.ram, dir, cookie, BUF, len)
                .unwrap();
            if bytes == 0 {
                break;
            }
            let mut at = 0;
            while at < bytes {
                let entry: HostDirEntry = self.ram.read_obj(BUF + at).unwrap();
                let mut name = vec![0; entry.name_len as usize];
                self.ram
                    .read(BUF + at + size_of::<HostDirEntry>() as u64, &mut name)
                    .unwrap();
                assert_ne!(entry.attr.mode, 0);
                names.push(String::from_utf8(name).unwrap());
                cookie = entry.next_cookie;
                at += u64::from(entry.record_len);
            }
        }
        names.sort();
        names
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn looks_up_reads_and_closes() {
    let mut fixture = Fixture::new("read", &[]);
    let handle = fixture.lookup(0, "sub/deep/leaf").unwrap();
    let attr: HostAttr = fixture.ram.read_obj(ATTR).unwrap();
    assert_eq!(attr.size, 10_000);
    let piece = |addr, len| Region { addr, len };
    let pieces = [piece(BUF, 4096), piece(BUF + 0x2000, 4096)];
    fixture.ram.write(IOV, pieces.as_bytes()).unwrap();
    let ram = &fixture.ram;
    assert_eq!(fixture.files.read(ram, handle, 0, IOV, 2), Ok(8192));
    assert_eq!(fixture.files.read(ram, handle, 8192, IOV, 2), Ok(1808));
    assert_eq!(fixture.files.read(ram, handle, 20_000, IOV, 2), Ok(0));
    let byte: u8 = ram.read_obj(BUF + 0x2000).unwrap();
    assert_eq!(byte, 7);
    assert_eq!(fixture.files.close(handle), Ok(0));
    assert_eq!(fixture.files.close(handle), Err(Errno::BADF));
    assert_eq!(fixture.files.close(0), Err(Errno::BADF));
}

#[test]
fn never_climbs_and_never_follows() {
    let mut fixture = Fixture::new("climb", &[]);
    assert_eq!(fixture.lookup(0, ".."), Err(Errno::INVAL));
    assert_eq!(fixture.lookup(0, "sub/../../etc"), Err(Errno::INVAL));
    assert_eq!(fixture.lookup(0, "/etc/passwd"), Err(Errno::INVAL));
    assert_eq!(fixture.lookup(0, ""), Err(Errno::NOENT));
    assert_eq!(fixture.lookup(0, "dirlink/deep"), Err(Errno::LOOP));
    assert_eq!(fixture.lookup(0, "file/x"), Err(Errno::NOTDIR));
    let link = fixture.lookup(0, "link").unwrap();
    let count = fixture.files.read_link(&fixture.ram, link, BUF, 100);
    assert_eq!(count, Ok(11));
    let pieces = [Region { addr: BUF, len: 10 }];
    fixture.ram.write(IOV, pieces.as_bytes()).unwrap();
    let read = fixture.files.read(&fixture.ram, link, 0, IOV, 1);
    assert_eq!(read, Err(Errno::INVAL));
}

#[test]
fn lists_in_pieces_of_any_size() {
    let mut fixture = Fixture::new("list", &[]);
    let all = ["dirlink", "file", "link", "sub"];
    assert_eq!(fixture.names(0, 64 << 10), all);
    assert_eq!(fixture.names(0, 200), all);
    let small = fixture.files.read_dir(&fixture.ram, 0, 0, BUF, 16);
    assert_eq!(small, Err(Errno::INVAL));
}

#[test]
fn hidden_paths_do_not_exist() {
    let mut fixture = Fixture::new("hide", &["/sub", "/later"]);
    assert_eq!(fixture.lookup(0, "sub"), Err(Errno::NOENT));
    assert_eq!(fixture.lookup(0, "sub/deep/leaf"), Err(Errno::NOENT));
    std::fs::write(fixture.dir.join("later"), b"").unwrap();
    assert_eq!(fixture.lookup(0, "later"), Err(Errno::NOENT));
    assert_eq!(fixture.names(0, 64 << 10), ["dirlink", "file", "link"]);
    assert!(fixture.lookup(0, "file").is_ok());
    assert_eq!(fixture.lookup(0, "dirlink/deep"), Err(Errno::LOOP));
}

#[test]
fn procfs_is_not_served() {
    let mut files = Files::new(Path::new("/"), &[], 128).unwrap();
    let ram = GuestRam::new(4 << 20, u64::MAX).unwrap();
    let mut lookup = |path: &str| {
        ram.write(PATH, path.as_bytes()).unwrap();
        files.lookup(&ram, 0, PATH, path.len() as u64, ATTR)
    };
    assert_eq!(lookup("proc/1/environ"), Err(Errno::NOENT));
    let proc = lookup("proc").unwrap();
    assert_eq!(files.read_dir(&ram, proc, 0, BUF, 4096), Ok(0));
    assert!(Files::new(Path::new("/proc/1"), &[], 128).is_err());
}

#[test]
fn bad_addresses_and_lengths_are_errors() {
    let mut fixture = Fixture::new("bad", &[]);
    let end = fixture.ram.bytes();
    let ram = &fixture.ram;
    let files = &mut fixture.files;
    assert_eq!(files.lookup(ram, 0, end - 2, 8, ATTR), Err(Errno::FAULT));
    assert_eq!(
        files.lookup(ram, 0, PATH, u64::MAX, ATTR),
        Err(Errno::NAMETOOLONG)
    );
    assert_eq!(files.lookup(ram, 0, PATH, 4, ATTR), Err(Errno::INVAL));
    ram.write(PATH, b"file").unwrap();
    assert_eq!(files.lookup(ram, 99, PATH, 4, ATTR), Err(Errno::BADF));
    assert_eq!(files.lookup(ram, 0, PATH, 4, u64::MAX), Err(Errno::FAULT));
    let handle = files.lookup(ram, 0, PATH, 4, ATTR).unwrap();
    for (addr, len) in [(end, 1), (u64::MAX, u64::MAX), (0, u64::MAX)] {
        ram.write(IOV, [Region { addr, len }].as_bytes()).unwrap();
        assert_eq!(files.read(ram, handle, 0, IOV, 1), Err(Errno::FAULT));
    }
    assert_eq!(files.read(ram, handle, 0, IOV, 513), Err(Errno::INVAL));
    assert_eq!(files.read(ram, handle, u64::MAX, IOV, 0), Ok(0));
    assert_eq!(files.read_dir(ram, 0, 0, BUF, u64::MAX), Err(Errno::FAULT));
    assert_eq!(files.get_attr(ram, handle, end), Err(Errno::FAULT));
}

#[test]
fn the_table_is_bounded() {
    let mut fixture = Fixture::new("bound", &[]);
    let mut last = Ok(0);
    for _ in 0..200 {
        last = fixture.lookup(0, "file");
    }
    assert_eq!(last, Err(Errno::MFILE));
    fixture.files.close(5).unwrap();
    assert_eq!(fixture.lookup(0, "file"), Ok(5));
}
