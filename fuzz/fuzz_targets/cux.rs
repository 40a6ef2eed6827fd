//! Runs `yikatong_fuzz::cux`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::cux(data));
