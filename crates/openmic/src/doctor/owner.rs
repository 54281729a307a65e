//! Which program has a port, as far as `/proc` tells: each listener's inode is a file of somebody's.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// `nginx (process 4711)`; `None` where it is another user's process or there is no `/proc`.
pub(super) fn of_port(port: u16, is_udp: bool) -> Option<String> {
    let tables = if is_udp { ["udp", "udp6"] } else { ["tcp", "tcp6"] };
    let sockets = tables.iter().filter_map(|name| std::fs::read_to_string(format!("/proc/net/{name}")).ok());
    let inodes: Vec<String> = sockets.flat_map(|table| listeners(&table, port, is_udp)).collect();
    let wanted: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok()).find_map(|id| {
        let files = std::fs::read_dir(format!("/proc/{id}/fd")).ok()?;
        let has_it = files.flatten().any(|file| {
            std::fs::read_link(file.path())
                .is_ok_and(|link| wanted.iter().any(|socket| link.as_os_str() == socket.as_str()))
        });
        let name = std::fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
        has_it.then(|| format!("{} (process {id})", name.trim()))
    })
}

/// TCP sockets that listen are in state 0A; bound UDP sockets in 07 (include/net/tcp_states.h).
fn listeners(table: &str, port: u16, is_udp: bool) -> Vec<String> {
    let state = if is_udp { "07" } else { "0A" };
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, _, at, _, _, _, _, _, inode, ..] = fields[..] else { return None };
        (at == state && address(local)?.port() == port).then(|| inode.to_owned())
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

/// Words of the address in the machine's byte order, then the port, all hexadecimal.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    match ip.len() {
        8 => Some((Ipv4Addr::from(word(0)?), port).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.as_flattened().try_into().ok()?;
            Some((Ipv6Addr::from(bytes), port).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_of_a_port_are_told_from_its_connections_and_from_other_ports() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
               0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1763207 1 0\n\
               1: 0100007F:1F90 0100007F:D056 01 00000000:00000000 00:00000000 00000000     0        0 1763208 1 0\n\
               2: 00000000:078F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 103 1 0\n";
        assert_eq!(listeners(table, 8080, false), ["1763207"]);
        assert_eq!(listeners(table, 1935, false), ["103"]);
        assert!(listeners(table, 8080, true).is_empty());
    }

    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = of_port(listener.local_addr().unwrap().port(), false).unwrap();
        assert!(owner.ends_with(&format!("(process {})", std::process::id())), "{owner}");
    }
}
