//! The peer within reach: nginx with Debian's rtmp module, one worker, on the same core.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::process::{Child, Cores};

const READY_MAX: Duration = Duration::from_secs(5);
const MODULE: &str = "ngx_rtmp_module.so";
const MODULE_FOLDERS: &[&str] =
    &["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/nginx/modules"];
const REMEDY: &str =
    "nginx with its rtmp module is not installed; remedy: apt-get install nginx-light libnginx-mod-rtmp";

/// A running nginx; it ends and its files go with this value.
pub struct Nginx {
    /// The process.
    pub child: Child,
    /// Where it speaks RTMP.
    pub rtmp: std::net::SocketAddr,
    _folder: Folder,
}

impl Nginx {
    /// Starts nginx on a free port; the error names the remedy where it is not installed.
    pub fn start(cores: Cores) -> anyhow::Result<Self> {
        let module =
            MODULE_FOLDERS.iter().map(|folder| Path::new(folder).join(MODULE)).find(|path| path.exists());
        let module = module.context(REMEDY)?;
        let folder = Folder::new()?;
        // Asking the kernel for a port and giving it back leaves a gap in which another might take it; nginx cannot
        // be handed a socket and then says so.
        let rtmp = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.0.join("nginx.conf");
        std::fs::write(&config, configuration(&module, rtmp.port()))?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder.0).arg("-c").arg(&config).arg("-e").arg("stderr");
        let child = Child::spawn(&mut command, cores.server, cores.load).context(REMEDY)?;
        let end = Instant::now() + READY_MAX;
        while std::net::TcpStream::connect(rtmp).is_err() {
            if Instant::now() >= end {
                bail!("nginx does not listen on {rtmp} after {} s", READY_MAX.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { child, rtmp, _folder: folder })
    }
}

/// A chunk size as large as ours, no log, nothing waits for a keyframe: nginx at its cheapest.
fn configuration(module: &Path, port: u16) -> String {
    format!(
        "load_module {};\ndaemon off;\nmaster_process off;\nworker_processes 1;\npid nginx.pid;\n\
         error_log stderr error;\nevents {{ worker_connections 16384; }}\n\
         rtmp {{\n  access_log off;\n  server {{\n    listen 127.0.0.1:{port};\n    chunk_size 65536;\n    \
         max_streams 64;\n    application live {{ live on; }}\n  }}\n}}\n",
        module.display()
    )
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("openmic-bench-{}", std::process::id()));
        std::fs::create_dir_all(path.join("logs")).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_the_module_and_the_port_and_one_process() {
        let text = configuration(Path::new("/usr/lib/nginx/modules/x.so"), 4_321);
        assert!(text.starts_with("load_module /usr/lib/nginx/modules/x.so;"));
        assert!(text.contains("listen 127.0.0.1:4321;") && text.contains("master_process off;"));
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
