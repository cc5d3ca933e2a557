//! The standard output, as its reader can take it.

use std::io::{self, StdoutLock, Write};

use anstream::AutoStream;

use super::{Side, terminal};

/// The standard output. `is_for_people` is false for JSON and its like, of which nothing is changed.
pub fn out(is_for_people: bool) -> Out {
    Out {
        inner: anstream::stdout().lock(),
        line: Vec::new(),
        look: match is_for_people {
            true => terminal().out,
            false => Side::default(),
        },
    }
}

/// Lines on their way to the standard output: folded on a terminal, and in ASCII if that is all it has.
pub struct Out {
    inner: AutoStream<StdoutLock<'static>>,
    /// What was written since the last end of a line.
    line: Vec<u8>,
    look: Side,
}

impl Out {
    fn is_plain(&self) -> bool {
        self.look.width.is_none() && !self.look.is_ascii
    }

    fn put(&mut self) -> io::Result<()> {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (&*line, ""),
        };
        let text = self.look.fold(line).join("\n") + end;
        self.inner.write_all(text.as_bytes())
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_plain() {
            return self.inner.write(bytes);
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.put()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            self.put()?;
        }
        self.inner.flush()
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        // Whoever wants to know of a failure has flushed.
        let _ = self.flush();
    }
}
