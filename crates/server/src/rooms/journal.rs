//! What rooms are kept in: a snapshot and the changes since, in SQLite. Many rooms' changes go into one transaction, and
//! nobody is told of a change before it is on the disk. docs/decisions/0016 has the reasons.

use std::path::{Path, PathBuf};
use std::time::Duration;

use room::{Change, Goodbye, MemberId, RoomId, Snapshot};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::private;

/// The file's name.
pub const FILE: &str = "rooms.db";
/// Orders that wait. Each room has one at a time, so more rooms than this just wait their turn.
const ORDERS_MAX: usize = 1_024;
/// Orders of one transaction.
const GROUP_MAX: usize = 512;
/// The disk may be full for a while; nobody is told of anything before it is not.
const RETRY: Duration = Duration::from_secs(1);
/// What is remembered of rooms that are over.
const ENDED_MAX: i64 = 10_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS rooms (id TEXT PRIMARY KEY, snapshot BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS changes (room TEXT NOT NULL, n INTEGER NOT NULL, changes BLOB NOT NULL,
        PRIMARY KEY (room, n)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS hosted (room TEXT NOT NULL, member INTEGER NOT NULL, PRIMARY KEY (room, member))
        WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ended (n INTEGER PRIMARY KEY, id TEXT NOT NULL, record BLOB NOT NULL);
";

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Journal {
    to: mpsc::Sender<Order>,
}

/// One thing to write.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// The room as it is; what was written of it before is of no use any more.
    Snapshot { room: RoomId, snapshot: Vec<u8> },
    /// What happened in it, as its `n`th entry since the snapshot.
    Changes { room: RoomId, n: u64, changes: Vec<u8> },
    /// A member that has no connection of its own, or has gone.
    Hosted { room: RoomId, member: MemberId, there: bool },
    /// The room is over.
    Ended { room: RoomId, record: Vec<u8> },
}

struct Order {
    writes: Vec<Write>,
    done: oneshot::Sender<()>,
}

/// A room that was kept.
pub(crate) struct Kept {
    pub(crate) snapshot: Snapshot,
    pub(crate) changes: Vec<Change>,
    pub(crate) hosted: Vec<MemberId>,
}

/// What is remembered of a room that is over.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) template: room::Template,
    /// Milliseconds since 1970.
    pub(crate) born: u64,
    pub(crate) ended: u64,
    pub(crate) reason: Goodbye,
    pub(crate) members_ever: u32,
}

impl Journal {
    /// In this directory. The file is made with the first room.
    pub(crate) fn start(data: &Path) -> (Self, impl Future<Output = ()> + use<>) {
        let (to, orders) = mpsc::channel(ORDERS_MAX);
        (Self { to }, keep(data.join(FILE), orders))
    }

    /// Writes, and returns when it is on the disk. Where that cannot be, it is tried until it can.
    pub(crate) async fn write(&self, writes: Vec<Write>) {
        let (done, is_done) = oneshot::channel();
        if self.to.send(Order { writes, done }).await.is_err() || is_done.await.is_err() {
            // The server has stopped: whoever waits for this is not to go on.
            std::future::pending::<()>().await;
        }
    }
}

/// Changes as they are written.
pub(crate) fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the state of a room has string keys and no numbers JSON lacks")
}

/// Writes until nobody can order anything.
async fn keep(file: PathBuf, mut orders: mpsc::Receiver<Order>) {
    let mut connection = None;
    while let Some(first) = orders.recv().await {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = orders.try_recv()
        {
            group.push(next);
        }
        while let Err(error) = write(&file, &mut connection, &group).await {
            tracing::error!(file = %file.display(), %error, "rooms cannot be written down and wait until they can");
            // A connection that failed once is not trusted again.
            connection = None;
            tokio::time::sleep(RETRY).await;
        }
        for order in group {
            let _ = order.done.send(());
        }
    }
}

async fn write(
    file: &Path,
    connection: &mut Option<SqliteConnection>,
    group: &[Order],
) -> Result<(), sqlx::Error> {
    if connection.is_none() {
        *connection = Some(open(file).await?);
    }
    let Some(connection) = connection else { return Ok(()) };
    let mut transaction = connection.begin().await?;
    for write in group.iter().flat_map(|order| &order.writes) {
        carry_out(&mut transaction, write).await?;
    }
    transaction.commit().await
}

