//! What members cost: memory of 5,000 idle ones in 200 rooms, and 1,000 lines of chat a second. Figures are in
//! docs/benchmarks.md. It wants a machine that does nothing else, so it runs where `OPENMIC_MEASURE` is set.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use e2e::folder::Folder;
use e2e::room::{Member, ask_at, token};
use serde_json::json;
use tokio::task::JoinSet;

use crate::killed::start;

const ROOMS: usize = 200;
const MEMBERS: usize = 5_000;
const IDLE_BYTES_MAX: usize = 40 << 10;
/// Lines a second, and for how long.
const LINES: usize = 1_000;
const SECONDS: usize = 5;

fn resident_bytes(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes << 10
}

fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: f64 =
        fields[11].parse::<f64>().expect("a number") + fields[12].parse::<f64>().expect("a number");
    ticks / 100.0
}

async fn room(http: SocketAddr, n: usize) -> Vec<Member> {
    let id = format!("r{n}");
    let made = ask_at(http, "POST", "/api/v1/rooms", &json!({ "id": id, "template": "class-large" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let mut members = Vec::new();
    for user in 0..MEMBERS / ROOMS {
        let role = if user == 0 { "host" } else { "guest" };
        let token = token(http, &id, &format!("user-{n}-{user}"), role).await;
        members.push(Member::join(http, &id, &token).await);
    }
    members
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_idle_members_and_a_thousand_lines_a_second() {
    if std::env::var_os("OPENMIC_MEASURE").is_none() {
        return;
    }
    let folder = Folder::new();
    let data = folder.path().join("data");
    let config = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[rtmp]\nlisten = \"127.0.0.1:0\"\n[data]\ndir = {:?}\n\
         [api]\nrequests_per_second = 100000\nburst = 100000\n",
        data.display().to_string()
    );
    folder.write("openmic.toml", &config);
    let (child, http) = start(folder.path()).await;
    let process = child.id().expect("it runs");
    // What the first of everything costs is not the members'.
    drop(room(http, ROOMS).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = resident_bytes(process);
    let began = Instant::now();
    let mut joining = JoinSet::new();
    let mut rooms = Vec::new();
    for n in 0..ROOMS {
        joining.spawn(room(http, n));
        if joining.len() >= 8 {
            rooms.extend(joining.join_next().await.transpose().expect("it joins"));
        }
    }
    rooms.extend(joining.join_all().await);
    let joined = began.elapsed();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let each = resident_bytes(process).saturating_sub(before) / MEMBERS;
    println!("{MEMBERS} members joined in {joined:.1?}; {each} bytes each");

    let cpu = cpu_seconds(process);
    let began = Instant::now();
    let mut talking = JoinSet::new();
    for members in rooms {
        talking.spawn(talk(members));
    }
    let mut delays: Vec<Duration> = talking.join_all().await.into_iter().flatten().collect();
    let (took, cpu) = (began.elapsed(), cpu_seconds(process) - cpu);
    delays.sort_unstable();
    let at = |percent: usize| delays[delays.len() * percent / 100 - 1];
    println!(
        "{} lines in {took:.1?}, to {} readers each; acknowledged p50 {:?}, p95 {:?}, p99 {:?}; {cpu:.1} s of CPU",
        delays.len(),
        MEMBERS / ROOMS,
        at(50),
        at(95),
        at(99)
    );
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes a member");
    assert_eq!(delays.len(), LINES * SECONDS, "every line is acknowledged");
    assert!(took < Duration::from_secs(2 * SECONDS as u64), "{took:?}");
}

/// Five members of each room say a line a second; all others read.
async fn talk(members: Vec<Member>) -> Vec<Duration> {
    let mut talking = JoinSet::new();
    for (at, mut member) in members.into_iter().enumerate() {
        talking.spawn(async move {
            let mut delays = Vec::new();
            if at >= LINES / ROOMS {
                let until = Instant::now() + Duration::from_secs(SECONDS as u64);
                while Instant::now() < until {
                    let _ = tokio::time::timeout(Duration::from_millis(200), member.next_text()).await;
                }
                return delays;
            }
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            for _ in 0..SECONDS {
                tick.tick().await;
                let said = Instant::now();
                assert_eq!(
                    member.command(json!({ "name": "chat", "text": "one of a thousand" })).await,
                    None
                );
                delays.push(said.elapsed());
            }
            delays
        });
    }
    talking.join_all().await.into_iter().flatten().collect()
}
