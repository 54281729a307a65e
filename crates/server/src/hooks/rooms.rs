//! What happens in rooms, told; and lines of chat, asked about before they are delivered.

use media::Path;
use room::Verdict;

use super::event::{Event, InRoom, Kind};
use super::{Hooks, Told};
use crate::config;

impl Hooks {
    /// Tells of something that has happened in a room and is written down.
    pub(crate) fn tell_of_room(&self, event: config::Event, path: Path, room: InRoom) {
        let told = Told { path, who: None, moved: None, room: Some(Box::new(room)) };
        self.tell(event, told, |hook| !hook.is_asked(event));
    }

    /// Whether anybody would be told of this, so that nothing is made for nobody.
    pub(crate) fn has_any(&self) -> bool {
        !self.0.current.load().hooks.is_empty()
    }

    /// What becomes of a line of chat: every hook that is asked about chat must agree, and each is asked about what the ones
    /// before it made of the line. Where there is none, nobody has judged it.
    pub(crate) async fn judge(&self, path: Path, mut room: InRoom) -> Verdict {
        let set = self.0.current.load_full();
        let chat = config::Event::Chat;
        let asked = set.hooks.iter().filter(|hook| hook.is_asked(chat) && hook.wants(chat, &path));
        let (mut has_judge, mut verdict) = (false, Verdict::Deliver);
        for hook in asked {
            has_judge = true;
            let mut event = Event::new(Kind::Of(chat), path.clone(), None);
            event.room = Some(Box::new(room.clone()));
            match self.put(&set, hook, event).await {
                Err(_) => return Verdict::Refuse,
                Ok(None) => {}
                Ok(Some(text)) => {
                    room.text = Some(text.clone());
                    verdict = Verdict::Instead(text);
                }
            }
        }
        if !has_judge {
            tracing::warn!(%path, "nothing is said in a moderated room without a hook that is asked about chat");
            return Verdict::Refuse;
        }
        verdict
    }
}
