//! Keys for a machine's keyboard, written as Packer's `boot_command` writes them: text as it is, and what has no letter
//! between angle brackets, as in `root<enter><wait5s>reboot<leftAltOn><f2><leftAltOff>`.
//!
//! What Packer has not got is `<until "TEXT">`: a machine is waited for until its console says so, and not for as long as it took
//! on somebody's laptop. The layout is that of a US keyboard, which is what firmware and installers begin with.

use std::time::Duration;

use kverify_checks::console::plain;
use qapi::qmp::{self as command, QKeyCode};

use super::{Machine, MachineError};
use crate::span::span;

/// From one key to the next: a guest has room for few that it has not read yet.
const BETWEEN: Duration = Duration::from_millis(100);
/// How often the console is looked at for a text.
const LOOK: Duration = Duration::from_millis(100);
/// The longest wait that can be written.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// `<wait>` without a number, as Packer takes it.
const WAIT: Duration = Duration::from_secs(1);
/// Keys that only change what others mean.
const HELD: [(&str, QKeyCode); 8] = [
    ("leftalt", QKeyCode::alt),
    ("leftctrl", QKeyCode::ctrl),
    ("leftshift", QKeyCode::shift),
    ("leftsuper", QKeyCode::meta_l),
    ("rightalt", QKeyCode::alt_r),
    ("rightctrl", QKeyCode::ctrl_r),
    ("rightshift", QKeyCode::shift_r),
    ("rightsuper", QKeyCode::meta_r),
];
/// Keys without a letter.
const NAMED: [(&str, QKeyCode); 29] = [
    ("bs", QKeyCode::backspace),
    ("del", QKeyCode::delete),
    ("down", QKeyCode::down),
    ("end", QKeyCode::end),
    ("enter", QKeyCode::ret),
    ("esc", QKeyCode::esc),
    ("f1", QKeyCode::f1),
    ("f2", QKeyCode::f2),
    ("f3", QKeyCode::f3),
    ("f4", QKeyCode::f4),
    ("f5", QKeyCode::f5),
    ("f6", QKeyCode::f6),
    ("f7", QKeyCode::f7),
    ("f8", QKeyCode::f8),
    ("f9", QKeyCode::f9),
    ("f10", QKeyCode::f10),
    ("f11", QKeyCode::f11),
    ("f12", QKeyCode::f12),
    ("home", QKeyCode::home),
    ("insert", QKeyCode::insert),
    ("left", QKeyCode::left),
    ("menu", QKeyCode::menu),
    ("pagedown", QKeyCode::pgdn),
    ("pageup", QKeyCode::pgup),
    ("return", QKeyCode::ret),
    ("right", QKeyCode::right),
    ("spacebar", QKeyCode::spc),
    ("tab", QKeyCode::tab),
    ("up", QKeyCode::up),
];
/// Every character of a US keyboard: the key, and what it gives alone and with shift.
const CHARACTERS: [(QKeyCode, char, char); 48] = [
    (QKeyCode::_1, '1', '!'),
    (QKeyCode::_2, '2', '@'),
    (QKeyCode::_3, '3', '#'),
    (QKeyCode::_4, '4', '$'),
    (QKeyCode::_5, '5', '%'),
    (QKeyCode::_6, '6', '^'),
    (QKeyCode::_7, '7', '&'),
    (QKeyCode::_8, '8', '*'),
    (QKeyCode::_9, '9', '('),
    (QKeyCode::_0, '0', ')'),
    (QKeyCode::a, 'a', 'A'),
    (QKeyCode::apostrophe, '\'', '"'),
    (QKeyCode::b, 'b', 'B'),
    (QKeyCode::backslash, '\\', '|'),
    (QKeyCode::bracket_left, '[', '{'),
    (QKeyCode::bracket_right, ']', '}'),
    (QKeyCode::c, 'c', 'C'),
    (QKeyCode::comma, ',', '<'),
    (QKeyCode::d, 'd', 'D'),
    (QKeyCode::dot, '.', '>'),
    (QKeyCode::e, 'e', 'E'),
    (QKeyCode::equal, '=', '+'),
    (QKeyCode::f, 'f', 'F'),
    (QKeyCode::g, 'g', 'G'),
    (QKeyCode::grave_accent, '`', '~'),
    (QKeyCode::h, 'h', 'H'),
    (QKeyCode::i, 'i', 'I'),
    (QKeyCode::j, 'j', 'J'),
    (QKeyCode::k, 'k', 'K'),
    (QKeyCode::l, 'l', 'L'),
    (QKeyCode::m, 'm', 'M'),
    (QKeyCode::minus, '-', '_'),
    (QKeyCode::n, 'n', 'N'),
    (QKeyCode::o, 'o', 'O'),
    (QKeyCode::p, 'p', 'P'),
    (QKeyCode::q, 'q', 'Q'),
    (QKeyCode::r, 'r', 'R'),
    (QKeyCode::s, 's', 'S'),
    (QKeyCode::semicolon, ';', ':'),
    (QKeyCode::slash, '/', '?'),
    (QKeyCode::spc, ' ', ' '),
    (QKeyCode::t, 't', 'T'),
    (QKeyCode::u, 'u', 'U'),
    (QKeyCode::v, 'v', 'V'),
    (QKeyCode::w, 'w', 'W'),
    (QKeyCode::x, 'x', 'X'),
    (QKeyCode::y, 'y', 'Y'),
    (QKeyCode::z, 'z', 'Z'),
];

