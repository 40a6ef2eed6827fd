//! Runs `yikatong_fuzz::vpcd`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::vpcd(data));
