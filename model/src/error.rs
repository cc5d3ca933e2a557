//! The two kinds of failure that the outside sees: a refused QMP command and a failed request.
//!
//! Both are protocol facts, so their texts are exact. Mistakes of a scenario's author are not
//! errors of this kind; neither are our own, which are assertions.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Why a QMP command was refused: the `error` member of its reply.
///
/// QEMU: `Error`, as `qmp_error_response` puts it on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QmpError {
    /// The coarse kind, meant for programs.
    pub class: ErrorClass,
    /// The sentence, meant for people.
    pub desc: Arc<str>,
}

impl QmpError {
    /// An error of the given class.
    ///
    /// QEMU: `error_set`.
    pub fn new(class: ErrorClass, desc: impl Into<String>) -> QmpError {
        QmpError {
            class,
            desc: desc.into().into(),
        }
    }

    /// An error without a class of its own, which is nearly every one.
    ///
    /// QEMU: `error_setg`.
    pub fn generic(desc: impl Into<String>) -> QmpError {
        QmpError::new(ErrorClass::GenericError, desc)
    }
}

impl fmt::Display for QmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.desc)
    }
}

impl std::error::Error for QmpError {}

/// The classes of errors on the wire; it displays as the wire's name.
///
/// QEMU: `QapiErrorClass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Everything that has no class of its own.
    GenericError,
    /// No such command, or not now.
    CommandNotFound,
    /// The device or its job is not active.
    DeviceNotActive,
    /// No such device.
    DeviceNotFound,
    /// KVM lacks a capability.
    KVMMissingCap,
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorClass::GenericError => "GenericError",
            ErrorClass::CommandNotFound => "CommandNotFound",
            ErrorClass::DeviceNotActive => "DeviceNotActive",
            ErrorClass::DeviceNotFound => "DeviceNotFound",
            ErrorClass::KVMMissingCap => "KVMMissingCap",
        })
    }
}

/// Why a request failed: an error number of Linux, positive here where QEMU returns `-errno`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errno {
    /// 5, what an injected error is unless a rule says otherwise.
    Eio,
    /// 28, which the policies `enospc` and `auto` single out.
    Enospc,
    /// 125, a cancelled job.
    Ecanceled,
    /// 95.
    Enotsup,
    /// 1.
    Eperm,
    /// 22.
    Einval,
    /// 12.
    Enomem,
    /// Any other; made by [`Errno::from_number`], which keeps each number in one variant.
    Other(i32),
}

impl Errno {
    const KNOWN: [(Errno, i32, &'static str); 7] = [
        (Errno::Eio, 5, "Input/output error"),
        (Errno::Enospc, 28, "No space left on device"),
        (Errno::Ecanceled, 125, "Operation canceled"),
        (Errno::Enotsup, 95, "Operation not supported"),
        (Errno::Eperm, 1, "Operation not permitted"),
        (Errno::Einval, 22, "Invalid argument"),
        (Errno::Enomem, 12, "Cannot allocate memory"),
    ];

    /// The error with this (positive) number.
    pub fn from_number(number: i32) -> Errno {
        let known = Errno::KNOWN.iter().find(|row| row.1 == number);
        known.map_or(Errno::Other(number), |row| row.0)
    }

    /// Its (positive) number on Linux.
    pub fn number(self) -> i32 {
        match self {
            Errno::Other(number) => number,
            named => Errno::row(named).1,
        }
    }

    /// The sentence that `strerror` has for it, which becomes the `error` of a failed job.
    pub fn text(self) -> Cow<'static, str> {
        match self {
            Errno::Other(number) => format!("Unknown error {number}").into(),
            named => Errno::row(named).2.into(),
        }
    }

    fn row(named: Errno) -> (Errno, i32, &'static str) {
        let row = Errno::KNOWN.into_iter().find(|row| row.0 == named);
        row.expect("every named error has its row")
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The error's text, to keep in a job or an event.
pub fn text(errno: Errno) -> Arc<str> {
    Arc::from(&*errno.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_on_the_wire() {
        let error = QmpError::generic("Node 'x' not found");
        assert_eq!(error.to_string(), "GenericError: Node 'x' not found");
        let error = QmpError::new(ErrorClass::DeviceNotActive, "No");
        assert_eq!(error.to_string(), "DeviceNotActive: No");
    }

    #[test]
    fn numbers_and_errors_are_the_same_thing() {
        for number in 0..200 {
            assert_eq!(Errno::from_number(number).number(), number);
        }
        for (error, number, text) in Errno::KNOWN {
            assert_eq!(Errno::from_number(number), error);
            assert_eq!(error.text(), text);
        }
        assert_eq!(Errno::from_number(999).text(), "Unknown error 999");
    }
}
