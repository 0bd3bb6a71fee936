//! The packets of mDNS (RFC 6762, RFC 6763) that say where miners connect: `_stratum._tcp.local`.

use std::net::Ipv4Addr;

/// Seconds that others remember it. Short, for a node that is killed does not say goodbye.
const TTL: u32 = 120;
/// Questions of a packet that are read, labels of a name, and pointers in it: a packet may come from anybody.
const QUESTIONS: u16 = 32;
const LABELS: usize = 16;

const PTR: u16 = 12;
const TXT: u16 = 16;
const SRV: u16 = 33;
const A: u16 = 1;
const ANY: u16 = 255;
/// The class of the internet, and with it that these records replace all older ones of the name.
const IN: u16 = 1;
const IN_ALONE: u16 = 0x8001;

/// What is announced.
#[derive(Debug)]
pub struct Service {
    /// How lists show it: one label.
    pub instance: String,
    /// The machine's name: one label.
    pub host: String,
    /// Where it is.
    pub ip: Ipv4Addr,
    /// The port of stratum.
    pub port: u16,
    /// The chain's name.
    pub chain: String,
}

impl Service {
    /// Names with the types of records that they have.
    fn names(&self) -> [(Vec<&str>, &'static [u16]); 4] {
        [
            (vec!["_services", "_dns-sd", "_udp", "local"], &[PTR]),
            (vec!["_stratum", "_tcp", "local"], &[PTR]),
            (vec![&self.instance, "_stratum", "_tcp", "local"], &[SRV, TXT]),
            (vec![&self.host, "local"], &[A]),
        ]
    }

    /// Whether a packet asks for any of it.
    pub fn is_asked(&self, packet: &[u8]) -> bool {
        let Some(head) = packet.first_chunk::<12>() else { return false };
        // A response, or another operation than a query.
        if head[2] & 0xf8 != 0 {
            return false;
        }
        let mut at = head.len();
        for _ in 0..u16::from_be_bytes([head[4], head[5]]).min(QUESTIONS) {
            let Some((name, end)) = read_name(packet, at) else { return false };
            let Some([high, low, _, _]) = packet.get(end..).and_then(<[u8]>::first_chunk::<4>) else { return false };
            let kind = u16::from_be_bytes([*high, *low]);
            let is_it = |(known, kinds): &(Vec<&str>, &[u16])| {
                known.len() == name.len()
                    && known.iter().zip(&name).all(|(one, other)| one.as_bytes().eq_ignore_ascii_case(other))
                    && (kind == ANY || kinds.contains(&kind))
            };
            if self.names().iter().any(is_it) {
                return true;
            }
            at = end + 4;
        }
        false
    }

    /// All records, as a response.
    pub fn announcement(&self) -> Vec<u8> {
        let [types, service, instance, host] = self.names().map(|(name, _)| put_name(&name));
        let text = format!("chain={}", self.chain);
        // The name of a chain is short; what is not is left out.
        let text = [&[text.len().min(255) as u8], &text.as_bytes()[..text.len().min(255)]].concat();
        let server = [&[0, 0, 0, 0], &self.port.to_be_bytes()[..], &host].concat();
        let records = [
            record(&types, PTR, IN, &service),
            record(&service, PTR, IN, &instance),
            record(&instance, SRV, IN_ALONE, &server),
            record(&instance, TXT, IN_ALONE, &text),
            record(&host, A, IN_ALONE, &self.ip.octets()),
        ];
        // No id, an authoritative response, no questions.
        let head = [0, 0, 0x84, 0, 0, 0, 0, records.len() as u8, 0, 0, 0, 0];
        [&head[..], &records.concat()].concat()
    }
}

fn record(name: &[u8], kind: u16, class: u16, data: &[u8]) -> Vec<u8> {
    let fields = [kind.to_be_bytes(), class.to_be_bytes()].concat();
    // Names have fewer than 256 bytes.
    [name, &fields, &TTL.to_be_bytes(), &(data.len() as u16).to_be_bytes(), data].concat()
}

fn put_name(labels: &[&str]) -> Vec<u8> {
    let label = |label: &&str| {
        let bytes = &label.as_bytes()[..label.len().min(63)];
        [&[bytes.len() as u8], bytes].concat()
    };
    let mut name: Vec<u8> = labels.iter().flat_map(label).collect();
    name.push(0);
    name
}

/// The labels of a name, and where it ends; `None` if it is none.
fn read_name(packet: &[u8], mut at: usize) -> Option<(Vec<&[u8]>, usize)> {
    let (mut labels, mut end, mut jumps) = (Vec::new(), None, 0);
    loop {
        match *packet.get(at)? {
            0 => return Some((labels, end.unwrap_or(at + 1))),
            length @ 1..=63 => {
                labels.push(packet.get(at + 1..at + 1 + usize::from(length))?);
                at += 1 + usize::from(length);
            }
            high @ 0xc0.. => {
                end.get_or_insert(at + 2);
                at = usize::from(u16::from_be_bytes([high & 0x3f, *packet.get(at + 1)?]));
                jumps += 1;
            }
            _ => return None,
        }
        if labels.len() > LABELS || jumps > LABELS {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        Service {
            instance: "Cairn-local-1f3a".to_owned(),
            host: "cairn-1f3a".to_owned(),
            ip: [192, 168, 1, 9].into(),
            port: 3_333,
            chain: "local".to_owned(),
        }
    }

    fn question(labels: &[&str], kind: u16) -> Vec<u8> {
        let head = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        [&head[..], &put_name(labels), &kind.to_be_bytes(), &IN.to_be_bytes()].concat()
    }

    #[test]
    fn it_answers_for_its_own_names_and_types() {
        let service = service();
        for (labels, kind) in [
            (&["_stratum", "_tcp", "local"][..], PTR),
            (&["_STRATUM", "_tcp", "Local"], ANY),
            (&["_services", "_dns-sd", "_udp", "local"], PTR),
            (&["Cairn-local-1f3a", "_stratum", "_tcp", "local"], SRV),
            (&["cairn-1f3a", "local"], A),
        ] {
            assert!(service.is_asked(&question(labels, kind)), "{labels:?}");
        }
        for (labels, kind) in [
            (&["_http", "_tcp", "local"][..], PTR),
            (&["_stratum", "_tcp", "local"], A),
            (&["cairn-1f3b", "local"], A),
            (&["local"], ANY),
        ] {
            assert!(!service.is_asked(&question(labels, kind)), "{labels:?}");
        }
        assert!(!service.is_asked(&service.announcement()), "a response asks nothing");
    }

    #[test]
    fn names_are_read_through_pointers_and_broken_ones_are_none() {
        let service = service();
        let mut packet = question(&["_http", "_tcp", "local"], PTR);
        packet[5] = 2;
        // Its `_tcp.local` again.
        packet.extend([&[8][..], b"_stratum", &[0xc0, 12 + 6], &PTR.to_be_bytes(), &IN.to_be_bytes()].concat());
        assert!(service.is_asked(&packet));
        let good = question(&["_stratum", "_tcp", "local"], PTR);
        for length in 0..good.len() {
            assert!(!service.is_asked(&good[..length]));
        }
        for name in [&[0xc0, 12][..], &[0xc0, 0xff], &[64], &[0x80, 0], &[63, 1]] {
            assert!(!service.is_asked(&[&good[..12], name, &[0, 12, 0, 1]].concat()), "{name:?}");
        }
    }

    #[test]
    fn an_announcement_is_what_another_program_reads() {
        use hickory_proto::op::Message;

        let message = Message::from_vec(&service().announcement()).unwrap();
        let shown: Vec<_> = message.answers.iter().map(ToString::to_string).collect();
        for part in [
            "_services._dns-sd._udp.local. 120 IN PTR _stratum._tcp.local.",
            "_stratum._tcp.local. 120 IN PTR Cairn-local-1f3a._stratum._tcp.local.",
            "IN SRV 0 0 3333 cairn-1f3a.local.",
            "IN TXT chain=local",
            "cairn-1f3a.local. 120 IN A 192.168.1.9",
        ] {
            assert!(shown.iter().any(|record| record.contains(part)), "no {part} in {shown:#?}");
        }
    }
}
