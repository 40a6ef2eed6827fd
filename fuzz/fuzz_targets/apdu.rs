//! Runs `yikatong_fuzz::apdu`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::apdu(data));
