//! Addresses by DHCP (RFC 2131). Pure, and without memory: who asks is known by the wire that the question came on.

use std::net::Ipv4Addr;

use smoltcp::wire::{
    DhcpFlags, DhcpMessageType as Message, DhcpOpCode as OpCode, DhcpOption, DhcpPacket, EthernetAddress,
};

use super::address::{GATEWAY, MASK, NAME_SERVER};

/// The ports of servers and clients.
pub(super) const SERVER_PORT: u16 = 67;
pub(super) const CLIENT_PORT: u16 = 68;

/// A day, in seconds.
const LEASE: u32 = 86_400;
/// Relays of old drop what is shorter, in bytes.
const LEAST: usize = 300;
/// Where the options begin.
const OPTIONS: usize = 240;

mod option {
    pub(super) const MASK: u8 = 1;
    pub(super) const ROUTER: u8 = 3;
    pub(super) const NAME_SERVERS: u8 = 6;
    pub(super) const REQUESTED: u8 = 50;
    pub(super) const LEASE: u8 = 51;
    pub(super) const MESSAGE: u8 = 53;
    pub(super) const SERVER: u8 = 54;
    pub(super) const RENEW: u8 = 58;
    pub(super) const REBIND: u8 = 59;
    pub(super) const CLIENT: u8 = 61;
}

/// An answer, and where it goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) message: Vec<u8>,
    pub(super) card: EthernetAddress,
    pub(super) address: Ipv4Addr,
}

