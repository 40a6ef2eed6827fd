//! Runs `yikatong_fuzz::dgi`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::dgi(data));