/// What a terminal sends for the keys without a letter that it knows.
const SENT: [(QKeyCode, &str); 26] = [
    (QKeyCode::backspace, "\x7f"),
    (QKeyCode::delete, "\x1b[3~"),
    (QKeyCode::down, "\x1b[B"),
    (QKeyCode::end, "\x1b[F"),
    (QKeyCode::esc, "\x1b"),
    (QKeyCode::f1, "\x1bOP"),
    (QKeyCode::f2, "\x1bOQ"),
    (QKeyCode::f3, "\x1bOR"),
    (QKeyCode::f4, "\x1bOS"),
    (QKeyCode::f5, "\x1b[15~"),
    (QKeyCode::f6, "\x1b[17~"),
    (QKeyCode::f7, "\x1b[18~"),
    (QKeyCode::f8, "\x1b[19~"),
    (QKeyCode::f9, "\x1b[20~"),
    (QKeyCode::f10, "\x1b[21~"),
    (QKeyCode::f11, "\x1b[23~"),
    (QKeyCode::f12, "\x1b[24~"),
    (QKeyCode::home, "\x1b[H"),
    (QKeyCode::insert, "\x1b[2~"),
    (QKeyCode::left, "\x1b[D"),
    (QKeyCode::pgdn, "\x1b[6~"),
    (QKeyCode::pgup, "\x1b[5~"),
    (QKeyCode::ret, "\r"),
    (QKeyCode::right, "\x1b[C"),
    (QKeyCode::tab, "\t"),
    (QKeyCode::up, "\x1b[A"),
];

/// Where it is typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Typist {
    /// On the machine's keyboard: its firmware, its boot loader, its screen.
    #[default]
    Keyboard,
    /// On the terminal of its serial console.
    Serial,
}

/// What is typed, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<Act>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Act {
    /// Keys that go down in this order, and up again in the other.
    Press(Vec<QKeyCode>),
    /// One key goes down, or up.
    Hold(QKeyCode, bool),
    Wait(Duration),
    /// The console says this, after the last key before it.
    Until(String),
}

/// What cannot be typed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// No key is called so.
    #[error(
        "<{0}> is no key; there are <enter>, <esc>, <tab>, <f1> …, <leftCtrlOn>, <wait5s>, <until \"TEXT\">; `<less>` types a `<`"
    )]
    Unknown(String),
    /// No key of a US keyboard gives it.
    #[error("no key of a US keyboard gives `{0}`")]
    Character(char),
    /// A bracket stays open.
    #[error("`{0}` has no `>`; `<less>` types a `<`")]
    Open(String),
    /// A wait that is none, or too long.
    #[error("<wait{0}>: a time as 5, 5s or 1m20s is wanted, of at most an hour")]
    Wait(String),
    /// A terminal has no such key.
    #[error("{0}: a terminal sends nothing for it; type it on the keyboard")]
    NotSerial(&'static str),
    /// It waits for nothing.
    #[error("<{0}>: a text between quotes is wanted, as in <until \"login:\">")]
    Until(String),
}

