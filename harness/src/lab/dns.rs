//! Names: what the lab serves, and that there is nothing else. Pure; what carries connections stands apart.

pub(super) mod connection;

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use kverify_checks::{network::LAB_NAME, step::NameServer};
use simple_dns::{
    CLASS, OPCODE, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE,
    rdata::{OPT, RData},
};

use crate::cloud::Instance;

/// The port of the name service.
pub(super) const PORT: u16 = 53;

/// What a server may send in one datagram, in bytes (<https://dnsflagday.net/2020/>).
const DATAGRAM: u16 = 1232;
/// The same to a client that says nothing of what it takes (RFC 1035, 4.2.1), in bytes.
const OLD_DATAGRAM: u16 = 512;
/// Public time servers that distributions are made with; what is beneath a name is meant as well.
const TIME_SERVERS: [&str; 5] =
    ["pool.ntp.org", "ntp.ubuntu.com", "time.cloudflare.com", "time.google.com", "time1.google.com"];
/// How many names have an address at most.
const MOST: usize = 256;

/// The names that are served, each with an address of its own from the block for benchmarks (RFC 2544): what is sent
/// there is known by its name.
pub(super) struct Names {
    served: BTreeMap<String, Ipv4Addr>,
    /// Where its addresses begin: other ones each time, so that no answer of an earlier network is taken for ours.
    base: u32,
    /// The cloud that has names of its own.
    cloud: Option<Arc<Instance>>,
}

/// What questions and answers travel in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Carriage {
    /// What does not fit in one is left out, and the answer says so.
    Datagram,
    /// There is room for all.
    Connection,
}

/// What was asked, and what is answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The name, in lower case, without its last dot.
    pub(super) name: String,
    /// The type, as in `AAAA`.
    pub(super) kind: String,
    /// The message.
    pub(super) message: Vec<u8>,
}

impl Names {
    /// A name server whose addresses depend on `seed`, but for those that were given before.
    pub(super) fn new(seed: u64, given: BTreeMap<String, Ipv4Addr>, cloud: Option<Arc<Instance>>) -> Self {
        let [high, low, ..] = seed.to_be_bytes();
        // 198.18.0.0/15, in steps of as many as there may be.
        let base = u32::from(Ipv4Addr::new(198, 18 + (high & 1), low, 0));
        Self { served: given, base, cloud }
    }

    /// The names that were asked, with their addresses, but for the one that is known by its address.
    pub(super) fn given(&self) -> BTreeMap<String, Ipv4Addr> {
        let others = self.served.iter().filter(|(name, _)| *name != LAB_NAME);
        others.map(|(name, address)| (name.clone(), *address)).collect()
    }

    /// The address of a name that is served.
    pub(super) fn address(&mut self, name: &str) -> Option<Ipv4Addr> {
        if let Some(address) = self.cloud.as_ref().and_then(|cloud| cloud.address_of(name)) {
            return Some(address);
        }
        if name != LAB_NAME && !is_time_server(name) {
            return None;
        }
        if let Some(known) = self.served.get(name) {
            return Some(*known);
        }
        let next = u32::try_from(self.served.len()).ok().filter(|next| (*next as usize) < MOST)?;
        let address = Ipv4Addr::from(self.base | next);
        self.served.insert(name.to_owned(), address);
        Some(address)
    }

    /// The name whose address this is, where it was asked.
    pub(super) fn name_of(&self, address: Ipv4Addr) -> Option<&str> {
        self.served.iter().find(|(_, its)| **its == address).map(|(name, _)| name.as_str())
    }

    /// The answer to a question; none to what is not one, and no message where the server is silent.
    pub(super) fn answer(&mut self, question: &[u8], server: NameServer, carriage: Carriage) -> Option<Answer> {
        let asked = Packet::parse(question).ok()?;
        if asked.has_flags(PacketFlag::RESPONSE) || asked.opcode() != OPCODE::StandardQuery {
            return None;
        }
        let [question] = asked.questions.as_slice() else { return None };
        let name = question.qname.to_string().to_ascii_lowercase();
        let mut reply = Packet::new_reply(asked.id());
        reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
        if asked.has_flags(PacketFlag::RECURSION_DESIRED) {
            reply.set_flags(PacketFlag::RECURSION_DESIRED);
        }
        reply.questions.push(question.clone());
        // One that says nothing of it is taken for an old server, and asked again in older ways.
        if asked.opt().is_some() {
            *reply.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: DATAGRAM, version: 0 });
        }
        *reply.rcode_mut() = match (server, self.address(&name)) {
            (NameServer::Fails, _) => RCODE::ServerFailure,
            (NameServer::Well, Some(address)) => {
                if matches!(question.qtype, QTYPE::TYPE(TYPE::A) | QTYPE::ANY) {
                    let rdata = RData::A(address.into());
                    // No time to live: a fork must not believe what its origin was told.
                    reply.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, 0, rdata));
                }
                RCODE::NoError
            }
            _ => RCODE::NameError,
        };
        let room = match carriage {
            Carriage::Connection => u16::MAX,
            Carriage::Datagram => asked.opt().map_or(0, |opt| opt.udp_packet_size).clamp(OLD_DATAGRAM, DATAGRAM),
        };
        let mut message = reply.build_bytes_vec().ok()?;
        if message.len() > usize::from(room) {
            reply.set_flags(PacketFlag::TRUNCATION);
            reply.answers.clear();
            message = reply.build_bytes_vec().ok()?;
        }
        if server == NameServer::Silent {
            message.clear();
        }
        let kind = match question.qtype {
            QTYPE::TYPE(kind) => format!("{kind:?}"),
            other => format!("{other:?}"),
        };
        Some(Answer { name, kind, message })
    }
}