/// What a client that shall have the address `yours` is answered; none to what is not for us, or cannot be read.
pub(super) fn answer(question: &[u8], yours: Ipv4Addr) -> Option<Answer> {
    let asked = DhcpPacket::new_checked(question).ok()?;
    if asked.opcode() != OpCode::Request || asked.hardware_len() != 6 || asked.magic_number() != 0x6382_5363 {
        return None;
    }
    let option = |kind: u8| asked.options().find(|option| option.kind == kind).map(|option| option.data);
    let address = |kind: u8| Some(Ipv4Addr::from(<[u8; 4]>::try_from(option(kind)?).ok()?));
    if address(option::SERVER).is_some_and(|server| server != GATEWAY) {
        return None;
    }
    let wants = address(option::REQUESTED).unwrap_or(asked.client_ip());
    let message = match Message::from(*option(option::MESSAGE)?.first()?) {
        Message::Discover => Message::Offer,
        Message::Request if wants == yours => Message::Ack,
        Message::Request => Message::Nak,
        // It has an address, and asks for the rest.
        Message::Inform => Message::Ack,
        _ => return None,
    };
    let informs = asked.client_ip() != Ipv4Addr::UNSPECIFIED && message == Message::Ack && wants != yours;
    let client = option(option::CLIENT).unwrap_or_default();
    let mut buffer = vec![0; LEAST.max(OPTIONS + 64 + client.len())];
    let mut packet = DhcpPacket::new_unchecked(buffer.as_mut_slice());
    packet.set_opcode(OpCode::Reply);
    packet.set_hardware_type(asked.hardware_type());
    packet.set_hardware_len(asked.hardware_len());
    packet.set_transaction_id(asked.transaction_id());
    packet.set_client_hardware_address(asked.client_hardware_address());
    packet.set_magic_number(0x6382_5363);
    packet.set_flags(asked.flags());
    packet.set_relay_agent_ip(asked.relay_agent_ip());
    packet.set_client_ip(asked.client_ip());
    let leased = message != Message::Nak && !informs;
    if leased {
        packet.set_your_ip(yours);
    }
    let mut options = packet.options_mut();
    let mut put = |kind: u8, data: &[u8]| options.emit(DhcpOption { kind, data });
    put(option::MESSAGE, &[u8::from(message)]).ok()?;
    put(option::SERVER, &GATEWAY.octets()).ok()?;
    if leased {
        put(option::LEASE, &LEASE.to_be_bytes()).ok()?;
        put(option::RENEW, &(LEASE / 2).to_be_bytes()).ok()?;
        put(option::REBIND, &(LEASE / 8 * 7).to_be_bytes()).ok()?;
    }
    if message != Message::Nak {
        put(option::MASK, &MASK.octets()).ok()?;
        put(option::ROUTER, &GATEWAY.octets()).ok()?;
        put(option::NAME_SERVERS, &NAME_SERVER.octets()).ok()?;
    }
    // Raw: it may be of any kind and length, and a client drops what does not bear its own (RFC 6842).
    if !client.is_empty() {
        put(option::CLIENT, client).ok()?;
    }
    options.end().ok()?;
    let all = asked.flags().contains(DhcpFlags::BROADCAST) || message == Message::Nak;
    let (card, address) = match asked.client_ip() {
        _ if all => (EthernetAddress::BROADCAST, Ipv4Addr::BROADCAST),
        Ipv4Addr::UNSPECIFIED => (asked.client_hardware_address(), yours),
        its => (asked.client_hardware_address(), its),
    };
    Some(Answer { message: buffer, card, address })
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::Ipv4Addr;

    use smoltcp::wire::{
        ArpHardware, DhcpFlags, DhcpMessageType as Message, DhcpOpCode as OpCode, DhcpOption, DhcpPacket,
        EthernetAddress,
    };

    use super::{Answer, answer};

    const YOURS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
    const CARD: EthernetAddress = EthernetAddress([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    pub(in crate::lab) fn question(message: Message, its: Ipv4Addr, flags: DhcpFlags, more: &[(u8, &[u8])]) -> Vec<u8> {
        let mut buffer = vec![0; 400];
        let mut packet = DhcpPacket::new_unchecked(buffer.as_mut_slice());
        packet.set_opcode(OpCode::Request);
        packet.set_flags(flags);
        packet.set_hardware_type(ArpHardware::Ethernet);
        packet.set_hardware_len(6);
        packet.set_transaction_id(0xfeed);
        packet.set_client_hardware_address(CARD);
        packet.set_magic_number(0x6382_5363);
        packet.set_client_ip(its);
        let mut options = packet.options_mut();
        options.emit(DhcpOption { kind: 53, data: &[message.into()] }).unwrap();
        for (kind, data) in more {
            options.emit(DhcpOption { kind: *kind, data }).unwrap();
        }
        options.end().unwrap();
        buffer
    }

    fn option(answer: &Answer, kind: u8) -> Option<Vec<u8>> {
        let packet = DhcpPacket::new_checked(answer.message.as_slice()).unwrap();
        packet.options().find(|option| option.kind == kind).map(|option| option.data.to_vec())
    }

    fn its_kind(answer: &Answer) -> Message {
        Message::from(option(answer, 53).unwrap()[0])
    }

    #[test]
    fn a_discovery_is_offered_the_address_of_its_wire() {
        // What systemd-networkd sends: an identifier of type 255 that is longer than a hardware address.
        let identifier = [&[255][..], &[7; 18]].concat();
        let asked = question(Message::Discover, Ipv4Addr::UNSPECIFIED, DhcpFlags::empty(), &[(61, &identifier)]);
        let answer = answer(&asked, YOURS).unwrap();
        assert_eq!(its_kind(&answer), Message::Offer);
        assert_eq!((answer.card, answer.address), (CARD, YOURS));
        assert_eq!(option(&answer, 61).unwrap(), identifier, "raw");
        assert_eq!(option(&answer, 58).unwrap(), 43_200_u32.to_be_bytes());
        assert_eq!(option(&answer, 59).unwrap(), 75_600_u32.to_be_bytes());
        assert_eq!(option(&answer, 6).unwrap(), [10, 0, 2, 3]);
        let packet = DhcpPacket::new_checked(answer.message.as_slice()).unwrap();
        assert_eq!((packet.transaction_id(), packet.your_ip()), (0xfeed, YOURS));
    }

    #[test]
    fn a_request_is_granted_for_its_address_and_for_no_other() {
        let request = |wants: [u8; 4]| {
            question(
                Message::Request,
                Ipv4Addr::UNSPECIFIED,
                DhcpFlags::BROADCAST,
                &[(50, &wants), (54, &[10, 0, 2, 2])],
            )
        };
        let granted = answer(&request([10, 0, 2, 15]), YOURS).unwrap();
        assert_eq!(its_kind(&granted), Message::Ack);
        assert_eq!(granted.address, Ipv4Addr::BROADCAST, "as it asked");
        let refused = answer(&request([192, 168, 1, 7]), YOURS).unwrap();
        assert_eq!(its_kind(&refused), Message::Nak);
        assert_eq!(option(&refused, 51), None, "no lease");
    }

    #[test]
    fn a_lease_is_renewed_where_it_is() {
        let renewed = answer(&question(Message::Request, YOURS, DhcpFlags::empty(), &[]), YOURS).unwrap();
        assert_eq!((its_kind(&renewed), renewed.address), (Message::Ack, YOURS));
        let inform = answer(&question(Message::Inform, Ipv4Addr::new(10, 0, 2, 77), DhcpFlags::empty(), &[]), YOURS);
        assert_eq!(option(&inform.unwrap(), 51), None, "it has an address already");
    }

    #[test]
    fn what_is_not_for_us_or_cannot_be_read_is_not_answered() {
        let other = question(Message::Request, Ipv4Addr::UNSPECIFIED, DhcpFlags::empty(), &[(54, &[10, 9, 9, 9])]);
        assert_eq!(answer(&other, YOURS), None, "another server was chosen");
        let release = question(Message::Release, YOURS, DhcpFlags::empty(), &[]);
        assert_eq!(answer(&release, YOURS), None);
        let whole = question(Message::Discover, Ipv4Addr::UNSPECIFIED, DhcpFlags::empty(), &[(61, &[1; 100])]);
        for length in 0..240 {
            assert_eq!(answer(&whole[..length], YOURS), None, "{length} bytes of it");
        }
        assert!(answer(&whole, YOURS).is_some());
        let mut reply = whole.clone();
        reply[0] = 2;
        assert_eq!(answer(&reply, YOURS), None, "a server's own");
    }
}
