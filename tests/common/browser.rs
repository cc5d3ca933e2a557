//! A headless Chromium, driven over the DevTools protocol: messages of JSON on a web socket.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// The browser that Debian's package installs.
const CHROMIUM: &str = "chromium";

/// Whether there is no browser. A test that needs one says that it is skipped, but not in CI, which has one.
pub fn no_browser(test: &str) -> bool {
    let missing = Command::new(CHROMIUM).arg("--version").output().is_err();
    if missing {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "{test} needs {CHROMIUM}: .ci/chromium installs it");
        eprintln!("skipped: {test} needs {CHROMIUM}");
    }
    missing
}

/// One page in a browser of its own.
pub struct Browser {
    process: Child,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    calls: u64,
    /// What the page has done so far: the events of the protocol.
    pub events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser and opens a file in it.
    pub fn open(file: &Path) -> Browser {
        let profile = TempDir::new().expect("a folder for the browser");
        let mut process = Command::new(CHROMIUM)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args(["--remote-debugging-port=0", "--window-size=1600,1000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the browser starts");
        let address = address(&mut process);
        let host = address.trim_start_matches("ws://").split('/').next();
        let stream = TcpStream::connect(host.expect("a host")).expect("the browser listens");
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).expect("a timeout");
        let (socket, _) = tungstenite::client(address, stream).expect("a web socket");
        let mut browser = Browser {
            process,
            socket,
            session: None,
            calls: 0,
            events: Vec::new(),
            _profile: profile,
        };
        browser.attach();
        let url = format!("file://{}", file.display());
        browser.call("Page.navigate", json!({"url": url}));
        browser.wait_for("Page.loadEventFired");
        browser
    }

    /// Opens an empty page, and listens to what it does.
    fn attach(&mut self) {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let flat = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", flat);
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
    }

    /// Asks something of the browser, and waits for the answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        let call = Message::text(call.to_string());
        self.socket.send(call).expect("the browser reads");
        loop {
            let mut message = self.read();
            if message["id"] == self.calls {
                assert_eq!(message["error"], Value::Null, "{method}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    fn read(&mut self) -> Value {
        let message = self.socket.read().expect("the browser answers in time");
        let text = message.into_text().expect("text");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    fn wait_for(&mut self, event: &str) {
        while !self.events.iter().any(|seen| seen["method"] == event) {
            let message = self.read();
            self.events.push(message);
        }
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", asked);
        assert_eq!(answer["exceptionDetails"], Value::Null, "{expression}");
        answer["result"]["value"].take()
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", json!({"type": kind, "key": key}));
        }
    }

    /// The addresses that were asked for.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.events.iter();
        requests
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .filter_map(|event| event["params"]["request"]["url"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// What the page or the browser complains about.
    pub fn complaints(&self) -> Vec<&Value> {
        let is_one = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Log.entryAdded") => true,
            Some("Runtime.consoleAPICalled") => ["error", "warning", "assert"]
                .iter()
                .any(|kind| event["params"]["type"] == *kind),
            _ => false,
        };
        self.events.iter().filter(is_one).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where it listens; it says so itself.
fn address(process: &mut Child) -> String {
    let output = BufReader::new(process.stderr.take().expect("its output"));
    let mut lines = output.lines().map_while(Result::ok);
    let said = lines.find_map(|line| Some(line.split_once("DevTools listening on ")?.1.to_owned()));
    let address = said.expect("the browser says where it listens");
    // What it says later is read and dropped, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    address
}
