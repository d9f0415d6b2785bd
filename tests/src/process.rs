//! Child processes that are sent signals and never outlive their test.

use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};

/// A running process; it is killed when this is dropped.
pub struct Process(Child);

impl Process {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it cannot be started. So it is with the methods below: a test that cannot go on fails.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("the process starts"))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// What it prints, where its output was piped; once.
    pub fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().expect("its output is piped and not taken yet")
    }

    /// What it says on its standard error, where that was piped; once.
    pub fn stderr(&mut self) -> ChildStderr {
        self.0.stderr.take().expect("its standard error is piped and not taken yet")
    }

    /// Sends it a signal by name: `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .expect("there is a `kill`");
        assert!(status.success(), "the signal {name} was not sent");
    }

    /// Kills it as the kernel does (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        self.0.kill().expect("it can be killed");
        self.wait();
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.0.wait().expect("it can be waited for")
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("it can be asked")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
