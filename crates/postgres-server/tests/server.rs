//! The server as tests use it: behind its address, stopped and started, and gone with the process that started it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use postgres_server::{Durability, Server, Stop, available, shared, skipped};

#[test]
fn each_database_is_its_own() {
    let Some(server) = shared() else { return };
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    Client::connect(&one, NoTls).unwrap().batch_execute("CREATE TABLE a (b int)").unwrap();
    let missing = Client::connect(&two, NoTls).unwrap().batch_execute("SELECT * FROM a").unwrap_err();
    assert!(missing.as_db_error().is_some(), "{missing}");
}

#[test]
fn what_was_committed_outlives_a_crash() {
    if let Err(why) = available() {
        return skipped(&why);
    }
    let server = Server::start_with(Durability::Full, &[("max_connections", "20")]).unwrap();
    let mut client = Client::connect(&server.socket_url("postgres"), NoTls).unwrap();
    client.batch_execute("CREATE TABLE a (b int); INSERT INTO a VALUES (7)").unwrap();
    let shown = |client: &mut Client, name: &str| -> String {
        client.query_one(&format!("SHOW {name}"), &[]).unwrap().get(0)
    };
    assert_eq!([shown(&mut client, "fsync"), shown(&mut client, "max_connections")], ["on", "20"]);
    server.restart(Stop::Immediate).unwrap();
    assert!(client.batch_execute("SELECT 1").is_err(), "the connection is cut");
    let mut client = Client::connect(&server.url(), NoTls).unwrap();
    assert_eq!(client.query_one("SELECT b FROM a", &[]).unwrap().get::<_, i32>(0), 7);
    assert!(server.log().contains("automatic recovery"), "{}", server.log());
}

/// Not a test of its own: what the one below starts and kills.
#[test]
#[ignore = "started by another test"]
fn prints_its_folder_and_waits() {
    let server = Server::start(Durability::None).unwrap();
    let words = server.socket_url("postgres");
    println!("\n{}", words.split(' ').next().unwrap());
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    if let Err(why) = available() {
        return skipped(&why);
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "prints_its_folder_and_waits", "--nocapture"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let folder = lines.find_map(|line| line.strip_prefix("host=").map(str::to_owned)).unwrap();
    assert!(std::fs::exists(&folder).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::exists(&folder).unwrap() {
        assert!(Instant::now() < deadline, "{folder} is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}
