//! AMF0 against hand-made bytes, against scuffle-amf0, and against peers that lie about sizes.

use proptest::prelude::*;
use scuffle_amf0::{Amf0Decoder, Amf0Encoder, Amf0Value};

use super::*;

/// The `connect` of a publisher, with every type that real ones send, and the script data of an encoder.
fn golden() -> (Vec<u8>, Vec<Value>) {
    let mut bytes = b"\x02\x00\x07connect\x00\x3F\xF0\0\0\0\0\0\0".to_vec();
    bytes.extend_from_slice(b"\x03\x00\x03app\x02\x00\x04live\x00\x04fpad\x01\x00\x00\x00\x09");
    bytes.extend_from_slice(b"\x08\x00\x00\x00\x01\x00\x05width\x00\x40\x9E\0\0\0\0\0\0\x00\x00\x09");
    bytes.extend_from_slice(b"\x0A\x00\x00\x00\x02\x05\x06");
    bytes.extend_from_slice(b"\x0B\x42\x76\x37\x98\x35\x7E\x00\x00\x00\x00");
    bytes.extend_from_slice(b"\x0C\x00\x00\x00\x02hi");
    bytes.extend_from_slice(b"\x10\x00\x03cls\x00\x01a\x01\x01\x00\x00\x09");
    let values = vec![
        Value::from("connect"),
        Value::Number(1.0),
        Value::object([("app", Value::from("live")), ("fpad", Value::Boolean(false))]),
        Value::EcmaArray(vec![("width".to_owned(), Value::Number(1920.0))]),
        Value::StrictArray(vec![Value::Null, Value::Undefined]),
        Value::Date { unix_ms: 1_526_752_040_928.0 },
        Value::from("hi"),
        Value::object([("a", Value::Boolean(true))]),
    ];
    (bytes, values)
}

/// `depth` strict arrays of one element around a null.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = b"\x0A\x00\x00\x00\x01".repeat(depth);
    bytes.push(NULL);
    bytes
}

#[test]
fn every_type_that_encoders_send_decodes_to_its_value() {
    let (bytes, values) = golden();
    assert_eq!(decode_all(&bytes), Ok(values));
}

#[test]
fn decode_moves_past_one_value_and_stays_put_on_an_error() {
    let mut input: &[u8] = b"\x01\x01\x05rest";
    assert_eq!(decode(&mut input), Ok(Value::Boolean(true)));
    assert_eq!(decode(&mut input), Ok(Value::Null));
    assert_eq!(input, b"rest");
    assert!(decode(&mut input).is_err());
    assert_eq!(input, b"rest");
}

#[test]
fn a_message_cut_anywhere_says_where_it_ends_or_decodes_to_fewer_whole_values() {
    let (bytes, values) = golden();
    for cut in 0..bytes.len() {
        match decode_all(&bytes[..cut]) {
            Ok(fewer) => assert_eq!(fewer, values[..fewer.len()], "cut at {cut}"),
            Err(Error::Truncated { at, missing }) => {
                assert!(at <= cut && missing > 0, "cut at {cut}: at {at}, missing {missing}");
            }
            Err(other) => panic!("cut at {cut}: {other}"),
        }
    }
}

#[test]
fn nesting_of_64_is_accepted_and_65_refused() {
    assert!(decode_all(&nested(64)).is_ok());
    assert_eq!(decode_all(&nested(65)), Err(Error::TooDeep { at: 64 * 5 }));
    let objects =
        |depth: usize| [b"\x03\x00\x01a".repeat(depth), vec![NULL], b"\0\0\x09".repeat(depth)].concat();
    assert!(decode_all(&objects(64)).is_ok());
    assert_eq!(decode_all(&objects(65)), Err(Error::TooDeep { at: 64 * 4 }));
}

#[test]
fn a_hundred_thousand_levels_neither_overflow_the_stack_nor_take_long() {
    assert_eq!(decode_all(&nested(100_000)), Err(Error::TooDeep { at: 64 * 5 }));
}

#[test]
fn a_claim_of_4_billion_members_costs_nothing() {
    assert_eq!(decode_all(b"\x0A\xFF\xFF\xFF\xFF\x05"), Err(Error::Truncated { at: 6, missing: 1 }));
    let ecma = b"\x08\xFF\xFF\xFF\xFF\x00\x01a\x05\x00\x00\x09";
    assert_eq!(decode_all(ecma), Ok(vec![Value::EcmaArray(vec![("a".to_owned(), Value::Null)])]));
}

#[test]
fn a_string_longer_than_the_message_is_refused() {
    assert_eq!(decode_all(b"\x02\xFF\xFFab"), Err(Error::Truncated { at: 3, missing: 65_533 }));
    assert_eq!(
        decode_all(b"\x0C\xFF\xFF\xFF\xFFab"),
        Err(Error::Truncated { at: 5, missing: u32::MAX as usize - 2 })
    );
}

#[test]
fn more_values_than_the_limit_are_refused() {
    let nulls = |count: usize| vec![NULL; count];
    assert_eq!(decode_all(&nulls(VALUES_MAX)).map(|values| values.len()), Ok(VALUES_MAX));
    assert_eq!(decode_all(&nulls(VALUES_MAX + 1)), Err(Error::TooManyValues { at: VALUES_MAX }));
}

