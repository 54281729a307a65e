//! Simulcast in offers (RFC 8853, RFC 8851): of the layers that a publisher offers, those that are taken.

/// Browsers and OBS send no more, and each costs a ring.
pub(super) const LAYERS_MAX: usize = 3;
/// RFC 8852 §3.1 lets them be longer; nobody's are.
const RID_BYTES_MAX: usize = 16;
/// The library tells layers apart by so much of their names.
const RID_BYTES_TOLD: usize = 8;

/// The offer with at most so many layers as are taken, by names that can be told apart, and in words that every parser knows.
/// One layer alone is none. Only the first section of pictures may have any.
pub(super) fn limited(offer: &str) -> String {
    let mut kept = String::with_capacity(offer.len());
    let mut is_taken = false;
    for section in sections(offer) {
        let wanted = match section.starts_with("m=video") && !is_taken {
            true => layers(section),
            false => Vec::new(),
        };
        is_taken |= !wanted.is_empty();
        let others = section.lines().filter(|line| !is_of_layers(line));
        kept.extend(others.flat_map(|line| [line, "\r\n"]));
        if !wanted.is_empty() {
            kept.extend(wanted.iter().map(|rid| format!("a=rid:{rid} send\r\n")));
            kept.push_str(&format!("a=simulcast:send {}\r\n", wanted.join(";")));
        }
    }
    kept
}

/// The names of the layers that an offer, once limited, has; in its order.
pub(super) fn offered(limited: &str) -> Vec<String> {
    sections(limited).flat_map(layers).map(str::to_owned).collect()
}

fn is_of_layers(line: &str) -> bool {
    line.starts_with("a=rid:") || line.starts_with("a=simulcast:")
}

/// What stands before the first section of media, and each of these.
fn sections(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("m=").map(|(at, _)| at);
    let starts = starts.filter(|at| *at > 0 && text.as_bytes().get(at - 1) == Some(&b'\n'));
    let bounds: Vec<usize> = std::iter::once(0).chain(starts).chain([text.len()]).collect();
    let between = move |pair: &[usize]| match pair {
        [from, to] => text.get(*from..*to),
        _ => None,
    };
    let found: Vec<&str> = bounds.windows(2).filter_map(between).collect();
    found.into_iter()
}

/// The layers of one section that are taken.
fn layers(section: &str) -> Vec<&str> {
    let declared = |rid: &str| {
        section.lines().filter_map(|line| line.strip_prefix("a=rid:")).any(|line| {
            let mut words = line.split(' ');
            words.next() == Some(rid) && words.next() == Some("send")
        })
    };
    let list = section.lines().find_map(|line| line.strip_prefix("a=simulcast:"));
    let mut words = list.unwrap_or_default().split(' ').filter(|word| !word.is_empty());
    // A direction and its list, and perhaps the other direction.
    let sent = words.find(|word| *word == "send").and_then(|_| words.next()).unwrap_or_default();
    let mut taken: Vec<&str> = Vec::new();
    // Of alternatives the first; `~` says that it is not sent at first.
    let firsts = sent.split(';').filter_map(|layer| layer.split(',').next());
    for rid in firsts.map(|layer| layer.strip_prefix('~').unwrap_or(layer)) {
        let told = |rid: &str| rid.get(..RID_BYTES_TOLD).unwrap_or(rid).to_owned();
        let is_name =
            (1..=RID_BYTES_MAX).contains(&rid.len()) && rid.bytes().all(|b| b.is_ascii_alphanumeric());
        if is_name && declared(rid) && taken.iter().all(|known| told(known) != told(rid)) {
            taken.push(rid);
        }
        if taken.len() == LAYERS_MAX {
            break;
        }
    }
    if taken.len() > 1 { taken } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(rids: &str, list: &str) -> String {
        format!(
            "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n{rids}{list}"
        )
    }

    fn rid_lines(rids: &[&str]) -> String {
        rids.iter().map(|rid| format!("a=rid:{rid} send\r\n")).collect()
    }

    #[test]
    fn three_layers_are_taken_as_they_are() {
        let chromium = offer(&rid_lines(&["l", "m", "h"]), "a=simulcast:send l;m;h\r\n");
        assert_eq!(limited(&chromium), chromium);
        assert_eq!(offered(&chromium), ["l", "m", "h"]);
    }

    #[test]
    fn restrictions_pauses_and_alternatives_are_left_out() {
        let told = offer(
            "a=rid:a send pt=96;max-width=640\r\na=rid:b send\r\na=rid:c send\r\n",
            "a=simulcast:send ~a;b,c\r\n",
        );
        assert_eq!(limited(&told), offer(&rid_lines(&["a", "b"]), "a=simulcast:send a;b\r\n"));
    }

    #[test]
    fn what_is_too_much_or_cannot_be_told_apart_is_left_out() {
        let many: Vec<String> = (0..500).map(|n| format!("r{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let bomb = offer(&rid_lines(&many), &format!("a=simulcast:send {}\r\n", many.join(";")));
        assert_eq!(offered(&limited(&bomb)), ["r0", "r1", "r2"]);
        for (rids, list, taken) in [
            (rid_lines(&["a", "a", "b"]), "a=simulcast:send a;a;b\r\n", vec!["a", "b"]),
            (
                rid_lines(&["abcdefgh1", "abcdefgh2", "b"]),
                "a=simulcast:send abcdefgh1;abcdefgh2;b\r\n",
                vec!["abcdefgh1", "b"],
            ),
            (rid_lines(&["a-b", "_", "c"]), "a=simulcast:send a-b;_;c\r\n", vec![]),
            (rid_lines(&["a"]), "a=simulcast:send a;b;c\r\n", vec![]),
            (rid_lines(&["a", "b"]), "", vec![]),
            (rid_lines(&["a", "b"]), "a=simulcast:recv a;b\r\n", vec![]),
            (rid_lines(&["a", "b"]), "a=simulcast: send rid=a;b\r\n", vec![]),
            (String::new(), "a=simulcast:send ;;;,,~\r\n", vec![]),
        ] {
            let told = limited(&offer(&rids, list));
            assert_eq!(offered(&told), taken, "{rids}{list}");
            assert_eq!(told.contains("a=rid:"), !taken.is_empty(), "{told}");
            assert_eq!(told, limited(&told), "once is enough");
        }
    }

    #[test]
    fn only_the_first_pictures_come_in_layers() {
        let video =
            format!("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{}a=simulcast:send a;b\r\n", rid_lines(&["a", "b"]));
        let told = limited(&format!("v=0\r\n{video}{video}"));
        assert_eq!(told.matches("a=simulcast:").count(), 1);
        assert_eq!(told.matches("m=video").count(), 2);
        assert!(!limited(&video.replace("m=video", "v=0\r\nm=audio")).contains("simulcast"));
    }
}
