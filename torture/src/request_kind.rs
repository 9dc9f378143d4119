use crate::clock::Moment;
use crate::rng::Dice;

/// How a request is to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By `net.http_get`. At least once, as the next two.
    Get,
    /// By `net.http_post`.
    Post,
    /// With several attempts.
    Retried,
    /// At most once.
    AtMostOnce,
}

/// Attempts of [`Kind::Retried`].
pub(crate) const ATTEMPTS: usize = 5;

impl Kind {
    /// One of them. The plain ones are the most.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        dice.pick(&[Self::Get, Self::Post, Self::Post, Self::Retried, Self::AtMostOnce])
    }

    /// Whether it can be told to wait for a time.
    pub(crate) fn can_wait(self) -> bool {
        matches!(self, Self::Retried | Self::AtMostOnce)
    }

    /// The statement that asks for it.
    pub(crate) fn call(self, url: &str, not_before: Option<Moment>) -> String {
        let more = match self {
            Self::Get => return format!("select net.http_get('{url}', timeout_milliseconds := 60000)"),
            Self::Post => return format!("select net.http_post('{url}', timeout_milliseconds := 60000)"),
            Self::Retried => format!("max_attempts := {ATTEMPTS}"),
            Self::AtMostOnce => "delivery := 'at_most_once'".to_owned(),
        };
        let not_before = not_before.map_or_else(
            || "null".to_owned(),
            |moment| format!("timestamptz 'epoch' + interval '{moment} microseconds'"),
        );
        format!(
            "select net.http_request('POST', '{url}', '{{}}'::jsonb, timeout_milliseconds := 60000, \
             not_before := {not_before}, {more})"
        )
    }
}
