//! A program on a pseudo terminal, and what the terminal shows.

use std::{
    fs::File,
    io::{self, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, ExitStatus},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use crate::screen::Screen;
use cairn_tests::wait_for;

/// A terminal with a program on it. Dropping it kills the program.
pub struct Terminal {
    child: Child,
    master: File,
    /// Held to see the modes, also after the end of the program.
    slave: OwnedFd,
    screen: Arc<Mutex<Screen>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

/// The modes of a terminal: input, output, control, local.
pub type Modes = [libc::tcflag_t; 4];

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Both ends of a new pseudo terminal, which children do not inherit.
fn open(columns: u16, rows: u16) -> io::Result<(File, OwnedFd)> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut master, mut slave) = (-1, -1);
    let nothing = std::ptr::null_mut;
    // SAFETY: the pointers are to variables that outlive the call; what may be null is.
    checked(unsafe { libc::openpty(&raw mut master, &raw mut slave, nothing(), nothing().cast(), &raw const size) })?;
    // SAFETY: both are open, and nobody else's.
    let ends = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    for end in [master, slave] {
        // SAFETY: sets a flag of a descriptor that is open.
        checked(unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    Ok(ends)
}

/// Makes the terminal of the standard input that of the process.
fn adopt() -> io::Result<()> {
    // SAFETY: both calls are allowed between fork and exec, and touch no memory.
    unsafe {
        checked(libc::setsid())?;
        checked(libc::ioctl(0, libc::TIOCSCTTY, 0))?;
    }
    Ok(())
}

impl Terminal {
    /// Starts a program on a new terminal of this size.
    pub fn run(mut command: Command, (columns, rows): (u16, u16)) -> Self {
        let (master, slave) = open(columns, rows).expect("a pseudo terminal can be opened");
        let end = || slave.try_clone().expect("a descriptor can be shared");
        command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm-256color");
        // SAFETY: `adopt` may run between fork and exec.
        unsafe { command.pre_exec(adopt) };
        let child = command.spawn().expect("the program can be run");
        // It holds copies of the terminal.
        drop(command);
        let screen = Arc::new(Mutex::new(Screen::new(columns, rows)));
        let stop = Arc::new(AtomicBool::new(false));
        let reader = {
            let (master, screen, stop) =
                (master.try_clone().expect("a file can be shared"), screen.clone(), stop.clone());
            std::thread::spawn(move || read(master, &screen, &stop))
        };
        Self { child, master, slave, screen, stop, reader: Some(reader) }
    }

    /// What the screen shows now.
    pub fn shows<T>(&self, look: impl FnOnce(&Screen) -> T) -> T {
        look(&self.screen.lock().expect("no thread panics with it"))
    }

    /// Waits until the screen shows a text.
    pub fn wait_for(&mut self, text: &str) {
        for _ in 0..1_000 {
            if self.shows(|screen| screen.text().contains(text)) {
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("ended with {status} before it showed {text:?}:\n{}", self.shows(Screen::text));
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("waited 20 s in vain for {text:?}:\n{}", self.shows(Screen::text));
    }

    /// Types keys.
    pub fn keys(&mut self, keys: &[u8]) {
        self.master.write_all(keys).expect("a terminal takes keys");
    }

    /// Makes it larger or smaller.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.screen.lock().expect("no thread panics with it").resize(columns, rows);
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the pointer is to a variable that outlives the call.
        checked(unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
            .expect("a terminal has a size");
    }

    /// Its modes.
    pub fn modes(&self) -> Modes {
        let mut modes = MaybeUninit::<libc::termios>::uninit();
        // SAFETY: the pointer is to a variable that outlives the call, which fills it if it succeeds.
        let modes = unsafe {
            checked(libc::tcgetattr(self.slave.as_raw_fd(), modes.as_mut_ptr())).expect("a terminal has modes");
            modes.assume_init()
        };
        [modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag]
    }

    /// Stops the output, as Ctrl-S does: the writer waits.
    pub fn stop_output(&self) {
        // SAFETY: touches no memory.
        checked(unsafe { libc::tcflow(self.slave.as_raw_fd(), libc::TCOOFF) }).expect("a terminal can be stopped");
    }

    /// The program's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: libc::c_int) {
        let pid = i32::try_from(self.child.id()).expect("a pid is positive");
        // SAFETY: touches no memory; the child was not yet waited for, so the pid is its own.
        checked(unsafe { libc::kill(pid, signal) }).expect("the program runs");
    }

    /// Closes the terminal, as if its window was.
    pub fn hang_up(mut self) -> ExitStatus {
        self.end_reader();
        // The last copy of this end.
        self.master = File::open("/dev/null").expect("it is there");
        self.ended()
    }

    /// Waits until the program has ended, at most 5 s.
    pub fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("the end of the program", 5, || child.try_wait().ok().flatten())
    }

    fn end_reader(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the terminal understands all that it is sent");
        }
    }

    /// Has the screen show all that was sent.
    pub fn settle(&mut self) {
        self.end_reader();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Shows what comes until it is told to stop and nothing comes any more.
fn read(mut master: File, screen: &Mutex<Screen>, stop: &AtomicBool) {
    let mut bytes = [0; 4_096];
    loop {
        let mut asked = libc::pollfd { fd: master.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let stopping = stop.load(Ordering::Relaxed);
        // SAFETY: the pointer is to one entry, which outlives the call.
        let ready = unsafe { libc::poll(&raw mut asked, 1, 20) };
        if ready <= 0 && stopping {
            return;
        }
        if ready > 0 {
            // An error is the end of the program, whose end of the terminal was closed.
            let Ok(count) = master.read(&mut bytes) else { return };
            screen.lock().expect("no thread panics with it").write(&bytes[..count]);
        }
    }
}