fn is_time_server(name: &str) -> bool {
    let rest = TIME_SERVERS.iter().find_map(|server| name.strip_suffix(server));
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kverify_checks::network::LAB_NAME;
    use simple_dns::{
        CLASS, Name, Packet, QCLASS, QTYPE, Question, RCODE, TYPE,
        rdata::{OPT, RData},
    };

    use super::{Carriage, NameServer, Names};

    fn question(name: &str, kind: TYPE) -> Vec<u8> {
        let mut packet = Packet::new_query(77);
        packet.questions.push(Question::new(
            Name::new(name).unwrap(),
            QTYPE::TYPE(kind),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        *packet.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: 4096, version: 0 });
        packet.build_bytes_vec().unwrap()
    }

    #[test]
    fn a_name_of_the_lab_has_an_address_that_other_labs_do_not_give() {
        let (mut one, mut other) =
            (Names::new(1 << 48, BTreeMap::new(), None), Names::new(2 << 48, BTreeMap::new(), None));
        let answer =
            one.answer(&question("Answers.KVerify.test", TYPE::A), NameServer::Well, Carriage::Datagram).unwrap();
        assert_eq!((answer.name.as_str(), answer.kind.as_str()), (LAB_NAME, "A"));
        let reply = Packet::parse(&answer.message).unwrap();
        assert_eq!((reply.id(), reply.rcode(), reply.answers.len()), (77, RCODE::NoError, 1));
        assert!(reply.opt().is_some(), "as the question");
        let RData::A(address) = &reply.answers[0].rdata else { panic!("no address") };
        assert_eq!(Some(address.address), one.address(LAB_NAME).map(u32::from));
        assert_ne!(one.address(LAB_NAME), other.address(LAB_NAME));
    }

    #[test]
    fn a_name_without_such_a_record_is_there_all_the_same() {
        let answer = Names::new(0, BTreeMap::new(), None)
            .answer(&question("2.debian.pool.ntp.org", TYPE::AAAA), NameServer::Well, Carriage::Datagram)
            .unwrap();
        let reply = Packet::parse(&answer.message).unwrap();
        assert_eq!((reply.rcode(), reply.answers.len()), (RCODE::NoError, 0));
    }

    #[test]
    fn other_names_are_not_there() {
        let mut names = Names::new(0, BTreeMap::new(), None);
        for name in ["updates.example.com", "evilpool.ntp.org.example", "notpool.ntp.org.", "xpool.ntp.org"] {
            let answer = names.answer(&question(name, TYPE::A), NameServer::Well, Carriage::Datagram).unwrap();
            assert_eq!(Packet::parse(&answer.message).unwrap().rcode(), RCODE::NameError, "{name}");
        }
    }

    #[test]
    fn each_name_is_known_by_its_address() {
        let mut names = Names::new(0x01ff << 48, BTreeMap::new(), None);
        let first = names.address("0.debian.pool.ntp.org").unwrap();
        let second = names.address("1.debian.pool.ntp.org").unwrap();
        assert_ne!(first, second);
        assert_eq!(names.name_of(second), Some("1.debian.pool.ntp.org"));
        assert_eq!(first.octets()[..3], [198, 19, 255]);
        let many = (0..1000).filter_map(|number| names.address(&format!("{number}.pool.ntp.org"))).count();
        assert_eq!(many, 254, "a flood of names takes no more than this");
    }

    #[test]
    fn servers_are_what_they_are_called() {
        let mut names = Names::new(0, BTreeMap::new(), None);
        let mut rcode = |server| {
            let answer = names.answer(&question(LAB_NAME, TYPE::A), server, Carriage::Datagram).unwrap();
            (!answer.message.is_empty()).then(|| Packet::parse(&answer.message).unwrap().rcode())
        };
        assert_eq!(rcode(NameServer::NoNames), Some(RCODE::NameError));
        assert_eq!(rcode(NameServer::Fails), Some(RCODE::ServerFailure));
        assert_eq!(rcode(NameServer::Silent), None);
        assert_eq!(rcode(NameServer::Well), Some(RCODE::NoError));
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        let mut names = Names::new(0, BTreeMap::new(), None);
        let whole = question(LAB_NAME, TYPE::A);
        for length in 0..whole.len() {
            let _ = names.answer(&whole[..length], NameServer::Well, Carriage::Datagram);
        }
        let mut reply = whole.clone();
        reply[2] |= 0x80;
        assert!(names.answer(&reply, NameServer::Well, Carriage::Datagram).is_none(), "an answer");
        let mut none = whole.clone();
        none[5] = 0;
        assert!(names.answer(&none, NameServer::Well, Carriage::Datagram).is_none(), "no question in it");
        // A name that points to itself.
        let mut endless = whole;
        endless[12..14].copy_from_slice(&[0xc0, 12]);
        assert!(names.answer(&endless, NameServer::Well, Carriage::Datagram).is_none());
    }
}