impl std::str::FromStr for Keys {
    type Err = KeysError;

    fn from_str(text: &str) -> Result<Self, KeysError> {
        let mut acts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            rest = if let Some(inside) = rest.strip_prefix('<') {
                let end = inside_of(inside).ok_or_else(|| KeysError::Open(rest.to_owned()))?;
                acts.push(named(&inside[..end])?);
                &inside[end + 1..]
            } else {
                acts.push(Act::Press(character(first)?));
                &rest[first.len_utf8()..]
            };
        }
        Ok(Self(acts))
    }
}

impl Keys {
    /// One after the other.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether a terminal has all of these keys.
    ///
    /// # Errors
    /// [`KeysError::NotSerial`] for the first that it has not.
    pub fn for_serial(&self) -> Result<(), KeysError> {
        let mut held = Vec::new();
        for act in &self.0 {
            match act {
                Act::Hold(QKeyCode::alt | QKeyCode::alt_r | QKeyCode::meta_l | QKeyCode::meta_r, _) => {
                    return Err(KeysError::NotSerial("Alt and Super"));
                }
                Act::Press(keys) => {
                    sent(keys, &held).ok_or(KeysError::NotSerial("a key without a letter"))?;
                }
                Act::Hold(..) | Act::Wait(_) | Act::Until(_) => {}
            }
            act.hold(&mut held);
        }
        Ok(())
    }

    /// Whether nothing is typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Act {
    /// Which keys are down after it.
    fn hold(&self, held: &mut Vec<QKeyCode>) {
        if let Self::Hold(key, down) = self {
            held.retain(|other| other != key);
            held.extend(down.then_some(*key));
        }
    }
}

/// What a terminal sends for keys that are pressed together, while these are down.
fn sent(keys: &[QKeyCode], held: &[QKeyCode]) -> Option<Vec<u8>> {
    let (key, with) = keys.split_last()?;
    let down = |wanted: [QKeyCode; 2]| with.iter().chain(held).any(|key| wanted.contains(key));
    if let Some((_, text)) = SENT.iter().find(|(known, _)| known == key) {
        return Some(text.as_bytes().to_vec());
    }
    let (_, alone, shifted) = CHARACTERS.into_iter().find(|(known, ..)| known == key)?;
    let byte = u8::try_from(if down([QKeyCode::shift, QKeyCode::shift_r]) { shifted } else { alone }).ok()?;
    Some(vec![if down([QKeyCode::ctrl, QKeyCode::ctrl_r]) { byte & 0x1f } else { byte }])
}

/// Where the bracket ends: a text between quotes may hold one.
fn inside_of(text: &str) -> Option<usize> {
    let Some((before, quoted)) = text.split_once('"').filter(|(before, _)| !before.contains('>')) else {
        return text.find('>');
    };
    let closing = quoted.find("\">")?;
    Some(before.len() + 1 + closing + 1)
}

fn character(wanted: char) -> Result<Vec<QKeyCode>, KeysError> {
    if wanted == '\n' {
        return Ok(vec![QKeyCode::ret]);
    }
    if wanted == '\t' {
        return Ok(vec![QKeyCode::tab]);
    }
    let (key, alone, _) = CHARACTERS
        .into_iter()
        .find(|(_, alone, shifted)| [*alone, *shifted].contains(&wanted))
        .ok_or(KeysError::Character(wanted))?;
    Ok(if alone == wanted { vec![key] } else { vec![QKeyCode::shift, key] })
}

