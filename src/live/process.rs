//! One QEMU process: started without a display, stopped whatever happens.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::binary::Binary;
use super::text;

/// A running QEMU. It is killed when the value is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What it prints: qemu-io lines come out here, not in the reply.
    printed: File,
    /// How much of that was taken, in bytes.
    taken: u64,
    complaints: PathBuf,
}

/// The machine it emulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// No machine: enough as long as no drive needs a device.
    None,
    /// A PC whose firmware halts at once.
    Pc,
}

impl Machine {
    /// The word on QEMU's command line.
    pub fn name(self) -> &'static str {
        match self {
            Machine::None => "none",
            Machine::Pc => "pc",
        }
    }
}

/// What QEMU says of its own accord until we come: no complaint.
const WAITS: &str = "info: QEMU waiting for connection on: ";

/// Four bytes at the reset vector of a PC: `cli; hlt; jmp` back to the `hlt`.
const HALT: [u8; 4] = [0xfa, 0xf4, 0xeb, 0xfd];
/// The size of the firmware, in bytes; it ends at the end of the address space.
const FIRMWARE_BYTES: usize = 64 << 10;
/// Where a processor starts, in bytes before that end.
const RESET_VECTOR_FROM_END: usize = 16;

impl Process {
    /// Starts QEMU with a QMP server at `socket`; its files lie in `folder`.
    ///
    /// # Errors
    /// What to print: the program cannot be started, or a file cannot be written.
    pub fn start(
        binary: &Binary,
        folder: &Path,
        socket: &Path,
        machine: Machine,
        arguments: &[String],
    ) -> Result<Process, String> {
        let (out, complaints) = (folder.join("stdout"), folder.join("stderr"));
        let file = |path: &Path| {
            File::create(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let (stdout, stderr) = (file(&out)?, file(&complaints)?);
        let mut command = dying_with_us(&binary.qemu);
        if let Some(firmware) = &binary.firmware {
            command.arg("-L").arg(firmware);
        }
        command.args([
            "-nodefaults",
            "-display",
            "none",
            "-machine",
            machine.name(),
        ]);
        if machine == Machine::Pc {
            let bios = folder.join("halt.bin");
            std::fs::write(&bios, firmware_that_halts())
                .map_err(|error| format!("{}: {error}", bios.display()))?;
            command.args(["-accel", "tcg", "-bios", &text(&bios)]);
        }
        // It waits for us before it makes its monitor: who comes while the monitor is being made is sometimes greeted
        // twice, and sometimes never.
        command.args(["-qmp", &format!("unix:{},server=on,wait=on", text(socket))]);
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(|error| format!("{}: cannot be started: {error}", binary.qemu.display()))?;
        let printed = File::open(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        Ok(Process {
            child,
            printed,
            taken: 0,
            complaints,
        })
    }

    /// The lines it has printed since this was asked the last time.
    pub fn take_printed(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        let read = self
            .printed
            .seek(SeekFrom::Start(self.taken))
            .and_then(|_| self.printed.read_to_end(&mut bytes));
        self.taken += read.unwrap_or_default() as u64;
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::to_owned).collect()
    }

    /// What it complained about on its standard error output.
    pub fn complaints(&self) -> String {
        let bytes = std::fs::read(&self.complaints).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains(WAITS)).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Whether it has ended: its exit code, or the negative number of the signal that killed it.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().ok()??;
        Some(
            status
                .code()
                .or_else(|| status.signal().map(|signal| -signal))
                .unwrap_or(-1),
        )
    }

    /// Whether one of its threads runs, waits for a processor, or waits for a disk: its silence then means nothing. Nobody
    /// is known to be busy where there is no `/proc`.
    pub fn is_busy(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let mut tasks = tasks.into_iter().flatten().flatten();
        tasks.any(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            // `ID (NAME) STATE …`, and a name may hold anything.
            let state = stat
                .rsplit(')')
                .next()
                .and_then(|rest| rest.trim_start().chars().next());
            matches!(state, Some('R' | 'D'))
        })
    }

    /// Waits for its end; kills it if there is none for so long.
    pub fn wait(&mut self, at_most: Duration) -> i32 {
        let until = Instant::now() + at_most;
        loop {
            if let Some(code) = self.ended() {
                return code;
            }
            if Instant::now() >= until {
                self.kill();
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it (SIGKILL); it has ended soon after.
    pub fn kill(&mut self) {
        // That it has ended already is what was wanted.
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// A command whose process is killed when we are, by `setpriv` of util-linux where there is one.
fn dying_with_us(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

fn firmware_that_halts() -> Vec<u8> {
    let mut bytes = vec![0; FIRMWARE_BYTES];
    let start = FIRMWARE_BYTES - RESET_VECTOR_FROM_END;
    bytes[start..start + HALT.len()].copy_from_slice(&HALT);
    bytes
}
