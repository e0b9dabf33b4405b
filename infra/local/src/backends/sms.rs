//! The inbox of the SMS provider that functions send to.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Messages in the inbox; a further one removes the oldest.
const MAX_MESSAGES: usize = 10_000;

/// Digits of a verification code.
const CODE_DIGITS: usize = 6;

/// All messages.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    messages: Mutex<Messages>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Messages {
    /// The digits of the phone with each message, oldest first.
    list: VecDeque<(String, Message)>,
    ids: HashSet<String>,
    /// Messages since the start, including removed ones.
    count: u64,
}

/// A message as a function posts it.
#[derive(Debug, Deserialize)]
pub(crate) struct IncomingMessage {
    pub(crate) id: String,
    pub(crate) phone: String,
    pub(crate) text: String,
}

/// A message in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) time: Timestamp,
    pub(crate) phone: String,
    pub(crate) text: String,
    /// The first run of exactly six digits.
    pub(crate) code: Option<String>,
}

impl Inbox {
    /// Accepts a message; one with a known id is a repetition.
    pub(crate) fn accept(&self, message: IncomingMessage, time: Timestamp) {
        let IncomingMessage { id, phone, text } = message;
        let mut messages = self.messages.lock();
        if !messages.ids.insert(id.clone()) {
            return;
        }
        if messages.list.len() == MAX_MESSAGES
            && let Some((_, oldest)) = messages.list.pop_front()
        {
            messages.ids.remove(&oldest.id);
        }
        let code = code(&text).map(str::to_owned);
        let message = Message { id, time, phone, text, code };
        messages.count += 1;
        messages.list.push_back((digits(&message.phone), message));
        drop(messages);
        self.arrived.notify_waiters();
    }

    /// Messages to a phone, or to all, newest first; waits until there are `count`, and returns those there are when the time is
    /// over.
    pub(crate) async fn read(&self, phone_digits: Option<&str>, count: usize, wait: Duration) -> Vec<Message> {
        let enough = async {
            loop {
                // Registered before the check, so that a message in between is not missed.
                let mut arrived = std::pin::pin!(self.arrived.notified());
                arrived.as_mut().enable();
                let found = self.find(phone_digits);
                if found.len() >= count {
                    return found;
                }
                arrived.await;
            }
        };
        timeout(wait, enough).await.unwrap_or_else(|_| self.find(phone_digits))
    }

    /// The number of messages since the start, and those after the first `count` that are still there, oldest first.
    pub(crate) fn since(&self, count: u64) -> (u64, Vec<Message>) {
        let messages = self.messages.lock();
        let new = usize::try_from(messages.count.saturating_sub(count)).unwrap_or(usize::MAX);
        let from = messages.list.len() - new.min(messages.list.len());
        (messages.count, messages.list.range(from..).map(|(_, message)| message.clone()).collect())
    }

    /// Deletes every message.
    pub(crate) fn clear(&self) {
        *self.messages.lock() = Messages::default();
    }

    fn find(&self, phone_digits: Option<&str>) -> Vec<Message> {
        let messages = self.messages.lock();
        let newest_first = messages.list.iter().rev();
        let found = newest_first.filter(|(digits, _)| phone_digits.is_none_or(|end| digits.ends_with(end)));
        found.map(|(_, message)| message.clone()).collect()
    }
}

/// The digits of a phone number in any spelling.
pub(crate) fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

fn code(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == CODE_DIGITS)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Inbox, IncomingMessage, code, digits};

    fn sent(id: &str, phone: &str, text: &str) -> IncomingMessage {
        IncomingMessage { id: id.to_owned(), phone: phone.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_code_is_the_first_run_of_six_digits() {
        assert_eq!(code("【badge】验证码012345，5分钟内有效"), Some("012345"));
        assert_eq!(code("1234567 and 12345, then 654321."), Some("654321"));
        assert_eq!(code("no code"), None);
    }

    #[tokio::test]
    async fn a_message_sent_twice_is_there_once_and_the_newest_comes_first() {
        let inbox = Inbox::default();
        for id in ["a", "b", "a"] {
            inbox.accept(sent(id, "+8613800138000", "123456"), Timestamp::UNIX_EPOCH);
        }
        let found = inbox.read(Some(&digits("138-0013 8000")), 1, Duration::ZERO).await;
        assert_eq!(found.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(inbox.read(Some("9000"), 1, Duration::ZERO).await, []);
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_first_message() {
        let inbox = Inbox::default();
        let (found, ()) = tokio::join!(inbox.read(Some("8000"), 1, Duration::from_mins(1)), async {
            inbox.accept(sent("a", "+8613800139000", "other"), Timestamp::UNIX_EPOCH);
            inbox.accept(sent("b", "+8613800138000", "123456"), Timestamp::UNIX_EPOCH);
        });
        assert_eq!(found[0].code.as_deref(), Some("123456"));
        assert_eq!(inbox.read(Some("7000"), 1, Duration::from_millis(1)).await, []);
    }
}