fn named(name: &str) -> Result<Act, KeysError> {
    if let Some(text) = name.strip_prefix("until") {
        let text = text.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let text = text.filter(|text| !text.is_empty()).ok_or_else(|| KeysError::Until(name.to_owned()))?;
        return Ok(Act::Until(text.to_owned()));
    }
    let lower = name.to_ascii_lowercase();
    if let Some(time) = lower.strip_prefix("wait") {
        return wait(time);
    }
    let find = |list: &[(&str, QKeyCode)], name: &str| Some(list.iter().find(|(known, _)| *known == name)?.1);
    match &*lower {
        "less" => return Ok(Act::Press(character('<')?)),
        "greater" => return Ok(Act::Press(character('>')?)),
        _ => {}
    }
    if let Some(key) = find(&NAMED, &lower) {
        return Ok(Act::Press(vec![key]));
    }
    let held = |ending: &str| find(&HELD, lower.strip_suffix(ending)?);
    if let Some(key) = find(&HELD, &lower) {
        Ok(Act::Press(vec![key]))
    } else if let Some(key) = held("on") {
        Ok(Act::Hold(key, true))
    } else if let Some(key) = held("off") {
        Ok(Act::Hold(key, false))
    } else {
        Err(KeysError::Unknown(name.to_owned()))
    }
}

/// A number alone is of seconds.
fn wait(time: &str) -> Result<Act, KeysError> {
    let wrong = || KeysError::Wait(time.to_owned());
    let waited = match time {
        "" => WAIT,
        _ if time.bytes().all(|byte| byte.is_ascii_digit()) => Duration::from_secs(time.parse().map_err(|_| wrong())?),
        _ => span(time).ok_or_else(wrong)?,
    };
    if waited > LONGEST_WAIT { Err(wrong()) } else { Ok(Act::Wait(waited)) }
}

impl Machine {
    /// Types, and returns once the last key is up again, or the console has said the last text that was waited for.
    ///
    /// `waits` is told what is waited for before it goes on typing: `None` for a key or a time.
    ///
    /// # Errors
    /// [`MachineError::Monitor`] where QEMU takes no key.
    pub async fn type_keys(&self, keys: &Keys, waits: &(dyn Fn(Option<&str>) + Sync)) -> Result<(), MachineError> {
        let (mut heard, mut held) = (0, Vec::new());
        // What is waited for after the last key is nobody's business.
        let last = keys.0.iter().rposition(|act| !matches!(act, Act::Wait(_))).map_or(0, |last| last + 1);
        for act in &keys.0[..last] {
            match act {
                Act::Press(keys) => {
                    tokio::time::sleep(BETWEEN).await;
                    // Before it is sent: the answer may be there sooner than QEMU's own reply.
                    heard = self.console().heard();
                    if let Some(serial) = &self.serial {
                        serial.send(sent(keys, &held).unwrap_or_default()).await?;
                    } else {
                        let down = keys.iter().map(|key| event(*key, true));
                        self.send(down.chain(keys.iter().rev().map(|key| event(*key, false))).collect()).await?;
                    }
                }
                Act::Hold(key, down) if self.serial.is_none() => {
                    tokio::time::sleep(BETWEEN).await;
                    self.send(vec![event(*key, *down)]).await?;
                }
                Act::Hold(..) => {}
                Act::Wait(time) => tokio::time::sleep(*time).await,
                Act::Until(text) => {
                    waits(Some(text));
                    while !plain(&String::from_utf8_lossy(&self.console().since(heard))).contains(text.as_str()) {
                        tokio::time::sleep(LOOK).await;
                    }
                    waits(None);
                }
            }
            act.hold(&mut held);
        }
        Ok(())
    }

    async fn send(&self, events: Vec<command::InputEvent>) -> Result<(), MachineError> {
        self.monitor(command::input_send_event { device: None, head: None, events }).await
    }
}

