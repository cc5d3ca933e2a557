//! Who is still there: while processes search, each says so to each other once a second.
//!
//! A peer that dies closes its connection at once; one that hangs, or whose machine is gone, says nothing. Timely
//! itself would panic in the first case, and wait for ever in the second.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// How often a process says that it is there.
const EVERY: Duration = Duration::from_secs(1);

/// It is there.
const HERE: u8 = 1;

/// It has the result, and will go.
const DONE: u8 = 2;

/// The lifelines of a process.
pub struct Lifelines {
    streams: Vec<TcpStream>,
    done: Arc<AtomicBool>,
}

/// What happens when a process is gone: its number, and how that was noticed.
pub type Lost = dyn Fn(usize, &str) + Send + Sync;

impl Lifelines {
    /// Watches the streams, in the order of the processes. `lost` is called, from another thread, with the number of
    /// a process that is gone before it was done, and with how that is known; silence for `patience` is one way.
    ///
    /// # Errors
    ///
    /// What the system says when it cannot be done.
    pub fn watch(
        streams: Vec<Option<TcpStream>>,
        patience: Duration,
        lost: Arc<Lost>,
    ) -> std::io::Result<Lifelines> {
        let done = Arc::new(AtomicBool::new(false));
        let mut kept = Vec::new();
        let streams = streams.into_iter().enumerate();
        for (number, stream) in streams.filter_map(|(number, stream)| Some((number, stream?))) {
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            let (listener, speaker) = (stream.try_clone()?, stream.try_clone()?);
            let lost = Arc::clone(&lost);
            thread::spawn(move || listen(listener, patience, &|how| lost(number, how)));
            let done = Arc::clone(&done);
            thread::spawn(move || speak(speaker, &done));
            kept.push(stream);
        }
        Ok(Lifelines {
            streams: kept,
            done,
        })
    }

    /// Says that we have the result: whoever is gone from now on is no loss, here and there.
    pub fn finish(mut self) {
        self.done.store(true, Relaxed);
        for stream in &mut self.streams {
            // Whoever does not hear it has heard the result.
            let _ = stream.write_all(&[DONE]);
        }
    }
}

fn listen(mut stream: TcpStream, patience: Duration, lost: &dyn Fn(&str)) {
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(0) => return lost("it ended"),
            Ok(_) if byte[0] == DONE => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return lost(&format!("nothing was heard from it for {patience:?}"));
            }
            Err(error) => return lost(&error.to_string()),
        }
    }
}

fn speak(mut stream: TcpStream, done: &AtomicBool) {
    // Whoever listens will notice first that the connection is gone.
    while !done.load(Relaxed) && stream.write_all(&[HERE]).is_ok() {
        thread::sleep(EVERY);
    }
}