async fn carry_out(to: &mut SqliteConnection, write: &Write) -> Result<(), sqlx::Error> {
    match write {
        Write::Snapshot { room, snapshot } => {
            sqlx::query("DELETE FROM changes WHERE room = ?").bind(room.as_str()).execute(&mut *to).await?;
            let query = sqlx::query("INSERT OR REPLACE INTO rooms (id, snapshot) VALUES (?, ?)");
            query.bind(room.as_str()).bind(&snapshot[..]).execute(to).await?;
        }
        Write::Changes { room, n, changes } => {
            let query = sqlx::query("INSERT INTO changes (room, n, changes) VALUES (?, ?, ?)");
            query.bind(room.as_str()).bind(n.cast_signed()).bind(&changes[..]).execute(to).await?;
        }
        Write::Hosted { room, member, there } => {
            let query = match there {
                true => sqlx::query("INSERT OR REPLACE INTO hosted (room, member) VALUES (?, ?)"),
                false => sqlx::query("DELETE FROM hosted WHERE room = ? AND member = ?"),
            };
            query.bind(room.as_str()).bind(member.0).execute(to).await?;
        }
        Write::Ended { room, record } => end(to, room, record).await?,
    }
    Ok(())
}

async fn end(to: &mut SqliteConnection, room: &RoomId, record: &[u8]) -> Result<(), sqlx::Error> {
    for query in [
        "DELETE FROM changes WHERE room = ?",
        "DELETE FROM rooms WHERE id = ?",
        "DELETE FROM hosted WHERE room = ?",
    ] {
        sqlx::query(query).bind(room.as_str()).execute(&mut *to).await?;
    }
    let query = sqlx::query("INSERT INTO ended (id, record) VALUES (?, ?)");
    query.bind(room.as_str()).bind(record).execute(&mut *to).await?;
    let query = sqlx::query("DELETE FROM ended WHERE n <= (SELECT MAX(n) FROM ended) - ?");
    query.bind(ENDED_MAX).execute(to).await.map(|_| ())
}

async fn open(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    // Made by us, so that nobody else can read what is said in rooms; SQLite's other files take after it.
    private::append(file)?;
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        // With NORMAL the newest transactions are lost when the power fails, and they were acknowledged.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
    Ok(connection)
}

/// The room of this name that is kept in this directory, if there is one.
pub(crate) async fn restore_one(data: &Path, room: &RoomId) -> Result<Option<Kept>, sqlx::Error> {
    let mut connection = open(&data.join(FILE)).await?;
    let row = sqlx::query("SELECT snapshot FROM rooms WHERE id = ?").bind(room.as_str());
    let Some(row) = row.fetch_optional(&mut connection).await? else { return Ok(None) };
    let snapshot: Vec<u8> = row.try_get(0)?;
    let kept = kept(&mut connection, room.as_str(), &snapshot).await?;
    connection.close().await?;
    kept.map(Some).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// All rooms that were kept in this directory. One that cannot be read is reported and left where it is.
pub(crate) async fn restore(data: &Path) -> Result<Vec<Kept>, sqlx::Error> {
    let file = data.join(FILE);
    if !file.try_exists()? {
        return Ok(Vec::new());
    }
    let mut connection = open(&file).await?;
    let rows = sqlx::query("SELECT id, snapshot FROM rooms ORDER BY id").fetch_all(&mut connection).await?;
    let mut rooms = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, snapshot): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        match kept(&mut connection, &id, &snapshot).await? {
            Ok(kept) => rooms.push(kept),
            Err(error) => tracing::error!(room = id, %error, "a room cannot be read back"),
        }
    }
    connection.close().await?;
    Ok(rooms)
}

async fn kept(
    connection: &mut SqliteConnection,
    id: &str,
    snapshot: &[u8],
) -> Result<Result<Kept, serde_json::Error>, sqlx::Error> {
    let changes = sqlx::query("SELECT changes FROM changes WHERE room = ? ORDER BY n").bind(id);
    let changes = changes.fetch_all(&mut *connection).await?;
    let hosted = sqlx::query("SELECT member FROM hosted WHERE room = ?").bind(id);
    let hosted = hosted.fetch_all(connection).await?;
    let read = || {
        let mut kept = Kept { snapshot: serde_json::from_slice(snapshot)?, changes: vec![], hosted: vec![] };
        for row in &changes {
            let bytes: &[u8] = row.get(0);
            kept.changes.extend(serde_json::from_slice::<Vec<Change>>(bytes)?);
        }
        kept.hosted.extend(hosted.iter().map(|row| MemberId(row.get(0))));
        Ok(kept)
    };
    Ok(read())
}