fn event(key: QKeyCode, down: bool) -> command::InputEvent {
    command::InputEvent::key(command::InputKeyEvent { down, key: key.into() }.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use qapi::qmp::QKeyCode;

    use super::{Act, Keys, KeysError};

    fn acts(text: &str) -> Vec<Act> {
        text.parse::<Keys>().unwrap().0
    }

    fn wrong(text: &str) -> KeysError {
        text.parse::<Keys>().unwrap_err()
    }

    #[test]
    fn every_printable_character_of_ascii_has_its_key() {
        for character in (b' '..=b'~').map(char::from).filter(|one| *one != '<') {
            assert!(matches!(&acts(&character.to_string())[..], [Act::Press(_)]), "{character}");
        }
        assert_eq!(acts("aA"), [Act::Press(vec![QKeyCode::a]), Act::Press(vec![QKeyCode::shift, QKeyCode::a])]);
        assert_eq!(acts("<less>"), acts("<LESS>"));
        assert_eq!(acts("<less>"), [Act::Press(vec![QKeyCode::shift, QKeyCode::comma])]);
        assert_eq!(wrong("é"), KeysError::Character('é'));
    }

    #[test]
    fn what_packer_writes_is_read() {
        let wait = |seconds| Act::Wait(Duration::from_secs(seconds));
        assert_eq!(acts("<wait><wait10><wait5s><wait1m20s>"), [wait(1), wait(10), wait(5), wait(80)]);
        assert_eq!(acts("<pageUp>"), [Act::Press(vec![QKeyCode::pgup])]);
        assert_eq!(
            acts("<leftCtrlOn>x<leftCtrlOff>"),
            [Act::Hold(QKeyCode::ctrl, true), Act::Press(vec![QKeyCode::x]), Act::Hold(QKeyCode::ctrl, false)]
        );
        assert_eq!(acts("<rightAlt>"), [Act::Press(vec![QKeyCode::alt_r])]);
    }

    #[test]
    fn a_text_that_is_waited_for_may_hold_brackets() {
        assert_eq!(acts("<until \"Shell>\">x"), [Act::Until("Shell>".to_owned()), Act::Press(vec![QKeyCode::x])]);
        assert_eq!(acts("<enter>\"<tab>").len(), 3);
    }

    #[test]
    fn a_terminal_sends_bytes() {
        let bytes = |text: &str| {
            let (mut held, mut all) = (Vec::new(), Vec::new());
            for act in acts(text) {
                if let Act::Press(keys) = &act {
                    all.extend(super::sent(keys, &held).unwrap());
                }
                act.hold(&mut held);
            }
            all
        };
        assert_eq!(bytes("ls -A|<less>x<enter>"), b"ls -A|<x\r");
        assert_eq!(bytes("<leftCtrlOn>c<leftCtrlOff>c<esc><up><tab>"), b"\x03c\x1b\x1b[A\t");
        assert_eq!(bytes("<leftShiftOn>a1<leftShiftOff>a"), b"A!a");
        let all: String = (b' '..=b'~').map(char::from).filter(|one| *one != '<').collect();
        assert_eq!(bytes(&all), all.as_bytes());
        let wrong = |text: &str| text.parse::<Keys>().unwrap().for_serial().unwrap_err();
        assert_eq!(wrong("<leftAltOn>x"), KeysError::NotSerial("Alt and Super"));
        assert_eq!(wrong("<menu>"), KeysError::NotSerial("a key without a letter"));
        assert_eq!("a<leftCtrlOn>c<leftCtrlOff><wait5><f2>".parse::<Keys>().unwrap().for_serial(), Ok(()));
    }

    #[test]
    fn what_is_no_key_is_named() {
        assert_eq!(wrong("<entr>"), KeysError::Unknown("entr".to_owned()));
        assert_eq!(wrong("a<b"), KeysError::Open("<b".to_owned()));
        assert_eq!(wrong("<wait2h>"), KeysError::Wait("2h".to_owned()));
        assert_eq!(wrong("<wait-5s>"), KeysError::Wait("-5s".to_owned()));
        assert_eq!(wrong("<until login>"), KeysError::Until("until login".to_owned()));
        assert_eq!(wrong("<until \"\">"), KeysError::Until("until \"\"".to_owned()));
    }
}
