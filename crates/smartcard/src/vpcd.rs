//! Cards over a byte stream: the framing of the virtual reader (vpcd).
//!
//! Standard: vpcd wire format, globalplatform.md section 6.1. Each frame is a 2-byte big-endian length
//! and a payload. A payload of one byte drives the card: `00` power off, `01` power on, `02` reset,
//! `04` asks for the ATR, which comes back as a frame. Any other payload is a command APDU, answered by a frame.
//! Invariant: an answer is never matched to another command than its own; a stream that failed once is
//! not used again.

use std::io::{self, Read, Write};

use crate::channel::{Channel, ChannelError};

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const ASK_ATR: u8 = 4;

/// Answers for `card` until the other side closes the stream between two frames.
///
/// # Errors
/// When the stream breaks or sends what is not a frame, and when the card falls silent: the caller then
/// drops the stream, and the other side sees silence too.
pub fn serve(mut stream: impl Read + Write, card: &mut dyn Channel, atr: &[u8]) -> io::Result<()> {
    while let Some(payload) = read_frame(&mut stream)? {
        match *payload.as_slice() {
            [POWER_OFF | POWER_ON | RESET] => card.reset().map_err(io::Error::other)?,
            [ASK_ATR] => write_frame(&mut stream, atr)?,
            [] | [_] => return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown vpcd control frame")),
            _ => write_frame(&mut stream, &card.transmit(&payload).map_err(io::Error::other)?)?,
        }
        stream.flush()?;
    }
    Ok(())
}

/// A card at the other end of a stream.
pub struct Client<S> {
    stream: S,
    broken: bool,
}

impl<S: Read + Write> Client<S> {
    /// Over a connected stream. The card is taken as powered on.
    pub const fn new(stream: S) -> Self {
        Client { stream, broken: false }
    }

    /// The card's answer to reset.
    ///
    /// # Errors
    /// As [`Channel::transmit`].
    pub fn atr(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.send(&[ASK_ATR])?;
        self.receive()
    }

    /// A frame that was not handed over whole cannot run: the other side waits for the rest.
    fn send(&mut self, payload: &[u8]) -> Result<(), ChannelError> {
        if self.broken {
            return Err(ChannelError::NotSent("the connection to the card is broken".into()));
        }
        write_frame(&mut self.stream, payload).map_err(|error| {
            self.broken = true;
            ChannelError::NotSent(error.to_string())
        })
    }

    fn receive(&mut self) -> Result<Vec<u8>, ChannelError> {
        // A late answer would be taken for that of the next command: one failure ends the stream.
        let answer = self
            .stream
            .flush()
            .and_then(|()| read_frame(&mut self.stream))
            .and_then(|frame| frame.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()));
        answer.map_err(|error| {
            self.broken = true;
            ChannelError::Lost(match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it said nothing in time".into(),
                io::ErrorKind::UnexpectedEof => "it broke off".into(),
                _ => error.to_string(),
            })
        })
    }
}

impl<S: Read + Write> Channel for Client<S> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if command.len() < 4 {
            return Err(ChannelError::NotSent(format!("{} bytes are no command APDU", command.len())));
        }
        self.send(command)?;
        self.receive()
    }

    fn reset(&mut self) -> Result<(), ChannelError> {
        self.send(&[RESET])?;
        // Answers nothing; asking for the ATR proves that the card came back.
        self.atr().map(drop)
    }
}

/// One frame, or `None` at the end of the stream between two frames.
fn read_frame(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    let [first, second] = &mut length;
    loop {
        match stream.read(std::slice::from_mut(first)) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    stream.read_exact(std::slice::from_mut(second))?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut payload)?;
    Ok(Some(payload))
}

/// One write for length and payload, so that a frame is not split over two packets.
fn write_frame(stream: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    let length = u16::try_from(payload.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a frame holds at most 65535 bytes"))?;
    stream.write_all(&[&length.to_be_bytes(), payload].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads from one buffer, writes to another.
    struct Wire<'a> {
        incoming: &'a [u8],
        outgoing: Vec<u8>,
    }

    impl Read for Wire<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.incoming.read(buffer)
        }
    }

    impl Write for Wire<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.outgoing.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Echoes the command with 9000; counts resets.
    #[derive(Default)]
    struct Echo {
        resets: u32,
    }

    impl Channel for Echo {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            Ok([command, &[0x90, 0]].concat())
        }
        fn reset(&mut self) -> Result<(), ChannelError> {
            self.resets = self.resets.saturating_add(1);
            Ok(())
        }
    }

    fn wire(incoming: &[u8]) -> Wire<'_> {
        Wire { incoming, outgoing: Vec::new() }
    }

    #[test]
    fn power_reset_atr_and_commands_are_served() {
        let mut stream = wire(&[0, 1, 1, 0, 1, 4, 0, 4, 0, 0x84, 0, 0, 0, 1, 2, 0, 1, 0]);
        let mut card = Echo::default();
        serve(&mut stream, &mut card, &[0x3B, 0x80, 0x80, 1, 1]).unwrap();
        assert_eq!(stream.outgoing, [0, 5, 0x3B, 0x80, 0x80, 1, 1, 0, 6, 0, 0x84, 0, 0, 0x90, 0]);
        assert_eq!(card.resets, 3);
    }

    #[test]
    fn a_stream_cut_inside_a_frame_is_an_error() {
        for cut in [&[0][..], &[0, 4], &[0, 4, 0, 0x84], &[0, 0], &[0, 1, 9]] {
            assert!(serve(wire(cut), &mut Echo::default(), &[]).is_err(), "{cut:02X?}");
        }
    }

    #[test]
    fn the_client_speaks_to_the_server() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let mut card = Echo::default();
            serve(&listener.accept().unwrap().0, &mut card, &[0x3B, 0]).unwrap();
            card.resets
        });
        let stream = std::net::TcpStream::connect(address).unwrap();
        let mut client = Client::new(&stream);
        assert_eq!(client.atr(), Ok(vec![0x3B, 0]));
        client.reset().unwrap();
        assert_eq!(client.transmit(&[0, 0x84, 0, 0, 8]), Ok(vec![0, 0x84, 0, 0, 8, 0x90, 0]));
        drop(stream);
        assert_eq!(server.join().unwrap(), 1);
    }

    #[test]
    fn silence_after_sending_is_lost_and_the_stream_is_not_used_again() {
        let mut client = Client::new(wire(&[0, 9, 1]));
        assert!(matches!(client.transmit(&[0, 0x84, 0, 0]), Err(ChannelError::Lost(_))));
        assert!(matches!(client.transmit(&[0, 0x84, 0, 0]), Err(ChannelError::NotSent(_))));
        assert_eq!(client.stream.outgoing, [0, 4, 0, 0x84, 0, 0]);
    }

    #[test]
    fn a_stream_that_takes_no_bytes_means_not_sent() {
        struct Closed;
        impl Read for Closed {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Ok(0)
            }
        }
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(matches!(Client::new(Closed).transmit(&[0, 0x84, 0, 0]), Err(ChannelError::NotSent(_))));
        assert!(matches!(Client::new(wire(&[])).transmit(&[4]), Err(ChannelError::NotSent(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_server_panic(bytes: Vec<u8>) {
            let _ = serve(wire(&bytes), &mut Echo::default(), &[]);
        }
    }
}
