//! One connection of a scheduler, kept open: HTTP/1.1 over TCP or TLS, written by hand so that asking costs little, and
//! HTTP/2 over TLS, which is what kube-scheduler speaks where it may.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// The longest an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS.
    Http2,
}

/// A request, ready to be sent on any wire.
#[derive(Debug, Clone)]
pub struct Question {
    verb: &'static str,
    /// All of it, as HTTP/1.1.
    bytes: Vec<u8>,
    head: usize,
}

impl Question {
    /// The question of a verb, with this body.
    pub fn new(verb: &'static str, body: &str) -> Question {
        let head = format!(
            "POST /{verb} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {}\r\n\
             Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n",
            body.len()
        );
        let bytes = [head.as_bytes(), body.as_bytes()].concat();
        Question { verb, head: head.len(), bytes }
    }

    /// What is read at a path, without a body; over HTTP/1.1 alone.
    pub fn read(path: &str) -> Question {
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
        Question { verb: "", head: bytes.len(), bytes }
    }

    /// Bytes of its body.
    pub fn body_len(&self) -> usize {
        self.bytes.len() - self.head
    }
}

/// A connection.
pub struct Connection {
    stream: Stream,
    /// Room for an answer.
    buffer: Vec<u8>,
    is_closing: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Http2 { client: reqwest::Client, runtime: tokio::runtime::Runtime, url: String },
}

impl Connection {
    /// Connects; `ca` is the file with the certificate that the server shows.
    ///
    /// # Errors
    /// If that cannot be.
    pub fn open(wire: Wire, address: SocketAddr, ca: &Path) -> io::Result<Connection> {
        let tcp = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok::<_, io::Error>(stream)
        };
        let stream = match wire {
            Wire::Http => Stream::Plain(tcp()?),
            Wire::Https => {
                let mut roots = RootCertStore::empty();
                let certificate = CertificateDer::from_pem_file(ca).map_err(io::Error::other)?;
                roots.add(certificate).map_err(io::Error::other)?;
                let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
                let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(connection, tcp()?)))
            }
            Wire::Http2 => {
                let certificate = reqwest::Certificate::from_pem(&std::fs::read(ca)?).map_err(io::Error::other)?;
                let client = reqwest::Client::builder()
                    .tls_certs_only([certificate])
                    .resolve("localhost", address)
                    .timeout(PATIENCE)
                    .no_proxy()
                    .build();
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let url = format!("https://localhost:{}", address.port());
                Stream::Http2 { client: client.map_err(io::Error::other)?, runtime, url }
            }
        };
        Ok(Connection { stream, buffer: Vec::new(), is_closing: false })
    }

    /// Whether the last answer said that the server takes nothing more on it.
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// The certificate that the server showed, in the handshake that came first.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let Stream::Tls(stream) = &self.stream else { return None };
        Some(stream.conn.peer_certificates()?.first()?.to_vec())
    }

    /// Asks, and waits for the whole answer: its status and its body.
    ///
    /// # Errors
    /// If the connection ends before that.
    pub fn ask(&mut self, question: &Question) -> io::Result<(u16, &[u8])> {
        if let Stream::Http2 { client, runtime, url } = &self.stream {
            let (status, body) = runtime.block_on(async {
                let body = question.bytes[question.head..].to_vec();
                let asked = client.post(format!("{url}/{}", question.verb)).header("content-type", "application/json");
                let answer = asked.body(body).send().await.map_err(io::Error::other)?;
                if answer.version() != reqwest::Version::HTTP_2 {
                    return Err(io::Error::other("the server does not speak HTTP/2"));
                }
                let status = answer.status().as_u16();
                Ok((status, answer.bytes().await.map_err(io::Error::other)?))
            })?;
            self.buffer = body.into();
            return Ok((status, &self.buffer));
        }
        self.send(&question.bytes)?;
        self.answer()
    }

    /// Sends the head and half of the body of a question, and leaves it at that.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn ask_half(&mut self, question: &Question) -> io::Result<()> {
        self.send(&question.bytes[..question.head + question.body_len() / 2])
    }

    /// Sends bytes, whatever they are.
    ///
    /// # Errors
    /// If they cannot be sent.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Http2 { .. } => Err(io::Error::other("HTTP/2 is not written by hand")),
        }
    }

    /// Reads an answer over HTTP/1.1.
    ///
    /// # Errors
    /// If the connection ends before that, or if it is none.
    pub fn answer(&mut self) -> io::Result<(u16, &[u8])> {
        let mut filled = 0;
        let mut length = None;
        loop {
            if length.is_none()
                && let Some(end) = self.buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n")
            {
                let (status, body, is_closing) = head(&self.buffer[..end])?;
                length = Some((status, end + 4, body));
                self.is_closing = is_closing;
            }
            if let Some((status, begin, body)) = length
                && filled >= begin + body
            {
                return Ok((status, &self.buffer[begin..begin + body]));
            }
            // It only ever grows: filling it with zeros is done once.
            let needed = length.map_or(filled + 1, |(_, begin, body)| begin + body);
            if self.buffer.len() < needed {
                self.buffer.resize(needed.max(16 << 10), 0);
            }
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut self.buffer[filled..])?,
                Stream::Tls(stream) => stream.read(&mut self.buffer[filled..])?,
                Stream::Http2 { .. } => 0,
            };
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
        }
    }
}

/// The status, the bytes of the body, and whether the server closes the connection behind it.
fn head(bytes: &[u8]) -> io::Result<(u16, usize, bool)> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no answer of HTTP/1.1 with a length");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    let mut lines = text.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(wrong)?;
    let value = |wanted: &str| {
        lines
            .clone()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(name, value)| if name.eq_ignore_ascii_case(wanted) { Some(value.trim()) } else { None })
    };
    let is_closing = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let length = value("content-length").and_then(|length| length.parse().ok()).ok_or_else(wrong)?;
    Ok((status, length, is_closing))
}
