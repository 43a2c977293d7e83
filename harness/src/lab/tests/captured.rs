//! A lab whose frames are captured.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use pcap_parser::PcapCapture;

use super::{
    super::{
        Capture, Captured,
        address::{GATEWAY, of_machine},
    },
    GUEST, arp, plugged,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_sees_what_comes_from_a_machine_and_what_goes_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.pcap");
    let capture = Capture::begin(File::create(&path).unwrap());
    let (lab, mut cables) = plugged(1);
    lab.capture(capture.clone()).unwrap();
    let mut cable = UnixStream::from(cables.remove(0));
    let question = arp(GUEST, of_machine(0), GATEWAY);
    cable.write_all(&[&u32::try_from(question.len()).unwrap().to_be_bytes(), question.as_slice()].concat()).unwrap();
    let mut answer = [0; 4 + 42];
    cable.read_exact(&mut answer).unwrap();
    assert_eq!(capture.end().unwrap(), Captured { frames: 2, left_out: 0 });
    let bytes = fs::read(&path).unwrap();
    let read = PcapCapture::from_file(&bytes).unwrap();
    assert_eq!(read.blocks.iter().map(|block| block.data).collect::<Vec<_>>(), [&question, &answer[4..]]);
}