/// The newest rooms that are over, newest first.
pub(crate) async fn ended(data: &Path, limit: u32) -> Result<Vec<Record>, sqlx::Error> {
    let file = data.join(FILE);
    if !file.try_exists()? {
        return Ok(Vec::new());
    }
    let mut connection = open(&file).await?;
    let query = sqlx::query("SELECT record FROM ended ORDER BY n DESC LIMIT ?").bind(limit);
    let rows = query.fetch_all(&mut connection).await?;
    connection.close().await?;
    let read = |row: &sqlx::sqlite::SqliteRow| serde_json::from_slice(row.get::<&[u8], _>(0)).ok();
    Ok(rows.iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use room::{Moment, Room, Template};

    use super::*;
    use crate::private::Folder;

    fn id(name: &str) -> RoomId {
        RoomId::new(name).unwrap()
    }

    fn snapshot(name: &str) -> Write {
        let now = Moment::from_millis(1_700_000_000_000);
        let (room, _) = Room::new(id(name), "room", Template::Meeting.settings(), now);
        Write::Snapshot { room: id(name), snapshot: bytes(&room.snapshot()) }
    }

    fn title(to: &str) -> Vec<u8> {
        bytes(&[Change::All(room::track::all::Change::Title { to: to.into() })])
    }

    fn changes(name: &str, n: u64, to: &str) -> Write {
        Write::Changes { room: id(name), n, changes: title(to) }
    }

    #[tokio::test]
    async fn what_was_written_is_there_when_it_is_read_and_a_snapshot_begins_anew() {
        let folder = Folder::new();
        let (journal, keep) = Journal::start(&folder.0);
        let keep = tokio::spawn(keep);
        assert!(restore(&folder.0).await.unwrap().is_empty(), "no file is no rooms");
        journal.write(vec![snapshot("a")]).await;
        journal.write(vec![changes("a", 1, "one"), changes("a", 2, "two")]).await;
        journal.write(vec![Write::Hosted { room: id("a"), member: MemberId(7), there: true }]).await;
        let rooms = restore(&folder.0).await.unwrap();
        assert_eq!((rooms.len(), rooms[0].changes.len()), (1, 2));
        assert_eq!(rooms[0].hosted, [MemberId(7)]);
        journal.write(vec![snapshot("a"), changes("a", 1, "three")]).await;
        let rooms = restore(&folder.0).await.unwrap();
        assert_eq!(bytes(&rooms[0].changes), title("three"));
        drop(journal);
        keep.await.unwrap();
    }

    #[tokio::test]
    async fn orders_of_many_rooms_are_all_done_and_a_room_that_ended_is_a_record() {
        let folder = Folder::new();
        let (journal, keep) = Journal::start(&folder.0);
        let keep = tokio::spawn(keep);
        let mut all = tokio::task::JoinSet::new();
        for n in 0..100 {
            let journal = journal.clone();
            all.spawn(async move { journal.write(vec![snapshot(&format!("r{n}"))]).await });
        }
        all.join_all().await;
        assert_eq!(restore(&folder.0).await.unwrap().len(), 100);
        let record = Record {
            id: "r7".into(),
            title: String::new(),
            template: Template::Meeting,
            born: 1,
            ended: 2,
            reason: Goodbye::Empty,
            members_ever: 3,
        };
        journal.write(vec![Write::Ended { room: id("r7"), record: bytes(&record) }]).await;
        assert_eq!(restore(&folder.0).await.unwrap().len(), 99);
        let over = ended(&folder.0, 10).await.unwrap();
        assert_eq!(over.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["r7"]);
        drop(journal);
        keep.await.unwrap();
    }

    #[tokio::test]
    async fn a_room_that_cannot_be_read_does_not_keep_the_others_from_coming_back() {
        let folder = Folder::new();
        let (journal, keep) = Journal::start(&folder.0);
        let keep = tokio::spawn(keep);
        let broken = Write::Snapshot { room: id("broken"), snapshot: b"{".to_vec() };
        journal.write(vec![broken, snapshot("whole")]).await;
        let rooms = restore(&folder.0).await.unwrap();
        assert_eq!(rooms.iter().map(|kept| kept.snapshot.id.as_str()).collect::<Vec<_>>(), ["whole"]);
        drop(journal);
        keep.await.unwrap();
    }
}
