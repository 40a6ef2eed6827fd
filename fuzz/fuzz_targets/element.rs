//! Runs `yikatong_fuzz::element`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::element(data));