#[test]
fn amf3_references_and_reserved_markers_are_refused_by_name() {
    assert_eq!(decode_all(b"\x05\x11\x0A"), Err(Error::Amf3 { at: 1 }));
    for marker in [0x04, 0x07, 0x09, 0x0E, 0x12, 0xFF] {
        assert_eq!(decode_all(&[marker, 0, 0]), Err(Error::Marker { marker, at: 0 }));
    }
}

#[test]
fn an_ecma_array_without_end_marker_is_complete_at_the_end_of_the_message() {
    let bytes = b"\x08\x00\x00\x00\x01\x00\x01a\x01\x01";
    assert_eq!(decode_all(bytes), Ok(vec![Value::EcmaArray(vec![("a".to_owned(), Value::Boolean(true))])]));
    assert!(decode_all(b"\x08\x00\x00\x00\x02\x00\x01a\x01\x01").is_err(), "a second member was announced");
    assert!(decode_all(b"\x03\x00\x01a\x01\x01").is_err(), "an object announces nothing");
}

#[test]
fn text_that_is_not_utf8_keeps_the_message_readable() {
    assert_eq!(decode_all(b"\x02\x00\x03a\xD6b"), Ok(vec![Value::from("a\u{FFFD}b")]));
}

#[test]
fn members_are_found_by_name_and_the_first_of_a_name_wins() {
    let value = Value::EcmaArray(vec![
        ("fps".to_owned(), Value::Number(25.0)),
        ("fps".to_owned(), Value::Number(30.0)),
        ("encoder".to_owned(), Value::from("Lavf")),
    ]);
    assert_eq!(value.get("fps").and_then(Value::as_f64), Some(25.0));
    assert_eq!(value.get("encoder").and_then(Value::as_str), Some("Lavf"));
    assert_eq!(value.get("width"), None);
    assert_eq!(Value::Null.get("fps"), None);
}

#[test]
fn a_string_beyond_16_bits_of_length_becomes_a_long_string() {
    let value = Value::String("x".repeat(65_536));
    let mut out = BytesMut::new();
    encode(&value, &mut out);
    assert_eq!(&out[..5], b"\x0C\x00\x01\x00\x00");
    assert_eq!(decode_all(&out), Ok(vec![value]));
}

#[test]
fn a_member_name_too_long_for_the_format_is_cut_at_a_character() {
    let name = format!("{}é", "n".repeat(65_534));
    let mut out = BytesMut::new();
    encode(&Value::Object(vec![(name, Value::Null)]), &mut out);
    let [Value::Object(members)] = &decode_all(&out).unwrap()[..] else { panic!("an object") };
    assert_eq!(members[0].0, "n".repeat(65_534));
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan());
    let leaf = prop_oneof![
        number.clone().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,20}".prop_map(Value::String),
        number.prop_map(|unix_ms| Value::Date { unix_ms }),
        Just(Value::Null),
        Just(Value::Undefined),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let members = prop::collection::vec((".{0,8}", inner.clone()), 0..6);
        prop_oneof![
            members.clone().prop_map(Value::Object),
            members.prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
        ]
    })
}

/// What scuffle's narrower value keeps of ours.
fn narrowed(value: &Value) -> Amf0Value<'static> {
    let members = |members: &[(String, Value)]| {
        Amf0Value::Object(
            members.iter().map(|(name, value)| (name.clone().into(), narrowed(value))).collect(),
        )
    };
    match value {
        Value::Number(number) | Value::Date { unix_ms: number } => Amf0Value::Number(*number),
        Value::Boolean(boolean) => Amf0Value::Boolean(*boolean),
        Value::String(string) => Amf0Value::String(string.clone().into()),
        Value::Object(pairs) | Value::EcmaArray(pairs) => members(pairs),
        Value::StrictArray(values) => Amf0Value::Array(values.iter().map(narrowed).collect()),
        Value::Null | Value::Undefined => Amf0Value::Null,
    }
}

/// scuffle 0.2 ends an ECMA array after the claimed members and leaves the empty name before the end marker unread.
fn without_ecma(value: Value) -> Value {
    let members = |members: Vec<(String, Value)>| {
        Value::Object(members.into_iter().map(|(name, value)| (name, without_ecma(value))).collect())
    };
    match value {
        Value::Object(pairs) | Value::EcmaArray(pairs) => members(pairs),
        Value::StrictArray(values) => Value::StrictArray(values.into_iter().map(without_ecma).collect()),
        leaf => leaf,
    }
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_itself(value in any_value()) {
        let mut out = BytesMut::new();
        encode(&value, &mut out);
        prop_assert_eq!(decode_all(&out), Ok(vec![value]));
    }

    #[test]
    fn scuffle_reads_what_we_write(value in any_value()) {
        let mut out = BytesMut::new();
        encode(&without_ecma(value.clone()), &mut out);
        let read = Amf0Decoder::from_slice(&out).decode_value().expect("scuffle decodes it");
        prop_assert_eq!(read.into_owned(), narrowed(&value));
    }

    #[test]
    fn we_read_what_scuffle_writes(value in any_value()) {
        let mut out = Vec::new();
        narrowed(&value).encode(&mut Amf0Encoder::new(&mut out)).expect("scuffle encodes it");
        let read = decode_all(&out).expect("we decode it");
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(narrowed(&read[0]), narrowed(&value));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_all(&bytes);
    }
}
